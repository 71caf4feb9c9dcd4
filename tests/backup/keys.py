"""Where the keys of a bucket come from: roles of instances and containers, sessions that end, profiles."""
import datetime
import http.server
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import cairn  # noqa: E402
from s3_front import Front  # noqa: E402
from s3_server import KEY, SECRET  # noqa: E402


class Agent:
    """The metadata service of an instance and the agent of a container: answers only who shows the token it gave. Its keys are those of
    the session in `session`; sessions that it handed out are counted."""

    def __init__(self):
        self.session, self.ends_in_s, self.role, self.broken, self.handed = (KEY, SECRET, ""), 6 * 3600, "node-role", False, 0
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

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


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
