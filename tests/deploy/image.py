#!/usr/bin/env python3
"""The container image: every digest right, small, and each role answering in a root that holds the image and nothing else, as the
image's user. Engines' own tools judge the layout where they are installed.

Usage: tests/deploy/image.py [PROGRAM...]    default: build/cairn, and build-arm64/cairn where it was built. Needs root; what is
not for this machine is run by qemu.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import http.server

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from room import Room, check_roles, check_stop, check_zone, enter  # noqa: E402
from stack import PROGRAM, ROOT, Cases, free_port  # noqa: E402

COMPRESSED_MAX_BYTES = 30_000_000
ARM64 = f"{ROOT}/build-arm64/cairn"
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Layout:
    """Reads an image layout and refuses a blob that is not what its name says."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/index.json", encoding="utf-8") as f:
            self.index = json.load(f)

    def blob(self, descriptor):
        with open(f"{self.folder}/blobs/{descriptor['digest'].replace(':', '/')}", "rb") as f:
            data = f.read()
        assert len(data) == descriptor["size"], descriptor
        assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"], descriptor
        return data

    def manifests(self):
        return [json.loads(self.blob(m)) for m in json.loads(self.blob(self.index["manifests"][0]))["manifests"]]

    def layers(self, manifest):
        config = json.loads(self.blob(manifest["config"]))
        for descriptor, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            data = gzip.decompress(self.blob(descriptor))
            assert "sha256:" + hashlib.sha256(data).hexdigest() == diff, diff
            yield data

    def unpack(self, manifest, root):
        for data in self.layers(manifest):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(root, numeric_owner=True)


def check_layout(cases, layout):
    for manifest in layout.manifests():
        config = json.loads(layout.blob(manifest["config"]))
        arch, run = config["architecture"], config["config"]
        cases.run(f"{arch}: every digest is right", lambda m=manifest: all(layout.layers(m)))
        size = sum(d["size"] for d in manifest["layers"])
        cases.check(f"{arch}: under 30 MB compressed", size < COMPRESSED_MAX_BYTES, size)
        cases.check(f"{arch}: its user is a number and not root", int(run["User"].split(":")[0]) > 0, run["User"])
        cases.check(f"{arch}: /data is a volume", "/data" in run["Volumes"])
        cases.check(f"{arch}: it has a health check", run["Healthcheck"]["Test"][0] == "CMD")


def check_tools(cases, out, version):
    """skopeo and umoci, which share no code with us."""
    where = f"{out}/image:cairn:{version}"
    if shutil.which("skopeo"):
        said = subprocess.run(["skopeo", "inspect", f"oci:{where}"], capture_output=True, text=True, check=False)
        cases.check("skopeo reads it", said.returncode == 0 and json.loads(said.stdout)["Os"] == "linux", said.stderr)
        copied = subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{out}/cairn-{version}-image.tar", f"dir:{out}/copied"],
                                capture_output=True, text=True, check=False)
        cases.check("skopeo copies the archive", copied.returncode == 0, copied.stderr)
    if shutil.which("umoci") and shutil.which("skopeo"):
        # umoci knows no choice of architecture: skopeo takes this machine's out first.
        subprocess.run(["skopeo", "copy", "-q", f"oci:{where}", f"oci:{out}/single:one"], check=True, capture_output=True)
        done = subprocess.run(["umoci", "unpack", "--rootless", "--image", f"{out}/single:one", f"{out}/bundle"], capture_output=True,
                              text=True, check=False)
        cases.check("umoci unpacks it", done.returncode == 0 and os.path.exists(f"{out}/bundle/rootfs/usr/bin/cairn"), done.stderr)


def certificate(work, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=room", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", f"{work}/{name}.key", "-out", f"{work}/{name}.crt"],
                   check=True, capture_output=True)
    with open(f"{work}/{name}.crt", "rb") as f:
        return f.read()


def https_server(work, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{work}/{name}.crt", f"{work}/{name}.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"https://127.0.0.1:{server.server_address[1]}/"


def check_certificates(cases, room, work):
    """The image's file of certificates is the one that is used: an authority added to it is trusted, another is not."""
    for name, trusted in (("friend", True), ("stranger", False)):
        server, url = https_server(work, name)
        status, said = room.ask("health", f"--url={url}")
        cases.check(f"the server of a {name} is {'trusted' if trusted else 'refused'}", (status == 0) == trusted, said)
        server.shutdown()


def run_it(cases, layout, manifest, work):
    document = json.loads(layout.blob(manifest["config"]))
    arch, run = document["architecture"], document["config"]
    root = f"{work}/root-{arch}"
    layout.unpack(manifest, root)
    cases.check("no shell is inside", not os.path.exists(f"{root}/usr/bin/sh") and not os.path.exists(f"{root}/bin/sh"))
    certificate(work, "stranger")
    with open(f"{root}/etc/ssl/certs/ca-certificates.crt", "ab") as f:
        f.write(certificate(work, "friend"))
    env, runner = dict(e.split("=", 1) for e in run["Env"]), ()
    if MACHINE[arch] != os.uname().machine:
        runner = [f"/usr/bin/qemu-{MACHINE[arch]}-static"]
        shutil.copy(runner[0], f"{root}/usr/bin/")
    with Room(root, run["Entrypoint"] + run["Cmd"], env=env, runner=runner) as room:
        check_roles(cases, room)
        check_zone(cases, room)
        check_certificates(cases, room, work)
        cases.check("the health check passes", room.ask(*run["Healthcheck"]["Test"][2:])[0] == 0)
        check_stop(cases, room)


def main():
    programs, cases = sys.argv[1:] or [PROGRAM] + [ARM64] * os.path.exists(ARM64), Cases()
    work = tempfile.mkdtemp(prefix="cairn-image-")
    try:
        subprocess.run([f"{ROOT}/deploy/image/make_image.py", work, *programs], check=True, capture_output=True)
        layout = Layout(f"{work}/image")
        version = layout.index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"].split(":")[1]
        check_layout(cases, layout)
        check_tools(cases, work, version)
        for manifest in layout.manifests():
            cases.run("it runs shut in", run_it, cases, layout, manifest, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


enter()
sys.exit(main())
