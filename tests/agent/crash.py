"""Kills the agent again and again while a writer writes and rotates, with a receiver that fails now and then, and
expects every line at least once. Usage: crash.py CAIRN [KILLS]"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from receiver import Receiver  # noqa: E402

KEEP = 400  # rotated files; none may vanish before it is read, for that loss would be the test's own


class Writer(threading.Thread):
    """Numbered lines into PATH, rotated by renaming after a random number of them."""

    def __init__(self, path, seed):
        super().__init__(daemon=True)
        self.path, self.rng, self.stop, self.written, self.rotations = path, random.Random(seed), False, 0, 0

    def rotate(self, f):
        for i in range(min(self.rotations, KEEP), 0, -1):
            os.rename(f"{self.path}.{i}", f"{self.path}.{i + 1}")
        os.rename(self.path, f"{self.path}.1")
        self.rotations += 1
        late = f"late {os.path.basename(self.path)} {self.rotations}\n"
        f.write(late.encode())  # a writer that has not reopened yet
        f.close()
        return open(self.path, "ab", buffering=0)

    def run(self):
        f = open(self.path, "ab", buffering=0)
        name = os.path.basename(self.path)
        until_rotation = self.rng.randint(200, 4000)
        while not self.stop:
            n = self.rng.randint(1, 60)
            lines = [f"{name} {self.written + i} {'x' * self.rng.randint(0, 200)}\n" for i in range(n)]
            data = "".join(lines).encode()
            cut = self.rng.randint(0, len(data))
            f.write(data[:cut])
            f.write(data[cut:])
            self.written += n
            until_rotation -= n
            if until_rotation <= 0:
                f = self.rotate(f)
                until_rotation = self.rng.randint(200, 4000)
            time.sleep(0.002)


def start(cairn, folder):
    return subprocess.Popen([cairn, "serve", "--role=agent", f"--data={folder}/data", f"-config.file={folder}/agent.yml"],
                            stdout=subprocess.DEVNULL, stderr=open(f"{folder}/agent.log", "ab"))


def known(folder):
    try:
        with open(f"{folder}/positions.yaml") as f:
            text = f.read()
        return all(f"{name}.log" in text for name in "abc")
    except OSError:
        return False


def missing(receiver, writers):
    out = []
    with receiver.lock:
        seen = {b" ".join(line.split(b" ")[:2]) for line in receiver.lines if not line.startswith(b"late")}
        late = {line for line in receiver.lines if line.startswith(b"late")}
    for w in writers:
        name = os.path.basename(w.path)
        out += [f"{name} {i}" for i in range(w.written) if f"{name} {i}".encode() not in seen]
        out += [f"late {name} {i}" for i in range(1, w.rotations + 1) if f"late {name} {i}".encode() not in late]
    return out


def main():
    cairn, kills = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    seed = int(os.environ.get("CAIRN_TEST_SEED", "1"))
    rng = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="cairn-agent-crash-")
    receiver = Receiver(status=lambda i: 503 if i % 7 == 3 else 204)
    os.mkdir(f"{folder}/logs")
    with open(f"{folder}/agent.yml", "w") as f:
        f.write(f"""
server: {{http_listen_address: 127.0.0.1, http_listen_port: 0}}
positions: {{filename: {folder}/positions.yaml, sync_period: 200ms}}
clients:
- {{url: "{receiver.url}", batchwait: 50ms, batchsize: 65536, backoff_config: {{min_period: 20ms, max_period: 100ms}}}}
scrape_configs:
- job_name: crash
  static_configs:
  - {{labels: {{job: crash, __path__: "{folder}/logs/*.log"}}}}
""")
    writers = [Writer(f"{folder}/logs/{name}.log", seed + i) for i, name in enumerate("abc")]
    for w in writers:
        w.start()
    for kill in range(kills):
        agent = start(cairn, folder)
        while kill == 0 and not known(folder):
            time.sleep(0.01)  # what the agent never heard of and is gone when it comes again is not its to find
        time.sleep(rng.uniform(0.3, 1.5))  # not for being right: when the kill comes is part of the test
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 0.5))
    for w in writers:
        w.stop = True
    for w in writers:
        w.join()
    agent = start(cairn, folder)
    done = receiver.wait(lambda _: True, 1)
    end = time.time() + 60
    while (lost := missing(receiver, writers)) and time.time() < end:
        time.sleep(0.2)
    agent.terminate()
    agent.wait(20)
    with receiver.lock:
        total = sum(receiver.lines.values())
    written = sum(w.written + w.rotations for w in writers)
    rotations = sum(w.rotations for w in writers)
    print(f"{kills} kills, {rotations} rotations, {written} lines written, {total - (written - len(lost))} delivered twice, "
          f"{len(lost)} lost", lost[:5] if lost else "")
    if lost or not done:
        print(f"kept: {folder}")
        print("0 passed, 1 failed")
        return 1
    shutil.rmtree(folder)
    print("1 passed, 0 failed")
    return 0


sys.exit(main())
