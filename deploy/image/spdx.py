#!/usr/bin/env python3
"""The list of what is inside once more, as SPDX 2.3 JSON, for tools that read that: the same packages as sbom.py finds.

Usage: deploy/image/spdx.py PROGRAM OUT
"""
import os
import re

import contents
import sbom
from contents import Refused


def identifier(ref):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", ref)


def licence(expression):
    """SPDX' own spelling of what a component may be distributed under; "blessing" and the rest are names of its list."""
    return expression.strip("()") if expression.startswith("(") and expression.endswith(")") else expression


def package(part):
    out = {
        "SPDXID": identifier(part["bom-ref"]), "name": part["name"], "versionInfo": part["version"],
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": licence(part["licenses"][0]["expression"]),
        "licenseDeclared": licence(part["licenses"][0]["expression"]), "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part["purl"]}],
    }
    if "supplier" in part:
        out["supplier"] = f"Organization: {part['supplier']['name']}"
    if "hashes" in part:
        out["checksums"] = [{"algorithm": h["alg"].replace("-", ""), "checksumValue": h["content"]} for h in part["hashes"]]
    return out


def extracted(packages):
    """Names that are not of SPDX' list must be explained in the document itself."""
    names = sorted({n for p in packages for n in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", p["licenseDeclared"])})
    return [{"licenseId": n, "name": n.removeprefix("LicenseRef-"), "extractedText": "Stands in the package's copyright file."} for n in names]


def document(bill):
    root = bill["metadata"]["component"]
    parts = [package(p) for p in bill["components"]]
    first = package(root) | {"primaryPackagePurpose": "APPLICATION"}
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": first["SPDXID"]}]
    relations += [{"spdxElementId": first["SPDXID"], "relationshipType": "CONTAINS", "relatedSpdxElement": p["SPDXID"]} for p in parts]
    out = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"cairn-{root['version']}",
        "documentNamespace": f"https://spdx.org/spdxdocs/cairn-{root['version']}-{bill['serialNumber'].removeprefix('urn:uuid:')}",
        "creationInfo": {"created": bill["metadata"]["timestamp"], "creators": ["Tool: cairn-spdx.py"]},
        "packages": [first] + parts, "relationships": relations,
    }
    explained = extracted(out["packages"])
    return out | ({"hasExtractedLicensingInfos": explained} if explained else {})


def main(args):
    if len(args) != 2:
        raise Refused("usage: spdx.py PROGRAM OUT")
    with open(args[1], "wb") as f:
        f.write(sbom.encoded(document(sbom.bill(args[0]))))
    print(os.path.relpath(args[1]))


if __name__ == "__main__":
    contents.main_of(main)
