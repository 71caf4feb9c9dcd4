#!/usr/bin/env python3
"""The administrator's first password is printed to whoever starts the program, and never to the journal, which others read and the agent
takes into the log store. Prints "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, free_port  # noqa: E402


def first_start(folder, env):
    """(password, what was printed until the program was ready)"""
    args = [PROGRAM, "serve", "--role=dashboards", f"--data={folder}", f"--dashboards-address=127.0.0.1:{free_port()}"]
    env = {k: v for k, v in os.environ.items() if k not in ("JOURNAL_STREAM", "GF_SECURITY_ADMIN_PASSWORD")} | env
    with subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        said = ""
        for line in p.stdout:
            said += line
            if "is running" in line:
                break
        p.terminate()
        said += p.stdout.read()
    with open(f"{folder}/dashboards/initial-admin-password", encoding="utf-8") as f:
        return f.read().strip(), said


def main():
    cases = Cases()
    for to, env, printed in (("a terminal or a pipe", {}, True), ("the journal", {"JOURNAL_STREAM": "8:12345"}, False)):
        with tempfile.TemporaryDirectory(prefix="cairn-password-") as folder:
            password, said = first_start(folder, env)
            cases.check(f"to {to}", len(password) > 10 and (password in said) == printed and "initial-admin-password" in said, said)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
