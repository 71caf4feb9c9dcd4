#!/usr/bin/env python3
"""The list of what is inside, as CycloneDX 1.5 JSON: the program, the Debian libraries that go with it and the npm packages whose code
is in the web app, each with version, licence and source.

Usage: deploy/image/sbom.py PROGRAM OUT
"""
import base64
import datetime
import json
import os
import re
import uuid

import contents
from contents import TOP, Refused

# Besides permissive licences: the LGPL, whose libraries stay replaceable files, and the exception that libgcc and libstdc++ carry.
ACCEPTED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BlueOak-1.0.0", "HPND", "ISC", "MIT", "OLDAP-2.8", "Zlib",
    "blessing", "curl", "LicenseRef-public-domain", "LGPL-2.0-or-later", "LGPL-2.1-or-later", "LGPL-3.0-or-later",
    "GPL-3.0-or-later WITH GCC-exception-3.1",
}
# Data that no program is linked with: certificates' file under MPL, Debian's scripts (which stay behind) under the GPL.
ACCEPTED_DATA = {"ca-certificates": "MPL-2.0 AND GPL-2.0-or-later"}


def accepted(name, expression):
    """Of a choice one must be accepted; of a conjunction every one."""
    if ACCEPTED_DATA.get(name) == expression:
        return True
    alternatives = expression.strip("()").split(" OR ")
    return any(all(part in ACCEPTED for part in a.split(" AND ")) for a in alternatives)


def licence_table():
    table = {}
    with open(f"{TOP}/deploy/image/licences.txt", encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, expression, words = (part.strip() for part in line.split("|"))
                table[name] = (expression, words)
    return table


def licence_of(pkg, table):
    if pkg.name not in table:
        raise Refused(f"{pkg.name}: read {pkg.copyright} and add its licence to deploy/image/licences.txt")
    expression, words = table[pkg.name]
    if words not in contents.read(pkg.copyright).decode("utf-8", "replace"):
        raise Refused(f"{pkg.name}: {pkg.copyright} no longer has the words \"{words}\": read it again (deploy/image/licences.txt)")
    if not accepted(pkg.name, expression):
        raise Refused(f"{pkg.name}: {expression} is neither permissive nor the LGPL")
    return expression


def debian_component(pkg, table):
    ref = f"pkg:deb/debian/{pkg.name}@{pkg.version.replace('+', '%2B').replace(':', '%3A')}?arch={pkg.arch}&distro=debian-12"
    return {
        "type": "library" if pkg.name.startswith(("lib", "zlib")) else "data", "bom-ref": ref, "name": pkg.name,
        "version": pkg.version, "licenses": [{"expression": licence_of(pkg, table)}], "purl": ref,
        "supplier": {"name": re.sub(r" <.*", "", pkg.maintainer)},
        "properties": [{"name": "cairn:debian:source", "value": f"{pkg.source} {pkg.source_version}"}],
    }


def npm_component(path, entry):
    name = path.split("node_modules/")[-1]
    expression = entry.get("license")
    if not expression:
        raise Refused(f"{name}: ui/package-lock.json names no licence for it")
    if not accepted(name, expression):
        raise Refused(f"{name}: {expression} is neither permissive nor the LGPL")
    purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": entry["version"],
                 "licenses": [{"expression": expression}], "purl": purl}
    if "integrity" in entry:
        kind, _, digest = entry["integrity"].partition("-")
        component["hashes"] = [{"alg": {"sha512": "SHA-512", "sha1": "SHA-1"}[kind], "content": base64.b64decode(digest).hex()}]
    return component


def npm_components():
    """The packages of package-lock.json that are not for development only: their code may be in the page."""
    with open(f"{TOP}/ui/package-lock.json", encoding="utf-8") as f:
        lock = json.load(f)["packages"]
    return [npm_component(path, entry) for path, entry in sorted(lock.items())
            if path and not entry.get("dev") and not entry.get("optional")]


def bill(program, data_packages=()):
    """The whole document. Two runs over the same inputs give the same bytes."""
    table = licence_table()
    pkgs = contents.packages(contents.libraries(program)) + contents.packages_named(data_packages, contents.native())
    parts = [debian_component(p, table) for p in pkgs] + npm_components()
    number, when = contents.version(), datetime.datetime.fromtimestamp(contents.epoch(), datetime.timezone.utc)
    ref = f"pkg:generic/cairn@{number}?arch={contents.program_arch(program)}"
    inside = json.dumps([ref, contents.revision(), parts], sort_keys=True)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, inside)}",
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": ref, "name": "cairn", "version": number, "purl": ref,
                          "licenses": [{"expression": "Apache-2.0"}],
                          "properties": [{"name": "cairn:revision", "value": contents.revision()}]},
        },
        "components": parts,
        "dependencies": [{"ref": ref, "dependsOn": sorted(p["bom-ref"] for p in parts)}],
    }


def encoded(document):
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def main(args):
    if len(args) != 2:
        raise Refused("usage: sbom.py PROGRAM OUT")
    with open(args[1], "wb") as f:
        f.write(encoded(bill(args[0])))
    print(os.path.relpath(args[1]))


if __name__ == "__main__":
    contents.main_of(main)
