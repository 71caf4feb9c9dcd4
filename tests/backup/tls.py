"""Buckets under TLS with a private CA: the right one works, in both styles of address; whatever is wrong is refused with its cure."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import Authority  # noqa: E402
from node import cairn  # noqa: E402
from s3_front import Front  # noqa: E402
from s3_server import S3Server  # noqa: E402


def tls(cases, folder, s3):
    ours, theirs = Authority(f"{folder}/ca"), Authority(f"{folder}/other-ca", "another authority")
    names = ["DNS:localhost", "DNS:backups.localhost", "IP:127.0.0.1"]
    with S3Server(os.environ["CAIRN_WEED"], certificate=ours.sign("server", names), ca=ours.ca) as secure:
        env, data = secure.env(), f"--data={folder}/data"

        def backup(name, place, **more):
            return cairn("backup", data, f"--name={name}", "--verify", f"--to={place}", env=dict(env, **more))

        with open(f"{folder}/aws-config", "w") as f:
            f.write(f"[default]\nca_bundle = {ours.ca}\nendpoint_url = https://localhost:{secure.port}\ns3 =\n  addressing_style = path\n")
        place = secure.place("tls")
        ways = [("by the environment", place, {"AWS_CA_BUNDLE": ours.ca}),
                ("as an option, the bucket in the name", f"{place}&style=virtual&ca={ours.ca}", {}),
                ("an address for a name", f"s3://{secure.bucket}/tls?endpoint=https://127.0.0.1:{secure.port}&ca={ours.ca}", {}),
                ("by AWS' own file", f"s3://{secure.bucket}/tls", {"AWS_CONFIG_FILE": f"{folder}/aws-config"})]
        for i, (way, where, more) in enumerate(ways):
            status, said = backup(f"way{i}", where, **more)
            cases.check(f"the right CA, {way}", status == 0 and "verified" in said, said[-400:])
        status, said = cairn("restore", f"--from={place}", f"--ca-bundle={ours.ca}", "--list", env=env)
        cases.check("the right CA by a flag; all went to one place", said.split() == ["way0", "way1", "way2", "way3"], said[-300:])
        refused(cases, secure, backup, ours, theirs, names)
        status, said = cairn("backup", data, f"--to=s3://{secure.bucket}/x?endpoint=http://localhost:{secure.port}", env=env)
        cases.check("without TLS on a port of TLS", status == 1 and "HTTPS" in said, said[-300:])
    status, said = cairn("backup", data, f"--to={s3.place('x').replace('http:', 'https:')}", env=dict(env, AWS_MAX_ATTEMPTS="2"))
    cases.check("TLS on a port without", status == 1 and "say http://" in said, said[-300:])


def refused(cases, secure, backup, ours, theirs, names):
    """The fronts would pass everything on: only the certificate is in the way."""
    rows = [("another CA's", theirs.sign("stranger", names), ours.ca, f"not signed by a CA in {ours.ca}"),
            ("no CA that this machine has", ours.sign("unknown", names), "", "--ca-bundle"),
            ("for another name", ours.sign("elsewhere", ["DNS:s3.example"]), ours.ca, "get a certificate for localhost"),
            ("expired", ours.sign("old", names, -10, -1), ours.ca, "has expired"),
            ("not valid yet", ours.sign("new", names, 1, 10), ours.ca, "set this machine's clock")]
    plain = PlainWay(secure)
    for what, certificate, ca, text in rows:
        with Front(plain, certificate) as front:
            began = time.monotonic()
            status, said = backup("refused", front.place("tls", "localhost"), **({"AWS_CA_BUNDLE": ca} if ca else {}))
            cases.check(f"a certificate {what} is refused at once", status == 1 and text in said and time.monotonic() - began < 5, said[-400:])
            cases.check(f"a certificate {what}: nothing was sent", not front.seen, str(front.seen))
    with Front(plain, ours.sign("narrow", ["DNS:localhost"])) as front:
        status, said = backup("refused", front.place("tls", "localhost") + "&style=virtual", AWS_CA_BUNDLE=ours.ca)
        cases.check("a certificate without the bucket's name", status == 1 and "style=path" in said, said[-400:])
    status, said = backup("refused", secure.place("tls"), AWS_CA_BUNDLE="/nonexistent.pem")
    cases.check("a CA file that is not there", status == 1 and "/nonexistent.pem" in said, said[-400:])


class PlainWay:
    """What a front needs to know of a server; nothing reaches it here."""

    def __init__(self, secure):
        self.bucket, self.port = secure.bucket, secure.port
