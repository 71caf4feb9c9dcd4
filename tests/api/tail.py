"""The live tail of the logs role over a WebSocket (RFC 6455 by hand, standard library only)."""
import base64
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from stack import Cases, Stack  # noqa: E402

PATH = "/loki/api/v1/tail"


class Tail:
    """One tail; frames() gives the decoded text frames until `seconds` pass without one."""

    def __init__(self, stack, **params):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", stack.ports["logs"]))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {PATH}?{urllib.parse.urlencode(params)} HTTP/1.1\r\nHost: localhost\r\n"
                             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline().split()[1].decode()
        while self.file.readline().strip():
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def frame(self):
        head = self.file.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        data = self.file.read(size)
        if head[0] & 15 == 9:  # a ping wants its pong, masked with zeros
            self.socket.sendall(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + data)
        return json.loads(data) if head[0] & 15 == 1 else {}

    def until(self, done, seconds=20):
        """Frames up to the one that satisfies `done` of all lines so far."""
        self.socket.settimeout(seconds)
        lines, dropped = [], []
        end = time.monotonic() + seconds
        while True:
            if time.monotonic() > end:  # pings keep a silent tail alive
                raise RuntimeError(f"not in {seconds} s: {len(lines)} lines, {len(dropped)} dropped")
            f = self.frame()
            if f is None:
                raise RuntimeError(f"the tail ended after {len(lines)} lines")
            for s in f.get("streams", []):
                lines += [(s["stream"], ns, line) for ns, line in s["values"]]
            dropped += f.get("dropped_entries") or []
            if done(lines, dropped):
                return lines, dropped


def past_then_live(cases, stack):
    now = time.time_ns()
    stack.push_lines({"job": "tail"}, [(now - 3_000_000_000 + i, f"old {i}") for i in range(5)])
    with Tail(stack, query='{job="tail"} != "not" | logfmt', limit=3) as tail:
        cases.check("the tail is upgraded", tail.status == "101", tail.status)
        threading.Timer(0.3, stack.push_lines, ({"job": "tail"}, [(time.time_ns(), "not this"), (time.time_ns() + 1, "new size=5")])).start()
        lines, _ = tail.until(lambda got, _: any(line.startswith("new") for _, _, line in got))
    cases.check("the newest of the past come first, in order, then what is stored",
                [line for _, _, line in lines] == ["old 2", "old 3", "old 4", "new size=5"], lines)
    cases.check("the pipeline runs on live lines", lines[-1][0].get("size") == "5", lines[-1])


def nothing_twice(cases, stack):
    """Lines that are stored while the past is read are sent once."""
    stop = threading.Event()
    sent = []

    def push():
        while not stop.is_set():
            sent.append(f"once {len(sent)}")
            stack.push_lines({"job": "once"}, [(time.time_ns(), sent[-1])])

    thread = threading.Thread(target=push)
    thread.start()
    time.sleep(0.3)
    try:
        with Tail(stack, query='{job="once"}', limit=1000) as tail:
            lines, _ = tail.until(lambda got, _: len(got) > 1500)
    finally:
        stop.set()
        thread.join()
    texts = [line for _, _, line in lines]
    first = sent.index(texts[0])
    cases.check("no line comes twice and none is missing", texts == sent[first:first + len(texts)], (len(texts), texts[:3]))


def slow_reader(cases, stack):
    with Tail(stack, query='{job="slow"}', limit=1) as tail:
        text = "x" * 20_000
        for batch in range(24):  # more than sockets and queues hold
            stack.push_lines({"job": "slow"}, [(time.time_ns() + i, f"{batch} {i} {text}") for i in range(100)])
        lines, dropped = tail.until(lambda _, lost: lost)
        cases.check("a reader that does not keep up is told what it lost", dropped[0]["labels"]["job"] == "slow",
                    (len(lines), dropped[:1]))
        later = [threading.Timer(0.5 * i, stack.push_lines, ({"job": "slow"}, [(time.time_ns() + i, "after the loss")])) for i in range(1, 9)]
        for timer in later:  # the first may still meet a full queue
            timer.start()
        lines, _ = tail.until(lambda got, _: got and got[-1][2] == "after the loss")
        for timer in later:
            timer.cancel()
    cases.check("and goes on from there", lines[-1][2] == "after the loss")


def refusals(cases, stack):
    for params, part in (({"query": 'rate({a="b"}[1m])'}, b"only log selector is supported"),
                         ({"query": '{a="b"}', "delay_for": "9"}, b"delay_for can't be greater than 5"),
                         ({"query": "{a="}, b"parse error at line 1"),
                         ({"query": '{a="b"}', "limit": "100000"}, b"max entries limit per query exceeded"),
                         ({"query": '{a="b"}'}, b"WebSocket")):
        status, body = stack.get("logs", PATH, **params)
        cases.check(f"{params} is refused before the upgrade", status == 400 and part in body, (status, body))


def main():
    cases = Cases()
    with Stack(demo=False) as stack:
        for case in (past_then_live, nothing_twice, slow_reader, refusals):
            cases.run(case.__name__, lambda c=case: c(cases, stack))
    sys.exit(cases.finish())


main()
