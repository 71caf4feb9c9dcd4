#!/usr/bin/env python3
"""Makes cairn-VERSION-linux-ARCH.tar.gz, which runs on any Linux of that architecture: the program with every shared library it needs,
the C library and its loader included. It can be unpacked anywhere and needs only a shell.

Usage: deploy/image/make_tarball.py OUT PROGRAM
"""
import glob
import gzip
import os
import tempfile

import contents
import notices
import oci
import sbom
from contents import TOP, Refused


def fill(tree, top, program, arch):
    loader = os.path.basename(contents.MACHINES[arch][0])
    libs = contents.libraries(program)
    tree.file(f"{top}/bin/cairn", contents.read(f"{TOP}/deploy/image/launcher.sh"), mode=0o755)
    for lib in libs:
        place = "libexec/cairn" if lib.soname == loader else f"lib/{lib.soname}"
        tree.file(f"{top}/{place}", contents.read(lib.path), mode=0o755)
    with tempfile.TemporaryDirectory() as work:
        tree.file(f"{top}/lib/cairn-program", contents.stripped(program, arch, work), mode=0o755)
    for path, data in {**contents.notices(contents.packages(libs)), notices.PATH: notices.web()}.items():
        tree.file(f"{top}/{path.removeprefix('usr/')}", data)
    tree.file(f"{top}/share/doc/cairn/sbom.cdx.json", sbom.encoded(sbom.bill(program)))
    for name in ("README.md", "CHANGELOG.md"):
        tree.file(f"{top}/share/doc/cairn/{name}", contents.read(f"{TOP}/{name}"))
    for page in sorted(glob.glob(f"{TOP}/docs/man/*.1")):
        tree.file(f"{top}/share/man/man1/{os.path.basename(page)}.gz", gzip.compress(contents.read(page), mtime=0))


def main(args):
    if len(args) != 2:
        raise Refused("usage: make_tarball.py OUT PROGRAM")
    out, program = args
    arch = contents.program_arch(program)
    name = f"cairn-{contents.version()}-linux-{arch}"
    tree = oci.Tree(contents.epoch())
    fill(tree, name, program, arch)
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/{name}.tar.gz", "wb") as f:
        f.write(oci.gzipped(tree.tar()))
    print(f"{out}/{name}.tar.gz")


if __name__ == "__main__":
    contents.main_of(main)
