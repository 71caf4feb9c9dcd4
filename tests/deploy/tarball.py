#!/usr/bin/env python3
"""The tarball for other distributions: each role answering from it in a root without a single library, with one static busybox for a
shell. Further roots (of a distribution, as debootstrap makes them) may be named.

Usage: tests/deploy/tarball.py [ROOT...]    needs root and busybox-static
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from room import USER, Room, check_roles, check_stop, enter  # noqa: E402
from stack import PROGRAM, ROOT, Cases  # noqa: E402

BUSYBOX = "/bin/busybox"


def bare_root(work):
    root = f"{work}/bare"
    os.makedirs(f"{root}/bin")
    shutil.copy(BUSYBOX, f"{root}/bin/busybox")
    for command in ("sh", "readlink"):
        os.symlink("busybox", f"{root}/bin/{command}")
    return root


def run_it(cases, tarball, root):
    for folder in ("opt", "data", "usr/local/bin", "tmp"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    os.chown(f"{root}/data", USER, USER)
    subprocess.run(["tar", "xzf", tarball, "-C", f"{root}/opt"], check=True)
    top, = (n for n in os.listdir(f"{root}/opt") if n.startswith("cairn-"))
    # Through a link, as one puts it on the path.
    link = f"{root}/usr/local/bin/cairn"
    if os.path.lexists(link):
        os.remove(link)
    os.symlink(f"../../../opt/{top}/bin/cairn", link)
    with Room(root, ["/usr/local/bin/cairn", "serve", "--data=/data"], env={"PATH": "/bin:/usr/bin"}) as room:
        check_roles(cases, room)
        with open(f"/proc/{room.process.pid}/comm", encoding="utf-8") as f:
            cases.check("ps shows cairn", f.read().strip() == "cairn")
        with open(f"/proc/{room.process.pid}/maps", encoding="utf-8") as f:
            mapped = {line.split()[-1] for line in f if "/" in line}
        strangers = [m for m in mapped if ".so" in m and f"/opt/{top}/" not in m]
        cases.check("no library of the system is loaded", not strangers, strangers)
        check_stop(cases, room)


def main():
    cases = Cases()
    work = tempfile.mkdtemp(prefix="cairn-tarball-")
    try:
        subprocess.run([f"{ROOT}/deploy/image/make_tarball.py", work, PROGRAM], check=True, capture_output=True)
        tarball, = (f"{work}/{name}" for name in os.listdir(work))
        for root in [bare_root(work), *sys.argv[1:]]:
            cases.run(f"it runs in {os.path.basename(root)}", run_it, cases, tarball, root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


enter()
sys.exit(main())
