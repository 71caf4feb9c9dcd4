"""What stores, networks and people do to a backup in a bucket: each is survived, or refused with its cure and nothing broken."""
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import cairn  # noqa: E402
from s3_front import Fault, Front  # noqa: E402
from stack import PROGRAM  # noqa: E402

ALWAYS = 1000


def small_data(folder):
    rng = random.Random(5)
    for role in ("metrics", "logs"):
        os.makedirs(f"{folder}/{role}/blocks", exist_ok=True)
        for i in range(3):
            with open(f"{folder}/{role}/blocks/{i}", "wb") as f:
                f.write(rng.randbytes(5000 + i))
    return f"--data={folder}"


def store_faults(cases, folder, s3):
    data = small_data(f"{folder}/few")
    with Front(s3) as front:
        env = dict(s3.env(), AWS_MAX_ATTEMPTS="5")

        def backup(prefix, *more):
            return cairn("backup", data, f"--to={front.place(prefix)}", *more, env=env)

        survived(cases, front, backup)
        refused(cases, front, backup)
        old_listings(cases, front, backup, env)
        two_at_once(cases, front, data, small_data(f"{folder}/few-too"), env)


def survived(cases, front, backup):
    rows = [("503 SlowDown", [Fault("slow_down", "PUT", "/objects/", 3)]), ("500", [Fault("internal", "PUT", times=2), Fault("internal", "GET", times=2)])]
    for part in ("/objects/", "/backups/", "/lock", "/store"):
        rows += [(f"500 after success for {part}", [Fault("after_500", "PUT", part)]), (f"an answer lost for {part}", [Fault("after_drop", "PUT", part)])]
    rows += [("an answer cut off", [Fault("truncated", "GET", "/objects/", 2)]), ("a short answer", [Fault("short", "GET", "/objects/", 2)]),
             ("one bit flipped on the way", [Fault("flipped", "GET", "/objects/")]), ("an ETag that is no MD5 of the bytes", [Fault("wrong_etag", "PUT", times=3)]),
             ("a removal that is answered with 500", [Fault("after_500", "DELETE")])]
    for i, (what, faults) in enumerate(rows):
        front.faults = faults
        status, said = backup(f"survived{i}", "--name=a", "--verify")
        cases.check(f"{what}: survived", status == 0 and "verified a" in said and not any(f.times for f in faults),
                    f"{[f.times for f in faults]} {said[-400:]}")
    front.faults = [Fault("wrong_etag", "PUT", times=ALWAYS)]
    front.seen.clear()
    status, said = backup("own-etags", "--name=a")
    cases.check("a store with ETags of its own is not read back again and again", status == 0 and front.count("GET", "/objects/") == 0, said[-300:])
    front.faults = []


def refused(cases, front, backup):
    rows = [("the store's clock", [Fault("skew", times=ALWAYS)], "clock is 1200 s behind the store's"),
            ("a page of a proxy for a listing", [Fault("html", "GET", times=ALWAYS)], "is the endpoint right?"),
            ("a page of a proxy for a put", [Fault("html", "PUT", "/objects/", ALWAYS)], "is the endpoint right?"),
            ("other bytes kept", [Fault("altered", "PUT", "/objects/")], "kept other bytes than were sent"),
            ("a bit flipped again and again", [Fault("flipped", "GET", "/objects/", ALWAYS)], "damaged: "),
            ("503 for ever", [Fault("slow_down", "PUT", "/objects/", ALWAYS)], "asked less often"),
            ("a bucket that is gone", [Fault("no_bucket", skip=4, times=ALWAYS)], "there is no such bucket")]
    for i, (what, faults, text) in enumerate(rows):
        front.faults = faults
        began = time.monotonic()
        status, said = backup(f"refused{i}", "--name=a", "--verify")
        cases.check(f"{what}: said", status == 1 and text in said and time.monotonic() - began < 60, f"{status} {said[-400:]}")
        front.faults = []
        status, said = backup(f"refused{i}", "--name=b", "--verify")
        cases.check(f"{what}: over, the next one is whole", status == 0 and "verified b" in said, said[-400:])


def old_listings(cases, front, backup, env):
    """A store that does not show the newest backup yet: old ones are not removed with its pieces."""
    for name in ("20250101T000000Z", "20250102T000000Z"):
        backup("stale", f"--name={name}")
    front.faults = [Fault("stale", "GET", query="backups%2F", skip=1)]
    status, said = backup("stale", "--keep=1")
    cases.check("a listing without the newest: nothing is removed", status == 1 and "does not show the backup" in said, said[-400:])
    names = cairn("restore", f"--from={front.place('stale')}", "--list", env=env)[1].split()
    cases.check("all three are there", len(names) == 3, str(names))
    status, said = backup("stale", "--keep=1", "--verify")
    cases.check("the next run forgets the old ones", status == 0 and "removed 3 backups" in said, said[-400:])


def two_at_once(cases, front, data, other, env):
    """The second is refused while the first runs; a first whose lock somebody broke does not end as if nothing had been."""
    place = front.place("twice")
    front.faults = [Fault("hold", "PUT", "/objects/")]
    first = subprocess.Popen([PROGRAM, "backup", data, f"--to={place}", "--name=first"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env=dict(os.environ, **env))
    front.held.wait(30)
    status, said = cairn("backup", other, f"--to={place}", "--name=second", env=env)
    cases.check("two at once: the second is refused", status == 1 and f"process {first.pid} of the machine" in said, said[-300:])
    status, said = cairn("backup", "--unlock", f"--to={place}", env=env)
    status, said = cairn("backup", other, f"--to={place}", "--name=third", env=env)
    cases.check("after --unlock another may write", status == 0, said[-300:])
    front.go_on.set()
    said = first.communicate(timeout=60)[0]
    names = cairn("restore", f"--from={place}", "--list", env=env)[1].split()
    cases.check("the first notices that its lock was taken away", first.returncode == 1 and "lock" in said and names == ["third"],
                f"{first.returncode} {said[-300:]} {names}")
    front.faults = []


def restores_at_once(cases, folder):
    """A second restore into a folder is refused while the first one writes; when that was killed, the next one goes on."""
    data, store, to = small_data(f"{folder}/some"), f"{folder}/some-store", f"{folder}/some-to"
    with open(f"{folder}/some/logs/blocks/large", "wb") as f:
        f.write(os.urandom(200 << 20))
    cairn("backup", data, f"--to={store}", "--name=a")
    first = subprocess.Popen([PROGRAM, "restore", f"--from={store}", f"--data={to}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not os.path.isdir(f"{to}/.restoring/logs") and first.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)
    status, said = cairn("restore", f"--from={store}", f"--data={to}")
    cases.check("two restores at once: the second is refused", status == 1 and "another restore works on" in said, f"{first.poll()} {said[-300:]}")
    first.kill()
    first.wait()
    status, said = cairn("restore", f"--from={store}", f"--data={to}")
    cases.check("after a kill the next one goes on", status == 0, said[-300:])
    shutil.rmtree(to)
    shutil.rmtree(store)
    os.remove(f"{folder}/some/logs/blocks/large")


def folder_goes_away(cases, folder):
    """The folder of the backups vanishes midway, as a disk that is unplugged: no list is left behind of pieces that went with it."""
    data = small_data(f"{folder}/few")
    with open(f"{folder}/few/logs/blocks/large", "wb") as f:
        f.write(os.urandom(200 << 20))
    store = f"{folder}/vanishing"
    p = subprocess.Popen([PROGRAM, "backup", data, f"--to={store}", "--name=a"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.monotonic() + 30
    while not os.path.isdir(f"{store}/objects") and p.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    p.send_signal(signal.SIGSTOP)
    shutil.rmtree(store)
    p.send_signal(signal.SIGCONT)
    said = p.communicate(timeout=120)[0]
    cases.check("a folder that goes away midway", p.returncode == 1 and store in said and not os.path.exists(f"{store}/backups"),
                f"{p.returncode} {said[-300:]}")
    status, said = cairn("backup", data, f"--to={store}", "--name=a", "--verify")
    cases.check("when it is back the same command does it", status == 0, said[-300:])
    os.remove(f"{folder}/few/logs/blocks/large")


# -- archives that somebody made ---------------------------------------------------------------------------------

def archive(store, lines, piece=16 << 20, text=None):
    """A store with one list of those lines, its checksum right; the pieces are put by name."""

    shutil.rmtree(store, ignore_errors=True)
    os.makedirs(f"{store}/backups")
    with open(f"{store}/store", "w") as f:
        f.write("cairn-backup-store 1\nkey none\n")
    body = text if text is not None else f"cairn-backup 2\npiece {piece}\n" + "".join(f"{line}\n" for line in lines)
    with open(f"{store}/backups/a", "wb") as f:
        f.write(body.encode() + f"end {len(lines)} {hashlib.sha256(body.encode()).hexdigest()}\n".encode())
    content = b"evil\n"
    name = hashlib.sha256(content).hexdigest()
    os.makedirs(f"{store}/objects/{name[:2]}")
    with open(f"{store}/objects/{name[:2]}/{name}", "wb") as f:
        f.write(content)
    return name


def archives(cases, folder):
    """Nothing is written outside the folder, whatever a list says."""
    store, to = f"{folder}/evil", f"{folder}/evil-to"
    name = archive(store, [])
    good = f"file 644 5 {name} "
    rows = [("leads out", [good + "metrics/../../escaped"]), ("leads out", [good + "/etc/escaped"]), ("leads out", [good + "metrics//escaped"]),
            ("leads out", [good + "config/../escaped"]), ("leads out", [good + "metrics/./x"]), ("leads out", [good + "escaped/x"]),
            ("leads out", [good + "metrics/a\tb"]), ("order", [good + "metrics/b", good + "metrics/a"]),
            ("order", [good + "metrics/a", good + "metrics/a"]), ("MODE", [f"file 4755 5 {name} metrics/x"]), ("MODE", [f"file 644 5 {name[:-1]} metrics/x"]),
            ("MODE", [f"file 644 5 ../../../etc/passwd metrics/x"]), ("MODE", [f"file 644 18446744073709551615 {name} metrics/x"]),
            ("damaged", [f"file 644 5 {'0' * 64} metrics/x"]), ("", [good + "metrics/a", good + "metrics/a/b"])]
    for text, lines in rows:
        archive(store, lines)
        shutil.rmtree(to, ignore_errors=True)
        status, said = cairn("restore", f"--from={store}", f"--data={to}")
        left = os.listdir(to) if os.path.isdir(to) else []
        cases.check(f"a list with {lines[-1][-40:]!r}", status == 1 and (text in said or text == "damaged" and "objects/" in said) and left in ([], [".restoring"])
                    and not os.path.exists(f"{folder}/escaped") and not os.path.exists("/etc/escaped"), f"{status} {said[-300:]} {left}")
    archive(store, [good + "metrics/x"])
    with open(f"{store}/backups/a", "r+b") as f:
        f.truncate(os.path.getsize(f"{store}/backups/a") - 3)
    status, said = cairn("restore", f"--from={store}", f"--data={to}")
    cases.check("a list that is cut off", status == 1 and "list" in said, said[-300:])
    archive(store, [good + "metrics/x"])
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    os.makedirs(f"{folder}/elsewhere", exist_ok=True)
    os.symlink(f"{folder}/elsewhere", f"{to}/.restoring")
    status, said = cairn("restore", f"--from={store}", f"--data={to}")
    cases.check("a link in the way of the restore", status == 1 and ".restoring" in said and not os.listdir(f"{folder}/elsewhere"), f"{status} {said[-300:]}")
