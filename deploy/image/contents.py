"""What goes with the program when it leaves for a machine that is not this one: the shared libraries it needs and nothing else,
found from the dynamic sections as the loader would, each with the Debian package it came from.

Everything here is a function of the program and of the installed packages; nothing depends on the time, the user or the folder.
"""
import functools
import os
import re
import subprocess
import sys
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MACHINES = {  # Debian's name of an architecture: the loader, the folder of libraries, the prefix of its binutils
    "amd64": ("/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu", "x86_64-linux-gnu-"),
    "arm64": ("/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu", "aarch64-linux-gnu-"),
}


class Refused(Exception):
    """Says what is wrong and what to do about it."""


def run(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    except FileNotFoundError:
        raise Refused(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as e:
        raise Refused(f"{' '.join(command)}: {e.stderr.strip() or e.stdout.strip()}") from None


def read(path):
    with open(path, "rb") as f:
        return f.read()


@functools.cache
def version():
    with open(f"{TOP}/CMakeLists.txt", encoding="utf-8") as f:
        return re.search(r"^project\(cairn VERSION ([0-9.]+)", f.read(), re.M).group(1)


@functools.cache
def revision():
    return run("git", "-C", TOP, "rev-parse", "HEAD").strip()


@functools.cache
def epoch():
    """The one time in everything that is made: SOURCE_DATE_EPOCH, or the last commit's."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "-C", TOP, "log", "-1", "--format=%ct"))


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    arch: str
    source: str
    source_version: str
    maintainer: str

    @property
    def copyright(self):
        """Its copyright file; on this machine also for another architecture, whose package is made of the same source."""
        return f"/usr/share/doc/{self.name}/copyright"


@dataclass(frozen=True)
class Library:
    soname: str  # as the loader asks for it
    path: str  # the file on this machine
    package: Package


def program_arch(program):
    header = run("readelf", "-h", program)
    for arch, machine in (("amd64", "X86-64"), ("arm64", "AArch64")):
        if re.search(rf"Machine:.*{machine}", header):
            return arch
    raise Refused(f"{program} is neither an amd64 nor an arm64 program")


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-dW", path))


@functools.cache
def native():
    return run("dpkg", "--print-architecture").strip()


def root_of(arch):
    """Where an architecture's libraries are: this machine, or what deploy/packages/sysroot.sh unpacked for the cross compiler."""
    return "" if arch == native() else f"{TOP}/build/sysroot-{arch}"


def find(soname, arch):
    for folder in (f"/usr/lib/{MACHINES[arch][1]}", "/usr/lib", "/usr/lib64"):
        path = f"{root_of(arch)}{folder}/{soname}"
        if os.path.exists(path):
            return os.path.realpath(path)
    raise Refused(f"{soname} for {arch} is not in {root_of(arch)}/usr/lib: install the packages that the program was built with")


def owners(paths, arch):
    """path -> the package it came from. Debian 12 has /lib and /usr/lib in one folder and packages that name either."""
    spelled = {form: path for path in paths for at in [path.removeprefix(root_of(arch))] for form in (at, at.removeprefix("/usr"))}
    said = subprocess.run(["dpkg", f"--admindir={root_of(arch)}/var/lib/dpkg", "-S", *spelled], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    names = {}
    for line in said.stdout.splitlines():
        name, _, form = line.partition(": ")
        names[spelled[form]] = name.split(",")[0]
    for path in paths:
        if path not in names:
            raise Refused(f"{path} comes from no Debian package, so nothing says what it is licensed under")
    distinct = sorted(set(names.values()))
    known = dict(zip(distinct, packages_named(distinct, arch)))
    return {path: known[names[path]] for path in paths}


def packages_named(names, arch):
    """What dpkg knows of installed packages, in the order asked for."""
    fields = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Maintainer}\n"
    known = {}
    for line in run("dpkg-query", f"--admindir={root_of(arch)}/var/lib/dpkg", "-W", f"-f={fields}", *names).splitlines():
        found = Package(*line.split("\t"))
        known[found.name] = known[f"{found.name}:{found.arch}"] = found
    return [known[name] for name in names]


@functools.cache
def libraries(program):
    """Every shared library the program needs, directly or through another, the loader included; sorted by name."""
    arch = program_arch(program)
    found, wanted = {}, [*needed(program), os.path.basename(MACHINES[arch][0])]
    while wanted:
        soname = wanted.pop()
        if soname not in found:
            found[soname] = find(soname, arch)
            wanted += needed(found[soname])
    owner = owners(found.values(), arch)
    return [Library(soname, found[soname], owner[found[soname]]) for soname in sorted(found)]


def packages(libs):
    return sorted({lib.package for lib in libs}, key=lambda p: p.name)


def stripped(program, arch, work):
    """The program without symbols, the bytes that the Debian package has too."""
    out = os.path.join(work, f"cairn-{arch}")
    run("strip" if arch == native() else MACHINES[arch][2] + "strip", "--strip-unneeded", "--remove-section=.comment", "-o", out, program)
    return read(out)


def notices(pkgs):
    """path -> bytes: what the libraries' licences ask to travel with them."""
    files = {f"usr/share/doc/{p.name}/copyright": read(p.copyright) for p in pkgs}
    for name in ("Apache-2.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-2", "LGPL-3"):
        files[f"usr/share/common-licenses/{name}"] = read(f"/usr/share/common-licenses/{name}")
    files["usr/share/doc/cairn/copyright"] = read(f"{TOP}/LICENSE")
    return files


def main_of(tool):
    """Runs a script's main; what it refuses is one line for a person."""
    try:
        tool(sys.argv[1:])
    except Refused as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}")
