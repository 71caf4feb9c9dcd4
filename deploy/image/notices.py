#!/usr/bin/env python3
"""The copyright notices and licences of the npm packages whose code is in the web app, and so in the program: what MIT, ISC, BSD and Apache ask
to travel with every copy. Read from what package-lock.json installed.

Usage: notices.py      prints them
"""
import json
import os
import sys

from contents import TOP, Refused, main_of

PATH = "usr/share/doc/cairn/web-app-licences"
NAMES = ("licen", "copying", "notice")


def texts(folder, name):
    """The files of a package that say what it is licensed under; one that has none still says so in its package.json."""
    if not os.path.isdir(folder):
        raise Refused(f"{folder} is not there, so the licence of {name} cannot be given along; run tools/build_ui.sh")
    for file in sorted(os.listdir(folder)):
        path = os.path.join(folder, file)
        if file.lower().startswith(NAMES) and os.path.isfile(path):
            with open(path, encoding="utf-8") as f:
                yield f.read().strip()


def web():
    with open(f"{TOP}/ui/package-lock.json", encoding="utf-8") as f:
        lock = json.load(f)["packages"]
    parts = ["Packages of npm whose code is in the web app of Cairn, and their licences."]
    for path, entry in sorted(lock.items()):
        if path and not entry.get("dev") and not entry.get("optional"):
            name = path.split("node_modules/")[-1]
            found = list(texts(f"{TOP}/ui/{path}", name)) or ["It comes without a copy of its licence."]
            parts.append("\n\n".join([f"{'=' * 100}\n{name} {entry['version']}: {entry['license']}", *found]))
    return ("\n\n".join(parts) + "\n").encode()


if __name__ == "__main__":
    main_of(lambda _: sys.stdout.buffer.write(web()))
