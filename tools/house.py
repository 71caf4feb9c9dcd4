#!/usr/bin/env python3
"""House checks over src/: layers, include hygiene, banned calls, module READMEs, file and function sizes; no built program anywhere.

Reads tools/layers.txt (who may include whom) and tools/allow.txt (known exceptions, each with its reason; an entry
that no longer hits is itself an error). Prints one line a finding, then "N passed, N failed".
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BANNED = {
    "strcpy": "buf_append", "strcat": "buf_append", "sprintf": "buf_printf or snprintf", "strtok": "str_cut",
    "gets": "read", "atoi": "str_to_i64", "atol": "str_to_i64", "strtol": "str_to_i64", "strtoul": "str_to_u64",
    "strtoll": "str_to_i64", "strtoull": "str_to_u64", "alloca": "an arena", "localtime": "localtime_r",
    "gmtime": "gmtime_r", "rand": "rng_u64", "srand": "rng_init", "signal": "sigaction", "strerror": "strerror_r",
    "malloc": "mem_alloc", "calloc": "mem_zarray", "realloc": "mem_realloc", "free": "mem_free",
}
# libcairn stands alone; base wraps the allocator.
FREE_OF_ALLOCATOR_RULE = ("src/base/mem.c", "src/client/")
FILE_LINES_MAX = 1200
FUNCTION_LINES_MAX = 120
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def load_layers():
    layers = {}
    for line in read(f"{ROOT}/tools/layers.txt").splitlines():
        line = line.split("#")[0].split()
        if line:
            layers[line[0]] = set(line[1:]) | {line[0]}
    return layers


def load_allow():
    allow = {}
    path = f"{ROOT}/tools/allow.txt"
    if os.path.exists(path):
        for line in read(path).splitlines():
            if line.strip() and not line.startswith("#"):
                key, _, reason = line.partition(" -- ")
                allow[key.strip()] = reason.strip()
    return allow


def sources():
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "src"], capture_output=True,
                         text=True, check=True).stdout.split("\n")
    return [p for p in out if p.endswith((".c", ".h", ".cc")) and os.path.exists(f"{ROOT}/{p}")]


def strip_comments(text):
    """Comments and string contents blanked, line structure kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()) if m.group()[0] == "/" else '""' if m.group()[0] == '"' else "' '", text)


class House:
    def __init__(self):
        self.layers, self.allow = load_layers(), load_allow()
        self.used, self.failed, self.passed = set(), [], 0

    def check(self, ok, key, message):
        if ok:
            self.passed += 1
        elif key in self.allow:
            self.used.add(key)
        else:
            self.failed.append(message)

    def module_of(self, path):
        folder = os.path.dirname(path)
        while folder and folder not in self.layers:
            folder = os.path.dirname(folder)
        return folder

    def check_includes(self, path, text):
        module = self.module_of(path[4:])
        self.check(module, f"layer {path}", f"{path}: its folder is not in tools/layers.txt")
        for number, line in enumerate(text.splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m or not module:
                continue
            target = m.group(1)
            if not os.path.exists(f"{ROOT}/src/{target}"):
                continue  # relative or generated; the compiler checks it
            other = self.module_of(target)
            self.check(other in self.layers[module], f"layer {path} {target}",
                       f"{path}:{number}: {module} may not include {other} ({target}); see tools/layers.txt")
            private = target.endswith("_int.h") and os.path.dirname(target) != os.path.dirname(path[4:])
            self.check(not private, f"private {path} {target}", f"{path}:{number}: {target} is private to its folder")

    def check_banned(self, path, code):
        for number, line in enumerate(code.splitlines(), 1):
            for m in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
                name = m.group(1)
                if name not in BANNED:
                    continue
                if name in ("malloc", "calloc", "realloc", "free") and path.startswith(FREE_OF_ALLOCATOR_RULE):
                    continue
                if path.startswith("src/client/") and name.startswith("strto"):
                    continue
                self.check(False, f"banned {path} {name}", f"{path}:{number}: {name} is banned, use {BANNED[name]}")

    def check_sizes(self, path, text):
        lines = text.count("\n")
        self.check(lines <= FILE_LINES_MAX, f"file {path}", f"{path}: {lines} lines, the limit is {FILE_LINES_MAX}")

    def check_functions(self):
        try:
            out = subprocess.run(["ctags", "-R", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-", "src"],
                                 cwd=ROOT, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            print("house: ctags is not installed; function sizes were not checked")
            return
        for line in out.splitlines():
            parts = line.split("\t")
            where = dict(p.split(":", 1) for p in parts[3:] if ":" in p)
            if "line" in where and "end" in where:
                length = int(where["end"]) - int(where["line"])
                self.check(length <= FUNCTION_LINES_MAX, f"function {parts[1]} {parts[0]}",
                           f"{parts[1]}:{where['line']}: {parts[0]} has {length} lines, the limit is {FUNCTION_LINES_MAX}")

    def check_readmes(self):
        for module in self.layers:
            folder = f"{ROOT}/src/{module}"
            if os.path.isdir(folder) and any(f.endswith(".c") for f in os.listdir(folder)):
                readme = os.path.exists(f"{folder}/README.md") or os.path.exists(f"{os.path.dirname(folder)}/README.md")
                self.check(readme, f"readme {module}", f"src/{module}: has no README.md")

    def check_no_programs(self):
        """What is built is not committed."""
        try:
            names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
        except (OSError, subprocess.CalledProcessError):
            return  # not a checkout
        for name in filter(None, names):
            path = os.path.join(os.fsencode(ROOT), name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    self.check(f.read(4) != b"\x7fELF", f"program {name.decode()}", f"{name.decode()}: a built program is committed")

    def run(self):
        self.check_no_programs()
        for path in sources():
            text = read(f"{ROOT}/{path}")
            code = strip_comments(text)
            self.check_includes(path, text)
            self.check_banned(path, code)
            self.check_sizes(path, text)
            for number, line in enumerate(text.splitlines(), 1):
                if UNFINISHED.search(line):
                    self.check(False, f"unfinished {path}", f"{path}:{number}: unfinished work is named on an issue, not in the code")
        self.check_functions()
        self.check_readmes()
        for key in self.allow:
            self.check(key in self.used, f"stale {key}", f"tools/allow.txt: \"{key}\" no longer hits, remove it")
        for message in self.failed:
            print(message)
        print(f"{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed else 0


sys.exit(House().run())
