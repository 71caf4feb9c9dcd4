#!/usr/bin/env python3
"""What AWS answers to an instance, for tests/deploy/boot.py: the metadata service (version 2 only), Secrets Manager, Parameter Store, the
bucket with Session Manager's agent, and the resolver of a private zone. Whoever asks is known by his address; the credentials that he gets
may do what his role's policies say and nothing else, and every call must be signed with them.

Usage: aws.py WORLD.json    The file is read again at every question: {address, region, certificate, key, names, roles, secrets, parameters,
parameter_arn, bucket, log}; `roles` maps an address to {name, statements}. Meant for a network namespace of its own that has 169.254.169.254 and `address`.
"""
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import threading

METADATA = "169.254.169.254"
# Who is asked by which X-Amz-Target.
SERVICES = {"secretsmanager": "secretsmanager", "AmazonSSM": "ssm"}
tokens, keys = set(), {}  # tokens of the metadata service; access key id -> {address, secret, token}


def world():
    with open(sys.argv[1], encoding="utf-8") as f:
        return json.load(f)


def note(text):
    with open(world()["log"], "a", encoding="utf-8") as f:
        f.write(text + "\n")


# -- names

def dns_answer(question, names):
    """One question of type A; any other type has no answer, an unknown name does not exist."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind = struct.unpack("!H", question[at + 1:at + 3])[0]
    address = names.get(".".join(labels).lower())
    found = address is not None and kind == 1
    flags = 0x8580 if address is not None else 0x8583
    head = question[:2] + struct.pack("!HHHHH", flags, 1, int(found), 0, 0) + question[12:at + 5]
    return head + (b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if found else b"")


def dns_serve(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, 53))
        while True:
            question, peer = s.recvfrom(4096)
            s.sendto(dns_answer(question, world()["names"]), peer)


# -- the metadata service

class Metadata(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        if self.path != "/latest/api/token" or "X-aws-ec2-metadata-token-ttl-seconds" not in self.headers:
            self.answer(400)
            return
        token = secrets.token_urlsafe(24)
        tokens.add(token)
        self.answer(200, token)

    def do_GET(self):
        role = world()["roles"].get(self.client_address[0])
        folder = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") not in tokens:
            note(f"{self.client_address[0]} metadata without a token")
            self.answer(401)
        elif role and self.path == folder:
            self.answer(200, role["name"])
        elif role and self.path == folder + role["name"]:
            mine = {"AccessKeyId": "ASIA" + secrets.token_hex(8).upper(), "SecretAccessKey": secrets.token_urlsafe(30),
                    "Token": base64.b64encode(secrets.token_bytes(900)).decode()}
            keys[mine["AccessKeyId"]] = {"address": self.client_address[0], **mine}
            now = datetime.datetime.now(datetime.timezone.utc)
            self.answer(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                                         "Expiration": (now + datetime.timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"), **mine}))
        else:
            self.answer(404)

    def log_message(self, *_):
        pass


# -- services

def signer(headers, method, path, body, service, region):
    """The address that the call's credentials were given to, or None: signature version 4 with session token."""
    try:
        scheme, rest = headers["Authorization"].split(" ", 1)
        parts = dict(p.strip().split("=", 1) for p in rest.split(","))
        key_id, day, where, what, end = parts["Credential"].split("/")
        key = keys[key_id]
        signed = parts["SignedHeaders"].split(";")
        lines = [f"{name}:{' '.join(headers[name].split())}" for name in signed]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    needed = {"host", "x-amz-date", "x-amz-security-token", "x-amz-target"}
    if scheme != "AWS4-HMAC-SHA256" or (where, what, end) != (region, service, "aws4_request") or not needed <= set(signed):
        return None
    canonical = "\n".join([method, path, "", *lines, "", ";".join(signed), hashlib.sha256(body).hexdigest()])
    text = "\n".join([scheme, headers["X-Amz-Date"], f"{day}/{where}/{what}/{end}", hashlib.sha256(canonical.encode()).hexdigest()])
    digest = ("AWS4" + key["SecretAccessKey"]).encode()
    for part in (day, where, what, end, text):
        digest = hmac.new(digest, part.encode(), hashlib.sha256).digest()
    right = hmac.compare_digest(digest.hex(), parts["Signature"]) and headers["X-Amz-Security-Token"] == key["Token"]
    return key["address"] if right else None


def allowed(role, action, arn):
    return any(s["Effect"] == "Allow" and s["Action"] == action and s["Resource"] == arn for s in role["statements"])


def service_answer(state, target, asked):
    """(status, answer) of a call that is allowed."""
    if target == "secretsmanager.GetSecretValue" and asked["SecretId"] in state["secrets"]:
        return 200, {"ARN": asked["SecretId"], "Name": "cairn-tls", "SecretString": state["secrets"][asked["SecretId"]]}
    if target == "AmazonSSM.GetParameter" and asked["Name"] in state["parameters"] and asked.get("WithDecryption"):
        return 200, {"Parameter": {"Name": asked["Name"], "Type": "SecureString", "Value": state["parameters"][asked["Name"]], "Version": 1}}
    return 400, {"__type": "ResourceNotFoundException", "message": f"{target} of that is not here"}


class Service(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/x-amz-json-1.1"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        body = world()["bucket"].get(f"{self.headers['Host']}{self.path}")
        if body is None:
            self.answer(404, b"", "application/xml")
        else:
            with open(body, "rb") as f:
                self.answer(200, f.read(), "application/octet-stream")

    def do_POST(self):
        state, target = world(), self.headers.get("X-Amz-Target", "")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        service = SERVICES.get(target.split(".")[0], "?")
        address = signer(self.headers, "POST", self.path, body, service, state["region"])
        if self.headers["Host"] != f"{service}.{state['region']}.amazonaws.com" or address != self.client_address[0]:
            note(f"{self.client_address[0]} {target} with a wrong signature")
            self.answer(400, b'{"__type": "InvalidSignatureException", "message": "the signature is not right"}')
            return
        asked = json.loads(body)
        what = asked.get("SecretId") or asked.get("Name", "")
        arn = what if what.startswith("arn:") else f"{state['parameter_arn']}{what}"
        action = f"{service}:{target.split('.')[1]}"
        if not allowed(state["roles"][address], action, arn):
            note(f"{address} {action} refused")
            self.answer(400, json.dumps({"__type": "AccessDeniedException", "message": f"no policy allows {action} on {arn}"}).encode())
            return
        note(f"{address} {action}")
        status, found = service_answer(state, target, asked)
        self.answer(status, json.dumps(found).encode())

    def log_message(self, *_):
        pass


def main():
    state = world()
    metadata = http.server.ThreadingHTTPServer((METADATA, 80), Metadata)
    services = http.server.ThreadingHTTPServer((state["address"], 443), Service)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(state["certificate"], state["key"])
    services.socket = context.wrap_socket(services.socket, server_side=True, do_handshake_on_connect=False)
    for serve in (metadata.serve_forever, services.serve_forever):
        threading.Thread(target=serve, daemon=True).start()
    print("ready", flush=True)
    dns_serve(state["address"])


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
