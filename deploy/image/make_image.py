#!/usr/bin/env python3
"""Makes the container image without a container engine: the program, the shared libraries it needs, certificates, time zones, an
account that is not root, and nothing else (no shell, no package manager). One image for each program given, in one index.

Usage: deploy/image/make_image.py OUT PROGRAM...
Leaves OUT/image (an OCI image layout) and OUT/cairn-VERSION-image.tar (the same as an oci-archive).
"""
import datetime
import json
import os
import shutil
import tempfile

import contents
import notices
import oci
import sbom
from contents import Refused

USER = 65532  # the number that images without an account of their own have come to use for "nonroot"
PORTS = (3000, 3100, 5000, 9080, 9090)
COMPRESSED_MAX_BYTES = 30_000_000
DATA_PACKAGES = ("ca-certificates", "tzdata")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\ncairn:x:{0}:{0}:Cairn:/data:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ncairn:x:{0}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def labels():
    return {
        "org.opencontainers.image.title": "cairn",
        "org.opencontainers.image.description": "metrics, logs and dashboards in one small program",
        "org.opencontainers.image.version": contents.version(),
        "org.opencontainers.image.revision": contents.revision(),
        "org.opencontainers.image.created": created(),
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.base.name": "scratch",
    }


def created():
    return datetime.datetime.fromtimestamp(contents.epoch(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def config():
    return {
        "User": f"{USER}:{USER}", "WorkingDir": "/data", "Volumes": {"/data": {}}, "StopSignal": "SIGTERM",
        "Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/cairn"], "Cmd": ["serve", "--data=/data", "--listen=0.0.0.0"],
        "ExposedPorts": {f"{port}/tcp": {} for port in PORTS}, "Labels": labels(),
        # Not in the OCI specification; engines that know health checks read it from here.
        "Healthcheck": {"Test": ["CMD", "/usr/bin/cairn", "health"], "Interval": 30_000_000_000, "Timeout": 10_000_000_000,
                        "StartPeriod": 30_000_000_000, "Retries": 3},
    }


def zones(tree):
    """Time zones, less the two copies in other forms (posix, right) and the tables that only programs choosing a zone read."""
    top = "/usr/share/zoneinfo"
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in ("posix", "right"))
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.path.realpath(path)
                if target.startswith(top):
                    tree.link(path[1:], os.path.relpath(target, folder))
            elif contents.read(path)[:4] == b"TZif":
                tree.file(path[1:], contents.read(path))


def status(pkg):
    """What a scanner for known weaknesses reads: Debian's own record of the package."""
    source = f"Source: {pkg.source} ({pkg.source_version})\n"
    return (f"Package: {pkg.name}\nStatus: install ok installed\nMaintainer: {pkg.maintainer}\nArchitecture: {pkg.arch}\n"
            f"{source}Version: {pkg.version}\nDescription: {pkg.name}\n").encode()


def base_layer(libs, arch, when):
    """Everything that stays the same while only the program changes."""
    loader, triplet, _ = contents.MACHINES[arch]
    tree = oci.Tree(when)
    for folder in ("lib", "lib64"):
        tree.link(folder, f"usr/{folder}")
    for lib in libs:
        place = f"usr{loader}" if lib.soname == os.path.basename(loader) else f"usr/lib/{triplet}/{lib.soname}"
        tree.file(place, contents.read(lib.path), mode=0o755)
    tree.folder("usr/lib64")
    pkgs = contents.packages(libs) + contents.packages_named(DATA_PACKAGES, contents.native())
    for path, data in {**contents.notices(pkgs), notices.PATH: notices.web()}.items():
        tree.file(path, data)
    for pkg in pkgs:
        tree.file(f"var/lib/dpkg/status.d/{pkg.name}", status(pkg))
    tree.file("etc/ssl/certs/ca-certificates.crt", contents.read("/etc/ssl/certs/ca-certificates.crt"))
    tree.file("usr/lib/os-release", contents.read("/usr/lib/os-release"))
    tree.link("etc/os-release", "../usr/lib/os-release")
    zones(tree)
    for path, text in ACCOUNTS.items():
        tree.file(path, text.format(USER).encode())
    tree.folder("tmp", mode=0o1777)
    tree.folder("data", mode=0o750, owner=USER)
    return tree


def program_layer(program, arch, when):
    tree = oci.Tree(when)
    with tempfile.TemporaryDirectory() as work:
        tree.file("usr/bin/cairn", contents.stripped(program, arch, work), mode=0o755)
    tree.file("usr/share/doc/cairn/sbom.cdx.json", sbom.encoded(sbom.bill(program, DATA_PACKAGES)))
    return tree


def add(layout, program, when):
    arch = contents.program_arch(program)
    layers = [("libraries, certificates, time zones, account", base_layer(contents.libraries(program), arch, when)),
              ("cairn", program_layer(program, arch, when))]
    descriptor = layout.image(arch, layers, config(), created(), labels())
    size = sum(layer["size"] for layer in json.loads(layout.blobs[descriptor["digest"]])["layers"])
    if size > COMPRESSED_MAX_BYTES:
        raise Refused(f"the {arch} image is {size} bytes compressed, more than {COMPRESSED_MAX_BYTES}: see what contents.libraries finds")
    print(f"{arch}: {size / 1e6:.1f} MB compressed")
    return descriptor


def main(args):
    if len(args) < 2:
        raise Refused("usage: make_image.py OUT PROGRAM...")
    out, when = args[0], contents.epoch()
    layout = oci.Layout()
    layout.tag(f"cairn:{contents.version()}", [add(layout, program, when) for program in args[1:]], labels())
    tree = layout.tree(when)
    shutil.rmtree(f"{out}/image", ignore_errors=True)
    os.makedirs(f"{out}/image")
    oci.write_files(tree, f"{out}/image")
    archive = f"{out}/cairn-{contents.version()}-image.tar"
    with open(archive, "wb") as f:
        f.write(tree.tar())
    print(archive)


if __name__ == "__main__":
    contents.main_of(main)
