#!/usr/bin/env python3
"""The tables of inputs and outputs in the READMEs, made from the .tf files beside them.

Usage: tables.py           writes them, between the two marks of each README
       tables.py --check   exit status 1 when a README holds others, or lacks a description
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- made by tables.py -->\n", "<!-- end -->\n"


def blocks(folder, kind):
    """(name, {argument: its text}) of every block of the kind; terraform fmt has put one argument on a line, two spaces in."""
    for path in sorted(glob.glob(f"{folder}/*.tf")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for m in re.finditer(rf'(?ms)^{kind} "(\w+)" {{\n(.*?)^}}', text):
            yield m[1], dict(re.findall(r"(?m)^  (\w+)\s+= (.*)$", m[2]))


def cell(text):
    return text.replace("|", "\\|").replace('\\"', '"')


def said(name, arguments, complaints):
    description = arguments.get("description", "").strip('"')
    if not description:
        complaints.append(f"{name} has no description")
    return cell(description)


def tables(folder, complaints):
    lines = ["| input | type | default | |", "|---|---|---|---|"]
    for name, a in sorted(blocks(folder, "variable")):
        kind = cell(a.get("type", "any"))
        default = f"`{cell(a['default'])}`" if "default" in a else "required"
        lines.append(f"| `{name}` | `{kind}` | {default} | {said(name, a, complaints)} |")
    lines += ["", "| output | |", "|---|---|"]
    for name, a in sorted(blocks(folder, "output")):
        lines.append(f"| `{name}` | {said(name, a, complaints)} |")
    return "\n".join(lines) + "\n"


def main():
    check, complaints = sys.argv[1:] == ["--check"], []
    for path in [f"{HERE}/README.md", *sorted(glob.glob(f"{HERE}/examples/*/README.md"))]:
        with open(path, encoding="utf-8") as f:
            old = f.read()
        if old.count(BEGIN) != 1 or old.count(END) != 1:
            sys.exit(f"{path} lacks the marks {BEGIN.strip()} and {END.strip()}")
        head, rest = old.split(BEGIN)
        new = head + BEGIN + tables(os.path.dirname(path), complaints) + END + rest.split(END)[1]
        if new != old and check:
            complaints.append(f"{os.path.relpath(path)} holds other tables than tables.py makes; run it")
        elif new != old:
            with open(path, "w", encoding="utf-8") as f:
                f.write(new)
    if complaints:
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    main()
