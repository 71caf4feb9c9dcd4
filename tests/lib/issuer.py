"""An OpenID Connect issuer on a free loopback port, as a Kubernetes cluster is one: its keys, and tokens signed with them."""
import base64
import http.server
import json
import os
import subprocess
import threading
import time


def text64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """`token()` makes what a pod finds in AWS_WEB_IDENTITY_TOKEN_FILE."""

    AUDIENCE, SUBJECT = "sts.amazonaws.com", "system:serviceaccount:monitoring:cairn"

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.keys = {name: f"{folder}/{name}.pem" for name in ("own", "strange")}
        for path in self.keys.values():
            subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-noout", "-modulus", "-in", self.keys["own"]], check=True, capture_output=True, text=True).stdout
        key = {"kty": "RSA", "kid": "own", "use": "sig", "alg": "RS256", "e": "AQAB", "n": text64(bytes.fromhex(modulus.strip().split("=")[1]))}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                pages = {"/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys",
                                                               "id_token_signing_alg_values_supported": ["RS256"]}, "/keys": {"keys": [key]}}
                body = json.dumps(pages.get(self.path, {})).encode()
                self.send_response(200 if self.path in pages else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def token(self, ends_in_s=600, key="own", subject=SUBJECT, audience=AUDIENCE):
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + ends_in_s}
        signed = ".".join(text64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "own"}, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.keys[key]], check=True, capture_output=True, input=signed.encode()).stdout
        return f"{signed}.{text64(signature)}"
