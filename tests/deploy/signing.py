#!/usr/bin/env python3
"""The user data's own calls of AWS: the part of each rendered cairn-bootstrap that fetches the certificate and the password is run as it
stands, with this machine's curl (Debian 12's is the one that counts), against a metadata service and against moto, which recomputes every
signature with AWS' own library. Prints "N passed, N failed".

Usage: signing.py USER_DATA    the folder that user_data.py wrote
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from aws_server import AwsServer, aws_python  # noqa: E402
from certs import Authority  # noqa: E402
from metadata import Agent  # noqa: E402
from stack import Cases  # noqa: E402

REGION, SECRET, PARAMETER, PASSWORD = "eu-north-1", "cairn-tls-AbCdEf", "/cairn/admin-password", "correct \"horse\" battery\\staple"
CERTIFICATE = {"ca": "the CA", "certificate": "the certificate", "key": "the key"}
# What a machine of one's own has not: the group cairn, the system's list of certificates, time.
SHIMS = """
install() {
    local words=()
    while [ $# -gt 0 ]; do
        case $1 in -o | -g) shift ;; *) words+=("$1") ;; esac
        shift
    done
    command install "${words[@]}"
}
update-ca-certificates() { :; }
sleep() { :; }
"""


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def statements(policies):
    """Of policies that stand one after the other."""
    found = []
    while policies.strip():
        policy, end = json.JSONDecoder().raw_decode(policies.strip())
        policies = policies.strip()[end:]
        found += policy["Statement"]
    return found


class Node:
    """One node's script and files, in a folder of its own."""

    def __init__(self, work, tree, name):
        self.root, self.name = f"{work}/{name}", name
        shutil.copytree(tree, self.root)
        os.makedirs(f"{self.root}/usr/local/share/ca-certificates", exist_ok=True)
        os.makedirs(f"{self.root}/state")
        script = text(f"{tree}/usr/local/sbin/cairn-bootstrap")
        head = script[:script.index('\nmkdir -p "$state/packages"')]
        calls = script[script.index("# A call with this instance's"):script.index('rm -f "$state/answer" "$state/part"')]
        self.script = (head + "\n" + SHIMS + calls).replace("/var/lib/cairn-bootstrap", f"{self.root}/state")
        for folder in ("/etc/", "/usr/local/share/"):
            self.script = self.script.replace(folder, f"{self.root}{folder}")
        self.password = 'parameter="/' in self.script

    def run(self, ca, agent, aws):
        """(exit status, what the console shows, what curl sent). Only the names of AWS lead elsewhere than on an instance."""
        home = f"{self.root}/home"
        os.makedirs(home, exist_ok=True)
        places = {"169.254.169.254:80": agent.url.split("//")[1]}
        places |= {f"{service}.{REGION}.amazonaws.com:443": f"127.0.0.1:{aws.port}" for service in ("secretsmanager", "ssm")}
        lines = [f'connect-to = "{name}:{place}"' for name, place in places.items()]
        trace = f"{home}/trace"
        with open(f"{home}/.curlrc", "w", encoding="utf-8") as f:
            f.write("\n".join([*lines, f'cacert = "{ca}"', f'trace-ascii = "{trace}"', ""]))
        env = {"PATH": os.environ["PATH"], "HOME": home, "CURL_HOME": home, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "-c", self.script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=120)
        # A trace has 64 characters a line, each with its offset before.
        return done.returncode, done.stdout, re.sub(r"\n[0-9a-f]{4}: ", "", text(trace)) if os.path.exists(trace) else ""


def right(cases, node, status, said, sent):
    """What a node with its own keys has afterwards."""
    cases.check(f"{node.name}: AWS takes the signed calls", status == 0, said[-600:])
    if status != 0:
        return
    tls = {part: text(f"{node.root}/etc/cairn/tls/{part}.pem").strip() for part in CERTIFICATE}
    cases.check(f"{node.name}: certificate and key are the secret's", tls == CERTIFICATE, tls)
    mode = os.stat(f"{node.root}/etc/cairn/tls/key.pem").st_mode & 0o777
    cases.check(f"{node.name}: the key is not everybody's", mode == 0o640, oct(mode))
    signed = re.search(r"SignedHeaders=([a-z0-9;-]*)", sent)
    cases.check(f"{node.name}: the session's token is signed too", signed and "x-amz-security-token" in signed.group(1).split(";"), signed)
    if node.password:
        kept = text(f"{node.root}/etc/grafana/admin_password").strip()
        cases.check(f"{node.name}: the password is the parameter's", kept == PASSWORD, kept)
        cases.check(f"{node.name}: grafana.ini leads to it", "admin_password = $__file{" in text(f"{node.root}/etc/grafana/grafana.ini"))
    cases.check(f"{node.name}: no secret is on the console", PASSWORD not in said and CERTIFICATE["key"] not in said, said)


def wrong(cases, node, agent, session, run):
    """Keys that are not right are refused, and the console says by whom, why and at which step."""
    key, secret, token = session
    step = "the administrator's password from Parameter Store" if node.password else "the certificate from Secrets Manager"
    step = "the certificate from Secrets Manager" if 'certificate_from="arn' in node.script else step
    rows = [("another's secret", (key, secret[:-1] + ("A" if secret[-1] != "A" else "B"), token), "node", "SignatureDoesNotMatch"),
            ("another session's token", (key, secret, token[:-4] + "AAAA"), "node", "InvalidClientTokenId"),
            ("a key that nobody has", ("ASIAAAAAAAAAAAAAAAAA", secret, token), "node", "InvalidClientTokenId"),
            ("an instance without a role", session, "", "no keys")]
    for what, agent.session, agent.role, reason in rows:
        status, said, _ = run(node)
        cases.check(f"{what}: refused, and said", status != 0 and reason in said, said[-600:])
        cases.check(f"{what}: the step is named", f"cairn-bootstrap: FAILED at: {step}" in said, said[-300:])
    agent.role = "node"


def main():
    python, trees = aws_python(), sys.argv[1]
    if not python:
        print("skipped: the user data's calls of AWS: moto cannot be had from PyPI")
        return 0
    cases, found = Cases(), sorted(n[:-9] for n in os.listdir(trees) if n.endswith(".policies") and f"arn:aws:secretsmanager:{REGION}" in text(f"{trees}/{n}"))
    names = [n for i, n in enumerate(found) if n.split("-")[0] not in {m.split("-")[0] for m in found[:i]}]  # one of each role
    cases.check("four roles ask AWS", len(names) == 4, names)
    roles = {n: {"trust": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
                 "statements": statements(text(f"{trees}/{n}.policies"))} for n in names}
    roles["stranger"] = {**roles[names[0]], "statements": []}
    with tempfile.TemporaryDirectory(prefix="cairn-signing-") as work:
        authority = Authority(f"{work}/ca")
        certificate = authority.sign("aws", [f"DNS:{s}.{REGION}.amazonaws.com" for s in ("secretsmanager", "ssm")])
        with Agent() as agent, AwsServer(python, f"{work}/moto", REGION, certificate, roles=roles, secrets={SECRET: json.dumps(CERTIFICATE)},
                                         parameters={PARAMETER: PASSWORD}) as aws:
            def run(node):
                return node.run(authority.ca, agent, aws)

            agent.role = "node"
            for name in names:
                node = Node(work, f"{trees}/{name}", name)
                agent.session = aws.made["sessions"][name]
                right(cases, node, *run(node))
            last = Node(work, f"{trees}/{names[-1]}", "last")
            wrong(cases, last, agent, aws.made["sessions"][names[-1]], run)
            agent.session = aws.made["sessions"]["stranger"]
            status, said, _ = run(last)
            cases.check("a role without the policy gets nothing", status != 0 and "AccessDenied" in said, said[-600:])
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
