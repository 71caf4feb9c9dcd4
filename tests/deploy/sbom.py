#!/usr/bin/env python3
"""The lists of what is inside: valid by CycloneDX' schema and SPDX' rules, the same twice, nothing missing that the loader would load, and no licence
that is neither permissive nor the LGPL. The schema check needs PyPI once (a venv in build/); where that cannot be had it says so.

Usage: tests/deploy/sbom.py
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, ROOT, Cases  # noqa: E402

sys.path.insert(0, f"{ROOT}/deploy/image")
import sbom  # noqa: E402
import spdx  # noqa: E402
from contents import Package, Refused  # noqa: E402

VALIDATORS = ("cyclonedx-python-lib[json-validation]==11.12.0", "spdx-tools==0.8.5")
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(str(error) if error else 0)
"""
VALIDATE_SPDX = """
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
errors = validate_full_spdx_document(parse_file(sys.argv[1]))
sys.exit("; ".join(e.validation_message for e in errors) if errors else 0)
"""


def validator():
    """A Python that has the validators, or None."""
    venv = f"{ROOT}/build/venv-sbom"
    python = f"{venv}/bin/python"
    try:
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *VALIDATORS], check=True, capture_output=True, timeout=240)
        return python
    except (OSError, subprocess.SubprocessError):
        return None


def made(work, name):
    subprocess.run([f"{ROOT}/deploy/image/sbom.py", PROGRAM, f"{work}/{name}"], check=True, capture_output=True)
    with open(f"{work}/{name}", encoding="utf-8") as f:
        return f.read()


def check_spdx(cases, python, path):
    """The other form, of the same parts."""
    with open(path, encoding="utf-8") as f:
        bill = json.load(f)
    other = spdx.document(bill)

    def valid(name, document):
        with open(f"{path}.{name}.spdx.json", "wb") as f:
            f.write(sbom.encoded(document))
        return subprocess.run([python, "-c", VALIDATE_SPDX, f"{path}.{name}.spdx.json"], capture_output=True, text=True, check=False)
    done = valid("good", other)
    cases.check("SPDX' rules accept it", done.returncode == 0, (done.stdout + done.stderr)[-500:])
    found = {(p["name"], p["versionInfo"]) for p in other["packages"]}
    cases.check("SPDX names the same parts", found == {(p["name"], p["version"]) for p in bill["components"] + [bill["metadata"]["component"]]})
    wrong = dict(other, packages=[dict(other["packages"][0], licenseDeclared="no such licence")] + other["packages"][1:])
    cases.check("and refuse a licence that is none", valid("wrong", wrong).returncode != 0)


def check_schema(cases, path):
    python = validator()
    if not python:
        print("skipped: CycloneDX' schema and SPDX' rules (no validators from PyPI)")
        return
    check_spdx(cases, python, path)
    valid = lambda p: subprocess.run([python, "-c", VALIDATE, p], capture_output=True, text=True, check=False)
    done = valid(path)
    cases.check("CycloneDX' schema accepts it", done.returncode == 0, done.stderr[:500])
    with open(path, encoding="utf-8") as f:
        wrong = json.load(f)
    del wrong["components"][0]["name"]
    with open(path + ".wrong", "w", encoding="utf-8") as f:
        json.dump(wrong, f)
    cases.check("and refuses a component without a name", valid(path + ".wrong").returncode != 0)


def check_complete(cases, names):
    """What ldd, another reader of the same program, finds must all be named; so must what the page is made of."""
    paths = re.findall(r"(/\S+\.so\S*) \(", subprocess.run(["ldd", PROGRAM], check=True, capture_output=True, text=True).stdout)
    spelled = {form for p in paths for q in (p, os.path.realpath(p)) for form in (q, q.removeprefix("/usr"))}
    said = subprocess.run(["dpkg", "-S", *spelled], check=False, capture_output=True, text=True).stdout
    owners = {line.split(":")[0] for line in said.splitlines()}
    cases.check("every library ldd finds is in it", len(owners) > 20 and owners <= names, sorted(owners - names))
    with open(f"{ROOT}/ui/package.json", encoding="utf-8") as f:
        direct = set(json.load(f)["dependencies"])
    cases.check("every dependency of the web app is in it", direct <= names, sorted(direct - names))


def refused(pkg, table):
    try:
        sbom.licence_of(pkg, table)
    except Refused:
        return True
    return False


def check_licences(cases, document):
    for part in document["components"]:
        expression = part["licenses"][0]["expression"]
        cases.check(f"{part['name']}: {expression}", sbom.accepted(part["name"], expression))
    zlib = Package("zlib1g", "1", "amd64", "zlib", "1", "someone")
    table = sbom.licence_table()
    cases.check("a library that nobody has read is refused", refused(zlib, {}))
    cases.check("the GPL is refused", refused(zlib, {"zlib1g": ("GPL-3.0-or-later", table["zlib1g"][1])}))
    cases.check("words that are no longer there are refused", refused(zlib, {"zlib1g": ("Zlib", "License: Proprietary")}))
    cases.check("one part of a conjunction is not enough", not sbom.accepted("x", "MIT AND GPL-2.0-only"))
    cases.check("one of a choice is", sbom.accepted("x", "(GPL-2.0-only OR MIT)"))


def main():
    cases = Cases()
    with tempfile.TemporaryDirectory() as work:
        text = made(work, "one.json")
        cases.check("made twice, the same bytes", text == made(work, "two.json"))
        document = json.loads(text)
        check_schema(cases, f"{work}/one.json")
        check_complete(cases, {part["name"] for part in document["components"]})
        check_licences(cases, document)
    return cases.finish()


sys.exit(main())
