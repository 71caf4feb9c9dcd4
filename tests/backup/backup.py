#!/usr/bin/env python3
"""Backups and restores of a real node, to a folder and to a real S3 server: under load, killed, damaged, refused.

    backup.py short|long [PART...]    prints "N passed, N failed"
"""
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import LineWriter, SampleWriter  # noqa: E402
from faults import archives, folder_goes_away, restores_at_once, store_faults  # noqa: E402
from kept import positions, prometheus_blocks  # noqa: E402
from keys import keys  # noqa: E402
from node import Node, cairn, tree  # noqa: E402
from parts import parts  # noqa: E402
from runbooks import runbooks  # noqa: E402
from s3_server import KEY, READER, READER_SECRET, SECRET, S3Server  # noqa: E402
from sessions import sessions  # noqa: E402
from stack import PROGRAM, ROOT, Cases, Stack, free_port  # noqa: E402
from tls import tls  # noqa: E402
from volume import volume_snapshot  # noqa: E402

LONG = sys.argv[1:2] == ["long"]
DEV = os.environ.get("CAIRN_DEV", f"{ROOT}/build-dev/cairn")  # has the fault points


def expect(status, text, *args, **kwargs):
    """Runs cairn; raises unless it ends with the status and says the text."""
    got, said = cairn(*args, **kwargs)
    if got != status or text not in said:
        raise RuntimeError(f"cairn {' '.join(args)}: {got}, wanted {status} and {text!r}: {said[-600:]}")
    return said


# -- a running node under load ---------------------------------------------------------------------------------

def under_load(cases, folder, s3):
    """Everything acknowledged before the backup began is in it; so are dashboards, users and configuration."""
    expect(0, "lost", "backup", f"--new-key={folder}/key")
    sealed = [f"--to={s3.place('load')}", f"--key-file={folder}/key"]
    with contextlib.ExitStack() as stack:
        node = Node(f"{folder}/node")
        node.write_config()
        stack.enter_context(node)
        node.make_dashboard_and_user()
        writers = [SampleWriter(node, 0), SampleWriter(node, 1), LineWriter(node, 2), LineWriter(node, 3)]
        for w in writers:
            w.start()
        time.sleep(3 if not LONG else 20)
        os.makedirs(f"{node.data}/snapshots/backup-left-behind/logs", exist_ok=True)
        marks = []
        for name in ("first", "second"):
            marks.append([list(w.acknowledged) for w in writers])
            said = expect(0, "", "backup", f"--data={node.data}", f"--name={name}", "--verify", *sealed, env=s3.env())
            print(said.strip())
            time.sleep(1)
        expect(0, "", "backup", f"--data={node.data}", f"--to={folder}/plain", "--name=plain", "--verify")
        for w in writers:
            w.stop_now = True
        for w in writers:
            w.join(30)
        cases.check("a killed backup's snapshot went", os.listdir(f"{node.data}/snapshots") == ["lock"],
                    str(os.listdir(f"{node.data}/snapshots")))
        config = tree(node.config)
    for name, acknowledged in zip(("first", "second"), marks):
        restored(cases, folder, name, sealed, s3.env(), writers, acknowledged, config, node.config)
    restored(cases, folder, "plain", [f"--to={folder}/plain"], {}, writers, marks[-1], config, node.config)


def restored(cases, folder, name, place, env, writers, acknowledged, config, config_dir):
    to = f"{folder}/restored-{name}"
    place = [p.replace("--to=", "--from=") for p in place]
    expect(0, f"restored {name}", "restore", f"--backup={name}", f"--data={to}/data", f"--config-to={to}/files", *place, env=env)
    cases.check(f"{name}: configuration comes back with its bytes and permissions",
                tree(f"{to}/files{config_dir}") == config, str(sorted(tree(f"{to}/files"))))
    with Node(to, config=f"{to}/files{config_dir}") as node:
        for w, before in zip(writers, acknowledged):
            lost = w.lost(node, before)
            kind = f"{name}: {type(w).__name__} {w.number}"
            cases.check(f"{kind} keeps every one of {len(before)}", len(before) > 10 and not lost,
                        f"{len(lost)} of {len(before)} lost, first {lost[:3]}")
        missing = node.has_dashboard_and_user()
        cases.check(f"{name}: dashboards and users", not missing, missing)


# -- one role a process, as under the originals' unit names ------------------------------------------------------

def roles_apart(cases, folder, s3):
    """Each role keeps its data where its original has it; running or stopped, all three go into one backup."""
    base = f"{folder}/apart"
    ports = {role: free_port() for role in ("metrics", "logs", "dashboards")}
    dirs = {"metrics": f"{base}/prometheus", "logs": f"{base}/loki/cairn", "dashboards": f"{base}/grafana"}
    os.makedirs(base)
    files = {"prometheus.yml": "scrape_configs: []\n", "loki.yml": f"auth_enabled: false\ncommon:\n  path_prefix: {base}/loki\n",
             "grafana.ini": f"[paths]\ndata = {base}/grafana\n[server]\nhttp_addr = 127.0.0.1\nhttp_port = {ports['dashboards']}\n"}
    for name, text in files.items():
        with open(f"{base}/{name}", "w") as f:
            f.write(text)
    commands = [["--role=metrics", f"--config.file={base}/prometheus.yml", f"--storage.tsdb.path={dirs['metrics']}",
                 f"--web.listen-address=127.0.0.1:{ports['metrics']}", "--web.enable-remote-write-receiver"],
                ["--role=logs", f"-config.file={base}/loki.yml", f"-server.http-listen-port={ports['logs']}",
                 "-server.http-listen-address=127.0.0.1"],
                ["--role=dashboards", f"--config={base}/grafana.ini"]]
    where = [f"--{role}-data={d}" for role, d in dirs.items()]
    node = Stack(demo=False, data=base)
    node.ports = dict(node.ports, **ports)

    def run(places):
        stack = contextlib.ExitStack()
        for command in commands:
            words = [w.replace(f"{base}/", f"{places}/") for w in command]
            log = stack.enter_context(open(f"{base}/cairn.log", "ab"))
            node.process = subprocess.Popen([PROGRAM, "serve", *words], cwd=base, stdout=log, stderr=log,
                                            env=dict(os.environ, GF_SECURITY_ADMIN_PASSWORD="test-secret"))
            stack.callback(node.process.wait)
            stack.callback(node.process.terminate)
        node.wait_ready()
        return stack

    with run(base):
        writers = [SampleWriter(node, 0), LineWriter(node, 1)]
        for w in writers:
            w.counter = 50
            w.acknowledged = [n for n in range(50) if w.send(n)]
        expect(0, "", "backup", *where, f"--to={s3.place('apart')}", "--name=running", env=s3.env())
        for d in dirs.values():
            cases.check(f"{d} has no snapshot left", os.listdir(f"{d}/snapshots") == ["lock"], str(os.listdir(f"{d}/snapshots")))
    expect(0, "", "backup", *where, f"--config={base}/prometheus.yml", f"--to={s3.place('apart')}", "--name=stopped", env=s3.env())
    for name in ("running", "stopped"):
        to = f"{base}/{name}"
        expect(0, "restored", "restore", f"--from={s3.place('apart')}", f"--backup={name}", f"--config-to={to}/files",
               *[w.replace(base, to) for w in where], env=s3.env())
        found = sorted(tree(f"{to}/files{base}"))
        cases.check(f"{name}: the files of configuration", found == (sorted(files) if name == "running" else ["prometheus.yml"]), str(found))
        for file, text in files.items():
            with open(f"{to}/{file}", "w") as f:
                f.write(text.replace(f"{base}/", f"{to}/"))
        with run(to):
            for w in writers:
                cases.check(f"{name}, roles apart: {type(w).__name__} keeps all of {len(w.acknowledged)}",
                            len(w.acknowledged) == 50 and not w.lost(node), str(w.lost(node)[:3]))


# -- killed ----------------------------------------------------------------------------------------------------

def make_data(folder):
    """A stopped node's data with files of many sizes, one of several pieces."""
    rng = random.Random(7)
    for role in ("metrics", "logs", "dashboards"):
        os.makedirs(f"{folder}/data/{role}/blocks", exist_ok=True)
        for i, size in enumerate((0, 1, 4096, 70_000)):
            with open(f"{folder}/data/{role}/blocks/{i}", "wb") as f:
                f.write(rng.randbytes(size))
    with open(f"{folder}/data/metrics/blocks/large", "wb") as f:
        f.write(rng.randbytes((16 << 20) + 12345))
    shutil.rmtree(f"{folder}/data/snapshots", ignore_errors=True)


def without_locks(folder):
    return {p: v for p, v in tree(folder).items() if not p.endswith("/lock")}


def killed_at_disk_operations(cases, folder):
    """SIGKILL at the k-th disk operation of backup and of restore; the same command again ends what was begun."""
    make_data(folder)
    wanted = without_locks(f"{folder}/data")
    points, k, step = 0, 1, 1 if LONG else 37
    while True:
        store = f"{folder}/kill-store"
        shutil.rmtree(store, ignore_errors=True)
        args = ["backup", f"--data={folder}/data", f"--to={store}", "--name=a"]
        status, said = cairn(*args, program=DEV, env={"CAIRN_FAULT_DISK_KILL": str(k)})
        if status == 0:
            break
        if status != -signal.SIGKILL:
            raise RuntimeError(f"backup killed at {k}: {status} {said}")
        status, said = cairn(*args, "--verify", program=DEV)
        done = "there is a backup a already" in said  # killed after the list was put
        cases.check(f"backup killed at disk operation {k}", status == 0 or done, f"{status} {said[-300:]}")
        points += 1
        k += step
    k = 1
    while True:
        to = f"{folder}/kill-to"
        shutil.rmtree(to, ignore_errors=True)
        args = ["restore", f"--from={store}", f"--data={to}"]
        status, said = cairn(*args, program=DEV, env={"CAIRN_FAULT_DISK_KILL": str(k)})
        if status == 0:
            break
        if status != -signal.SIGKILL:
            raise RuntimeError(f"restore killed at {k}: {status} {said}")
        status, said = cairn(*args, program=DEV)
        complete = without_locks(to) == wanted
        cases.check(f"restore killed at disk operation {k}", complete and (status == 0 or "is not empty" in said),
                    f"{status} {said[-300:]} {sorted(without_locks(to))[:5]}")
        points += 1
        k += step
    print(f"{points} kills at disk operations")


def killed_while_sending(cases, folder, s3):
    """SIGKILL at random moments of a backup to the bucket and of a restore out of it."""
    rng = random.Random(int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 10**9)))
    wanted = without_locks(f"{folder}/data")
    place = s3.place("killed")
    args = ["backup", f"--data={folder}/data", f"--to={place}", "--name=a"]
    from_bucket = ["restore", f"--from={place}", f"--data={folder}/sent"]
    for what, command in (("backup", args), ("restore", from_bucket)):
        for _ in range(25 if LONG else 5):
            p = subprocess.Popen([PROGRAM, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, **s3.env()))
            time.sleep(rng.uniform(0, 0.25))
            p.kill()
            p.wait()
        status, said = cairn(*command, env=s3.env())
        again = "there is a backup a already" in said or "is not empty" in said
        cases.check(f"{what} after kills ends well", status == 0 or again, said[-300:])
    expect(0, "verified", "restore", f"--from={place}", "--verify", env=s3.env())
    cases.check("what came back is what went", without_locks(f"{folder}/sent") == wanted)


# -- damaged and refused ---------------------------------------------------------------------------------------

def damaged(cases, folder, s3):
    """A flipped bit, a missing tail and a missing object are found and named; in a folder and in the bucket."""
    store = f"{folder}/damaged"
    expect(0, "", "backup", f"--data={folder}/data", f"--to={store}", "--name=a")
    objects = sorted(os.path.join(w, n) for w, _, names in os.walk(f"{store}/objects") for n in names)
    rng = random.Random(11)
    for path in objects if LONG else rng.sample(objects, 4):
        with open(path, "rb") as f:
            good = f.read()
        flipped = bytearray(good)
        flipped[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        for how, bad in (("flipped", bytes(flipped)), ("cut", good[:-1]), ("gone", None)):
            os.remove(path)
            if bad is not None:
                with open(path, "wb") as f:
                    f.write(bad)
            status, said = cairn("restore", f"--from={store}", "--verify")
            named = "damaged: " in said and "/blocks/" in said and os.path.basename(path) in said
            cases.check(f"{how} object is found", status == 1 and named, said[-300:])
            to = f"{folder}/from-damaged"
            shutil.rmtree(to, ignore_errors=True)
            status, said = cairn("restore", f"--from={store}", f"--data={to}")
            cases.check(f"{how} object is not restored", status == 1 and os.listdir(to) == [".restoring"], said[-300:])
            with open(path, "wb") as f:
                f.write(good)
    with open(f"{store}/backups/a", "r+b") as f:
        f.truncate(200)
    expect(1, "list", "restore", f"--from={store}", "--verify")
    sealed = [f"--key-file={folder}/key"]
    place = s3.place("damaged")
    expect(0, "", "backup", f"--data={folder}/data", f"--to={place}", "--name=a", *sealed, env=s3.env())
    _, listing = s3.call("GET", "", **{"list-type": "2", "prefix": "damaged/objects/"})
    rows = re.findall(r"<Key>(.*?)</Key>.*?<Size>(\d+)</Size>", listing.decode(), re.S)
    key = max(rows, key=lambda row: int(row[1]))[0]  # an object of an empty file has no byte to flip
    good = s3.call("GET", key)[1]
    for bad in (good[:-1], good[:60] + bytes([good[60] ^ 4]) + good[61:]):
        s3.call("PUT", key, bad)
        status, said = cairn("restore", f"--from={place}", "--verify", *sealed, env=s3.env())
        cases.check("damage in the bucket is found", status == 1 and key.split("/")[-1] in said, said[-300:])
    s3.call("DELETE", key)
    expect(0, "", "backup", f"--data={folder}/data", f"--to={place}", "--name=b", *sealed, env=s3.env())
    expect(0, "verified", "restore", f"--from={place}", "--backup=a", "--verify", *sealed, env=s3.env())


def refused(cases, folder, s3):
    """Each refusal says what is wrong and what to do."""
    data = f"--data={folder}/data"
    place = s3.place("damaged")
    bucket = f"s3://{s3.bucket}/x?endpoint=http://127.0.0.1:{s3.port}"
    expect(0, "", "backup", f"--new-key={folder}/other-key")
    rows = [
        ("not the key", ["restore", f"--from={place}", "--verify", f"--key-file={folder}/other-key"], {}),
        ("name the key", ["restore", f"--from={place}", "--verify"], {}),
        ("not encrypted", ["backup", data, f"--to={folder}/plain2", f"--key-file={folder}/key"], {}),
        ("no key of backups", ["restore", f"--from={place}", "--verify", "--key-file=/etc/hostname"], {}),
        ("does not belong", ["backup", data, f"--to={bucket}"], s3.env(KEY, "wrong")),
        ("does not know", ["backup", data, f"--to={bucket}"], s3.env("nobody", SECRET)),
        ("s3:PutObject", ["backup", data, f"--to={bucket}"], s3.env(READER, READER_SECRET)),
        ("no keys for the bucket", ["backup", data, f"--to={bucket}"],
         dict(s3.env(), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")),
        ("create it", ["backup", data, f"--to=s3://no-such-bucket/x?endpoint=http://127.0.0.1:{s3.port}"], {}),
        ("there are no backups here", ["restore", f"--from={s3.place('empty')}", "--list"], {}),
        ("there is no backup none", ["restore", f"--from={place}", f"--key-file={folder}/key", "--backup=none", "--verify"], {}),
        ("is not empty", ["restore", f"--from={place}", f"--key-file={folder}/key", f"--data={folder}/data"], {}),
        ("holds none of the folders", ["backup", f"--data={folder}/nothing-here", f"--to={folder}/plain2"], {}),
        ("s3://BUCKET/PREFIX", ["backup", data, "--to=s3://b"], {}),
        ("each backup would hold those before it", ["backup", data, f"--to={folder}/data/logs/../logs/not/yet"], {}),
        ("a key is never written over", ["backup", f"--new-key={folder}/key"], {}),
        ("say what to do", ["restore", f"--from={folder}/plain2"], {}),
    ]
    expect(0, "", "backup", data, f"--to={folder}/plain2", "--name=a")
    for text, args, env in rows:
        status, said = cairn(*args, env=dict(s3.env(), **env))
        cases.check(f"refused with \"{text}\"", status in (1, 2) and text in said, f"{status} {said[-400:]}")


def full_disk(cases, folder):
    """A small file system fills up: said with the file; with room again the same command ends the work."""
    mount = f"{folder}/small"
    os.makedirs(mount)
    script = f"""set -e
mount -t tmpfs -o size=8m none {mount}
! {PROGRAM} backup --data={folder}/data --to={mount}/store --name=a
! {PROGRAM} restore --from={folder}/plain2 --data={mount}/to
rm -rf {mount}/store
mount -o remount,size=64m {mount}
{PROGRAM} restore --from={folder}/plain2 --data={mount}/to
{PROGRAM} backup --data={mount}/to --to={mount}/store2 --name=a --verify
"""
    # Root mounts it in plain sight (a chroot has no user namespaces), anybody else in a namespace.
    shell = ["sh", "-c", script] if os.geteuid() == 0 else ["unshare", "-Urm", "sh", "-c", script]
    done = subprocess.run(shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    subprocess.run(["umount", mount], stderr=subprocess.DEVNULL)
    said = done.stdout
    cases.check("full disk: both say so and the restore goes on", done.returncode == 0 and
                said.count("No space left") >= 2 and "verified a" in said and mount in said, said[-800:])


# -- a server that comes back, old backups ---------------------------------------------------------

def server_comes_back(cases, folder, s3):
    """The server is away for a moment: the backup waits and goes on."""
    s3.stop()
    p = subprocess.Popen([PROGRAM, "backup", f"--data={folder}/data", f"--to={s3.place('back')}", "--name=a", "--verify"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, **s3.env()))
    time.sleep(0.5)
    s3.start()
    said, _ = p.communicate(timeout=120)
    cases.check("a server that comes back", p.returncode == 0 and "verified a" in said, said[-300:])


def old_backups_go(cases, folder, s3):
    place = s3.place("kept")
    changing = f"{folder}/data/logs/blocks/changing"
    for i in range(4):
        with open(changing, "w") as f:
            f.write(f"version {i}\n" * 100)
        expect(0, "copied", "backup", f"--data={folder}/data", f"--to={place}", "--keep=2", env=s3.env())
    os.remove(changing)
    names = expect(0, "", "restore", f"--from={place}", "--list", env=s3.env()).split()
    cases.check("two of four are kept", len(names) == 2, str(names))
    for name in names:
        expect(0, "verified", "restore", f"--from={place}", f"--backup={name}", "--verify", env=s3.env())
    _, listing = s3.call("GET", "", **{"list-type": "2", "prefix": "kept/objects/"})
    files = {v for _, v in without_locks(f"{folder}/data").values() if v}
    count = listing.decode().count("<Key>")
    cases.check("what only the others used went", count == len(files) + 1 + 2, f"{count} objects, {len(files)} files")


def many_objects(cases, folder, s3):
    """More objects than a listing has on a page: what is there is not sent again, and what goes is what nobody uses."""
    data, place = f"{folder}/many", s3.place("many")
    os.makedirs(f"{data}/logs/blocks")
    for i in range(2300 if LONG else 1100):
        with open(f"{data}/logs/blocks/{i}", "w") as f:
            f.write(f"file {i}\n")
    expect(0, "copied", "backup", f"--data={data}", f"--to={place}", "--keep=1", env=s3.env())
    os.remove(f"{data}/logs/blocks/7")
    said = expect(0, "removed 1 backups and 1 objects", "backup", f"--data={data}", f"--to={place}", "--keep=1", "--verify", env=s3.env())
    cases.check("over several pages nothing is sent again", "copied 0 objects" in said and "verified" in said, said)


def unit_tests_in_a_bucket(cases, _, s3):
    env = dict(os.environ, CAIRN_TEST_S3=s3.place("unit"), **s3.env())
    done = subprocess.run([f"{ROOT}/build-dev/tests/unit/unit_disk", "bucket_"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=env, timeout=300)
    cases.check("the object store's tests pass in a bucket", "3 passed, 0 failed" in done.stdout.splitlines()[-1], done.stdout[-500:])


# -- all of it -----------------------------------------------------------------------------------------------------

# Two rows of parts at a time, as most of them wait; in each a part may use what those before it left in the folder.
ROWS = ((under_load, roles_apart, killed_at_disk_operations, killed_while_sending, damaged, refused, full_disk, keys, parts, old_backups_go, sessions, tls),
        (volume_snapshot, positions, prometheus_blocks, store_faults, folder_goes_away, restores_at_once, archives, many_objects, unit_tests_in_a_bucket, runbooks))
ALONE = (server_comes_back,)  # nobody else's server goes away


def run_row(cases, row, folder, s3, wanted):
    for part in row:
        if wanted and part.__name__ not in wanted:
            continue
        started = time.monotonic()
        args = (cases, folder, s3, LONG)[:part.__code__.co_argcount]
        cases.run(f"{part.__name__} ran to its end", part, *args)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)


def main():
    rows = [Cases() for _ in ROWS]
    total, wanted = Cases(), sys.argv[2:]
    folder = tempfile.mkdtemp(prefix="cairn-backup-")
    try:
        with S3Server(os.environ["CAIRN_WEED"]) as s3:
            if wanted and not {"under_load", "killed_at_disk_operations"} <= set(wanted):
                expect(0, "lost", "backup", f"--new-key={folder}/key")
                make_data(folder)
            threads = [threading.Thread(target=run_row, args=(cases, row, folder, s3, wanted)) for cases, row in zip(rows, ROWS)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            run_row(total, ALONE, folder, s3, wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for cases in rows:
        total.passed, total.failed = total.passed + cases.passed, total.failed + cases.failed
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
