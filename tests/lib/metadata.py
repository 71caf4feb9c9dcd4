"""The metadata service of an instance (version 2 only), the agent of a container, and a role service of our own writing, on a free loopback port."""
import datetime
import hashlib
import http.server
import json
import threading
import urllib.parse

from s3_front import sign
from s3_server import KEY, SECRET

ROLE = "arn:aws:iam::123456789012:role/backups"


class Agent:
    """The metadata service of an instance and the agent of a container: answers only who shows the token it gave. Its keys are those of
    the session in `session`, or what that gives when it is called; sessions that it handed out are counted."""

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
        key, secret, token = self.session() if callable(self.session) else self.session
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
