"""Backups with the keys of sessions that real servers give out and verify: SeaweedFS has roles, web identities and sessions that end, in a
Security Token Service of its own; moto plays AWS' and recomputes every signature with AWS' library."""
import os
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from aws_server import AwsServer, aws_python  # noqa: E402
from issuer import Issuer  # noqa: E402
from metadata import Agent  # noqa: E402
from node import cairn  # noqa: E402
from s3_server import KEY, READER, READER_SECRET, SECRET, S3Server  # noqa: E402

ROLE, OTHER_ROLE = "arn:aws:iam::000000000000:role/backups", "arn:aws:iam::000000000000:role/others"
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def rights(bucket, prefix):
    """What docs/backup.md says that the keys need, and no more."""
    below = f"arn:aws:s3:::{bucket}/{prefix}/*"
    return [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "Resource": [f"arn:aws:s3:::{bucket}"]},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], "Resource": [below]}]


def roles(issuer, bucket, longest="12h"):
    """SeaweedFS' configuration: the role of backups trusts one user and one subject of the issuer; no session is longer than `longest`."""
    trust = [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/reader"}, "Action": ["sts:AssumeRole"]},
             {"Effect": "Allow", "Principal": {"Federated": "cluster"}, "Action": ["sts:AssumeRoleWithWebIdentity"],
              "Condition": {"StringEquals": {"oidc:sub": issuer.SUBJECT}}}]
    return {"sts": {"tokenDuration": "1h", "maxSessionLength": longest, "issuer": "sts", "signingKey": "YSBrZXkgb2YgdGhlIHRlc3RzLCBvZiB0aGlydHktdHdvKw=="},
            "providers": [{"name": "cluster", "type": "oidc", "enabled": True,
                           "config": {"issuer": issuer.url, "clientId": issuer.AUDIENCE, "jwksUri": f"{issuer.url}/keys"}}],
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "policies": [{"name": "backups", "document": {"Version": "2012-10-17", "Statement": rights(bucket, "sessions")}}],
            "roles": [{"roleName": "backups", "roleArn": ROLE, "attachedPolicies": ["backups"], "trustPolicy": {"Version": "2012-10-17", "Statement": trust}},
                      {"roleName": "others", "roleArn": OTHER_ROLE, "attachedPolicies": [], "trustPolicy": {"Version": "2012-10-17", "Statement": trust}}]}


class Relay:
    """Passes bytes on to a port and counts the requests; the `hold`th of a kind waits for `go_on`."""

    def __init__(self, port, kind=b"PUT /", hold=None):
        self.port, self.kind, self.hold, self.counts = port, kind, hold, {}
        self.held, self.go_on, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self.listener.close()

    def count(self, data):
        """True when this is the request to be held."""
        with self.lock:
            for kind in (b"PUT /", b"GET /", b"POST /", b"HEAD /", b"DELETE /"):
                self.counts[kind] = self.counts.get(kind, 0) + data.startswith(kind)
            return data.startswith(self.kind) and self.counts[self.kind] == self.hold

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            for a, b, asks in ((near, far, True), (far, near, False)):
                threading.Thread(target=self.carry, args=(a, b, asks), daemon=True).start()

    def carry(self, a, b, asks):
        try:
            while data := a.recv(65536):
                if asks and self.count(data):
                    self.held.set()
                    self.go_on.wait(60)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            for s in (a, b):
                s.close()


def web_session(url, role, token):
    """(key id, secret, session token) from the server's own Security Token Service."""
    form = urllib.parse.urlencode({"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "test",
                                   "WebIdentityToken": token}).encode()
    with urllib.request.urlopen(f"{url}/", data=form, timeout=30) as answer:
        keys = xml.fromstring(answer.read()).find(f".//{STS}Credentials")
    return tuple(keys.find(f"{STS}{name}").text for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))


def of_session(bare, session):
    return dict(bare, **dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), session)))


def profile(folder, name, role, key, secret, region):
    """A file for AWS_CONFIG_FILE whose default profile takes the role with the keys."""
    path = f"{folder}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"[default]\nrole_arn = {role}\nsource_profile = keys\nregion = {region}\n"
                f"[profile keys]\nregion = {region}\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    return path


class Place:
    """One bucket, and the checks that are the same whoever plays AWS."""

    def __init__(self, cases, folder, who, place):
        self.cases, self.folder, self.who, self.place = cases, folder, who, place

    def takes(self, what, env, name, place=None):
        place = place or self.place
        status, said = cairn("backup", f"--data={self.folder}/data", f"--to={place}", f"--name={name}", env=env)
        self.cases.check(f"{self.who}: a backup with {what}", status == 0, said[-400:])
        status, said = cairn("restore", f"--from={place}", f"--backup={name}", "--verify", env=env)
        self.cases.check(f"{self.who}: it is read back with {what}", status == 0 and "verified" in said, said[-400:])

    def refuses(self, what, env, *texts):
        status, said = cairn("backup", f"--data={self.folder}/data", f"--to={self.place}", "--name=refused", env=env)
        self.cases.check(f"{self.who}: {what} is refused, and said", status == 1 and all(t in said for t in texts), said[-400:])

    def refuses_others(self, bare, session, other):
        """What is not exactly a session's keys."""
        key, secret, token = session
        middle = len(token) // 2
        changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
        self.refuses("another secret", of_session(bare, (key, other[1], token)), "the secret does not belong to the access key")
        self.refuses("a changed token", of_session(bare, (key, secret, changed)), "get new keys")
        self.refuses("another session's token", of_session(bare, (key, secret, other[2])), "get new keys")
        self.refuses("a session without its token", of_session(bare, (key, secret, "")), "does not know this access key")


# -- SeaweedFS --------------------------------------------------------------------------------------------------

def seaweed_web(p, bare, issuer):
    """Web identities: the store checks the issuer's signature, subject, audience and time."""
    env = dict(bare, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=f"{p.folder}/pod-token")

    def write(*args, **kwargs):
        with open(env["AWS_WEB_IDENTITY_TOKEN_FILE"], "w", encoding="utf-8") as f:
            f.write(issuer.token(*args, **kwargs) + "\n")

    write()
    p.takes("a web identity's role", env, "web")
    for what, how in (("a token that another has signed", {"key": "strange"}), ("another subject's token", {"subject": "system:serviceaccount:a:b"}),
                      ("a token for another audience", {"audience": "others"}), ("a token that has ended", {"ends_in_s": -60})):
        write(**how)
        p.refuses(what, env, "did not give the keys of the role")
    write()
    p.refuses("a role that may nothing", dict(env, AWS_ROLE_ARN=OTHER_ROLE), "the keys may not do this")


def seaweed_short(cases, p, s3, bare, issuer):
    """Sessions of five seconds. New keys are asked for five minutes before the end, so here each request has its own."""
    url = f"http://127.0.0.1:{s3.port}"
    with open(f"{p.folder}/pod-token", "w", encoding="utf-8") as f:
        f.write(issuer.token())
    with Relay(s3.port) as relay:
        env = dict(bare, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=f.name, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{relay.own_port}")
        p.takes("short sessions, one after the other", env, "short")
        cases.check("SeaweedFS: each was asked for", relay.counts[b"POST /"] > 10, relay.counts)
    # The instance says that they last longer: the store alone knows better, and says so in the middle of a backup.
    given = []

    def session():
        given.append(web_session(url, ROLE, issuer.token()))
        return given[-1]

    with Agent() as agent, Relay(s3.port, hold=3) as relay:
        agent.session = session
        env = dict(bare, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=agent.url)
        place = p.place.replace(str(s3.port), str(relay.own_port)).replace("sessions", "sessions/ends")
        done = []
        run = threading.Thread(target=lambda: done.append(cairn("backup", f"--data={p.folder}/data", f"--to={place}", "--name=a", "--verify", env=env)))
        run.start()
        held = relay.held.wait(30)
        until = time.monotonic() + 60
        while cairn("restore", f"--from={p.place}", "--list", env=of_session(bare, given[0]))[0] == 0 and time.monotonic() < until:
            time.sleep(0.2)
        relay.go_on.set()
        run.join(120)
        status, said = done[0] if done else (-1, "it did not end")
        cases.check("SeaweedFS: a session that ends in the middle is renewed", held and status == 0 and len(given) > 1, f"{held} {len(given)} {said[-400:]}")
        p.refuses("a session that has ended", of_session(bare, given[0]), "get new keys")


def seaweed_long(_, p, s3, bare, issuer):
    url = f"http://127.0.0.1:{s3.port}"

    def taken(name, key, secret):
        return dict(bare, AWS_CONFIG_FILE=profile(p.folder, name, ROLE, key, secret, "us-east-1"))

    p.takes("a role that a user takes", taken("taken", READER, READER_SECRET), "role")
    p.refuses("a role taken with another's secret", taken("wrong", READER, SECRET), "did not give the keys of the role")
    p.refuses("a role that does not trust the user", taken("untrusted", KEY, SECRET), "did not give the keys of the role", "not authorized")
    first, second = (web_session(url, ROLE, issuer.token()) for _ in range(2))
    p.takes("a session's keys", of_session(bare, first), "session")
    p.refuses_others(bare, first, second)
    seaweed_web(p, bare, issuer)


def seaweed(cases, folder):
    with Issuer(f"{folder}/issuer") as issuer:
        for longest, part in (("12h", seaweed_long), ("5s", seaweed_short)):
            with S3Server(os.environ["CAIRN_WEED"], iam=roles(issuer, "backups", longest)) as s3:
                bare = dict(s3.env(), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{s3.port}")
                part(cases, Place(cases, folder, "SeaweedFS", s3.place("sessions")), s3, bare, issuer)


# -- moto -------------------------------------------------------------------------------------------------------

def moto(cases, folder, python):
    role = "arn:aws:iam::123456789012:role/backups"
    trust = [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/starter"}, "Action": "sts:AssumeRole"}]
    with AwsServer(python, f"{folder}/moto", "eu-west-1", buckets=["backups"], users={"starter": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}]},
                   roles={n: {"trust": trust, "statements": rights("backups", "sessions")} for n in ("backups", "others")}) as aws:
        bare = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "",
                "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_ENDPOINT_URL_STS": aws.url}
        p = Place(cases, folder, "moto", f"s3://backups/sessions?endpoint={aws.url}&region=eu-west-1")
        key, secret = aws.made["users"]["starter"]
        p.takes("a role that a user takes", dict(bare, AWS_CONFIG_FILE=profile(folder, "moto-taken", role, key, secret, "eu-west-1")), "role")
        p.refuses("a role taken with another's secret", dict(bare, AWS_CONFIG_FILE=profile(folder, "moto-wrong", role, key, "wrong", "eu-west-1")),
                  "did not give the keys of the role", "SignatureDoesNotMatch")
        first, second = (tuple(aws.made["sessions"][n]) for n in ("backups", "others"))
        p.takes("a session's keys", of_session(bare, first), "session")
        p.refuses_others(bare, first, second)
        p.refuses("a user who may nothing", of_session(bare, (key, secret, "")), "the keys may not do this")


def sessions(cases, folder, _):
    folder = f"{folder}/sessions"  # with data of its own: a backup holds the lock of what it copies
    os.makedirs(f"{folder}/data/logs/blocks")
    for i in range(10):
        with open(f"{folder}/data/logs/blocks/{i}", "wb") as f:
            f.write(os.urandom(1 << 12 << i % 10))
    seaweed(cases, folder)
    python = aws_python()
    if python:
        moto(cases, folder, python)
    else:
        print("skipped: backups to moto: it cannot be had from PyPI")
