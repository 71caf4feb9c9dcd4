"""Where the keys of a bucket come from: roles of instances and containers, sessions that end, profiles."""
import datetime
import hashlib
import http.server
import json
import os
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import cairn  # noqa: E402
from s3_front import Front, sign  # noqa: E402
from s3_server import KEY, SECRET  # noqa: E402


class Agent:
    """The metadata service of an instance and the agent of a container: answers only who shows the token it gave. Its keys are those of
    the session in `session`; sessions that it handed out are counted."""

    def __init__(self):
        self.session, self.ends_in_s, self.role, self.broken, self.handed = (KEY, SECRET, ""), 6 * 3600, "node-role", False, 0
        self.may_ask, self.roles_taken = None, 0
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body, status=200):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def do_PUT(self):
                good = self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
                self.answer("the-token" if good else "", 200 if good else 400)

            def do_GET(self):
                role = "/latest/meta-data/iam/security-credentials/"
                if self.path == "/container":
                    return agent.give(self, self.headers.get("Authorization") == "container-token")
                if self.headers.get("X-aws-ec2-metadata-token") != "the-token":
                    return self.answer("", 401)
                if self.path == role and agent.role:
                    return self.answer(agent.role)
                return agent.give(self, True) if agent.role and self.path == role + agent.role else self.answer("", 404)

            def do_POST(self):
                agent.take_role(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def give(self, r, allowed):
        if not allowed or self.broken:
            return r.answer("", 500 if self.broken else 401)
        self.handed += 1
        key, secret, token = self.session
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.ends_in_s)
        return r.answer(json.dumps({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": secret, "Token": token,
                                    "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}))

    def take_role(self, r):
        """AWS STS: gives the session's keys for a request that is signed with the keys in `may_ask`, or shows the web identity's token."""
        body = r.rfile.read(int(r.headers["Content-Length"]))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        key, secret, token = self.may_ask
        if form["Action"] == "AssumeRole":
            fields = dict(f.strip().split("=", 1) for f in r.headers["Authorization"].split(" ", 1)[1].split(","))
            names, stamp = fields["SignedHeaders"].split(";"), r.headers["x-amz-date"]
            headers = {k.lower(): v for k, v in r.headers.items()}
            good = sign("POST", "/", "", headers, names, hashlib.sha256(body).hexdigest(), stamp, "eu-west-1", secret, "sts")
            right = fields["Credential"].startswith(f"{key}/") and fields["Signature"] == good and headers.get("x-amz-security-token", "") == token
            right = right and {"host", "x-amz-date"} <= set(names) and form.get("ExternalId") == "an id/+="
        else:
            right = form["Action"] == "AssumeRoleWithWebIdentity" and form["WebIdentityToken"] == "a web token" and "Authorization" not in r.headers
        if not right or form["RoleArn"] != ROLE or not form["RoleSessionName"]:
            return r.answer("<ErrorResponse><Error><Code>AccessDenied</Code><Message>is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>", 403)
        self.roles_taken += 1
        key, secret, token = self.session
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return r.answer(f"<{form['Action']}Response><{form['Action']}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
                        f"<SessionToken>{token}</SessionToken><Expiration>{end.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration></Credentials></{form['Action']}Result></{form['Action']}Response>")

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


ROLE = "arn:aws:iam::123456789012:role/backups"
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
