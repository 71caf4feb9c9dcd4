"""Where the keys of a bucket come from: roles of instances and containers, sessions that end, profiles."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from metadata import ROLE, Agent  # noqa: E402
from node import cairn  # noqa: E402
from s3_front import Front  # noqa: E402
from s3_server import KEY, SECRET  # noqa: E402

SESSIONS = {"ASIA1": ("first secret", "first-token/+="), "ASIA2": ("second secret", "second-token/+=")}


def keys(cases, folder, s3):
    with Agent() as agent, Front(s3, keys=dict(SESSIONS)) as front:
        bare = dict(s3.env(), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        instance = dict(bare, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=agent.url)
        with open(f"{folder}/container-token", "w") as f:
            f.write("container-token\n")
        container = dict(bare, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{agent.url}/container")
        agent.session = ("ASIA1", *SESSIONS["ASIA1"])

        def backup(name, env, *more):
            return cairn("backup", f"--data={folder}/data", f"--to={front.place('keys')}", f"--name={name}", *more, env=env)

        for name, env in (("instance", instance), ("container", dict(container, AWS_CONTAINER_AUTHORIZATION_TOKEN="container-token")),
                          ("token-file", dict(container, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=f"{folder}/container-token")),
                          ("environment", dict(bare, AWS_ACCESS_KEY_ID="ASIA1", AWS_SECRET_ACCESS_KEY=SESSIONS["ASIA1"][0],
                                               AWS_SESSION_TOKEN=SESSIONS["ASIA1"][1]))):
            status, said = backup(name, env)
            cases.check(f"a session's keys from the {name}", status == 0, said[-300:])
        profiles(cases, folder, front, bare, backup)
        roles(cases, folder, agent, instance, bare, backup)
        ending(cases, agent, front, instance, bare, backup)


def profiles(cases, folder, front, bare, backup):
    secret, token = SESSIONS["ASIA2"]
    with open(f"{folder}/credentials", "w") as f:
        f.write(f"[backups]\naws_access_key_id = ASIA2\naws_secret_access_key = {secret}\naws_session_token = {token}\n")
    files = dict(bare, AWS_SHARED_CREDENTIALS_FILE=f"{folder}/credentials")
    status, said = cairn("backup", f"--data={folder}/data", f"--to=s3://{front.s3.bucket}/keys", "--name=flags", "--profile=backups",
                         f"--endpoint-url=http://127.0.0.1:{front.port}", "--region=us-east-1", env=files)
    cases.check("keys of a profile, the rest by flags", status == 0, said[-300:])
    status, said = backup("profile", dict(files, AWS_PROFILE="backups"))
    cases.check("keys of a profile that the environment names", status == 0, said[-300:])
    status, said = backup("nobody", dict(files, AWS_PROFILE="nobody"))
    cases.check("a profile that is not there", status == 1 and "no profile nobody" in said, said[-300:])


def roles(cases, folder, agent, instance, bare, backup):
    """A profile's role_arn, with keys of its own, of another profile, of the instance; a web identity."""
    with open(f"{folder}/roles", "w") as f:
        f.write(f"[default]\nregion = eu-west-1\n[profile keys]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        for name, source in (("other", "source_profile = keys"), ("node", "credential_source = Ec2InstanceMetadata"), ("twice", "source_profile = other"),
                             ("self", f"source_profile = self\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}")):
            f.write(f"[profile {name}]\nregion = eu-west-1\nrole_arn = {ROLE}\nexternal_id = an id/+=\n{source}\n")
    with open(f"{folder}/web-token", "w") as f:
        f.write("a web token\n")
    files = dict(bare, AWS_CONFIG_FILE=f"{folder}/roles", AWS_ENDPOINT_URL_STS=agent.url)
    long_lived, first = (KEY, SECRET, ""), ("ASIA1", *SESSIONS["ASIA1"])
    rows = [("other", long_lived, files, 1), ("self", long_lived, files, 1), ("node", first, dict(files, **{k: v for k, v in instance.items() if "EC2" in k}), 1)]
    for name, asks, env, count in rows:
        agent.may_ask, agent.roles_taken = asks, 0
        status, said = backup(f"role-{name}", dict(env, AWS_PROFILE=name))
        cases.check(f"a role by the keys of: {name}", status == 0 and agent.roles_taken == count, f"{agent.roles_taken} {said[-300:]}")
    agent.roles_taken = 0
    status, said = backup("web", dict(files, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=f"{folder}/web-token"))
    cases.check("a web identity's role", status == 0 and agent.roles_taken == 1, said[-300:])
    agent.may_ask = ("nobody", "", "")
    status, said = backup("role-refused", dict(files, AWS_PROFILE="other"))
    cases.check("a role that may not be taken", status == 1 and "not authorized to perform: sts:AssumeRole" in said, said[-300:])


def ending(cases, agent, front, instance, bare, backup):
    """Sessions end while a backup runs."""
    agent.handed, agent.ends_in_s = 0, 60
    status, said = backup("short", instance)
    cases.check("keys that end soon are asked for anew", status == 0 and agent.handed > 3, f"{agent.handed} {said[-300:]}")
    agent.ends_in_s = 6 * 3600

    def first_ends(n):
        if n == 6:
            front.ended.add(SESSIONS["ASIA1"][1])
            agent.session = ("ASIA2", *SESSIONS["ASIA2"])
    front.seen.clear()
    front.watch = lambda: first_ends(len(front.seen))
    status, said = backup("rotated", instance)
    cases.check("the store says that they have ended: new ones", status == 0 and SESSIONS["ASIA1"][1] in front.ended, said[-300:])
    front.watch = None
    front.seen.clear()
    status, said = backup("old", dict(bare, AWS_ACCESS_KEY_ID="ASIA1", AWS_SECRET_ACCESS_KEY=SESSIONS["ASIA1"][0],
                                      AWS_SESSION_TOKEN=SESSIONS["ASIA1"][1]))
    cases.check("a session that has ended is not tried for long", status == 1 and "get new keys" in said and len(front.seen) <= 2,
                f"{len(front.seen)} {said[-300:]}")
    agent.ends_in_s = 120  # within the time in which new ones are asked for

    def breaks(n):
        agent.broken = n >= 3
    front.seen.clear()
    front.watch = lambda: breaks(len(front.seen))
    status, said = backup("held", instance)
    cases.check("an agent that breaks: the keys are used to their end", status == 0 and agent.broken, said[-300:])
    front.watch, agent.broken, agent.role = None, False, ""
    status, said = backup("bare", instance)
    cases.check("an instance without a role", status == 1 and "no keys for the bucket" in said, said[-300:])
