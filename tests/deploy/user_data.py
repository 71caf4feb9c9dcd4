#!/usr/bin/env python3
"""Takes the outputs of a `terraform test -json -verbose` run apart: OUT/ROLE.yml is what the node gets, OUT/ROLE/ the files that cloud-init
would write from it, OUT/ROLE.policies what its role may, where it may anything.

Usage: user_data.py TEST.json OUT
"""
import json
import os
import sys

import yaml


def outputs(path):
    """(user data, policies) of every run that applied, each by role, first run of a role first."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            message = json.loads(line)
            state = message.get("test_state")
            if state:
                yield state["outputs"]["user_data"]["value"], state["outputs"]["policies"]["value"]


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def main():
    source, out = sys.argv[1:]
    seen = {}
    for number, (values, policies) in enumerate(outputs(source)):
        for role, text in values.items():
            name = role if role not in seen else f"{role}-{number}"
            seen[name] = text
            write(f"{out}/{name}.yml", text)
            if role in policies:
                write(f"{out}/{name}.policies", policies[role])
            for entry in yaml.safe_load(text)["write_files"]:
                write(f"{out}/{name}/{entry['path']}", entry["content"], int(entry["permissions"], 8))
    missing = {"logs", "app", "metrics", "dashboards", "all"} - seen.keys()
    if missing:
        sys.exit(f"no user data for {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
