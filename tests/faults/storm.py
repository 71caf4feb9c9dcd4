#!/usr/bin/env python3
"""Fault 14 with the whole program under ThreadSanitizer: scrapes (which go into the store as columns), remote writes, queries, deletions and
snapshots at once, then `kill -9`. `storm.py SECONDS`; the program is build-tsan's (CAIRN). No data race; every scraped value is there, in order, before
and after the kill."""
import http.server
import os
import sys
import threading
import time

from faulty import Cases, Metrics, free_port

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
TARGETS, SERIES = 6, 150


class Target(http.server.ThreadingHTTPServer):
    """Counts its scrapes; every twentieth brings series that nobody has seen."""
    daemon_threads = True

    def __init__(self):
        self.n, self.lock = 0, threading.Lock()
        super().__init__(("127.0.0.1", free_port()), Page)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def body(self):
        with self.lock:
            self.n += 1
            n = self.n
        lines = [f"tick {n}"] + [f'steady{{i="{i}"}} {n * i % 7}' for i in range(SERIES)]
        lines += [f'passing{{g="{n // 20}",i="{i}"}} {i}' for i in range(10)]
        return "\n".join(lines) + "\n"


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=C0103
        body = self.server.body().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Storm(Metrics):
    def __init__(self, targets):
        super().__init__(env={"TSAN_OPTIONS": "exitcode=66"})
        at = ", ".join(f'"127.0.0.1:{t.server_address[1]}"' for t in targets)
        with open(f"{self.dir}/nothing.yml", "w") as f:
            f.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                    f"scrape_configs: [{{job_name: storm, static_configs: [{{targets: [{at}]}}]}}]\n")

    def ticks(self, at_ms):
        """{instance: values in order of time} and the scrapes that failed."""
        rows = self.series(f"tick[{SECONDS + 600}s]", at_ms)[0]
        failed = self.series(f"up[{SECONDS + 600}s]", at_ms)[0]
        return ({dict(k)["instance"]: [v for _, v in sorted(s.items())] for k, s in rows.items()},
                {dict(k)["instance"]: sum(v == 0 for v in s.values()) for k, s in failed.items()})


def repeat(stop, wrong, what, work, pause):
    done = slow = 0
    while not stop.is_set():
        text = ""
        try:
            text = work(done)
        except TimeoutError:  # the sanitizer takes its time
            slow += 1
        except (OSError, RuntimeError) as e:
            text = str(e)
        if text:
            wrong.append(f"{what}: {text}")
        done += 1
        time.sleep(pause)
    print(f"storm: {what}: {done}, {slow} of them timed out")


def remote_write(storm):
    def work(n):
        now = time.time_ns() // 10**6
        status, text = storm.remote({"__name__": "pushed", "instance": "push", "n": str(n % 50), "g": str(n // 500)}, now - n % 3 * 1000, float(n))
        return "" if status // 100 == 2 or "duplicate" in text else f"{status} {text}"
    return work


def ask(storm):
    queries = ("sum by (i) (rate(steady[1m]))", "count({__name__=~'.+'})", "max_over_time(tick[5m])", "passing", "pushed offset 10s")

    def work(n):
        storm.get_json("metrics", "/api/v1/query", query=queries[n % len(queries)])
        storm.get_json("metrics", "/api/v1/query_range", query=queries[n % 3], start=time.time() - 120, end=time.time(), step=5)
        storm.get_json("metrics", "/api/v1/label/g/values")
        storm.get_json("metrics", "/api/v1/targets")
        return ""
    return work


def delete(storm):
    def work(n):
        status = storm.admin("delete_series", **{"match[]": f'pushed{{n="{n % 50}"}}'})
        return "" if status == 204 else str(status)
    return work


def snapshot(storm):
    def work(_):
        status = storm.admin("snapshot")
        return "" if status == 200 else str(status)
    return work


def in_order(values, failed):
    gaps = sum(b != a + 1 for a, b in zip(values, values[1:]))
    return all(a < b for a, b in zip(values, values[1:])) and gaps <= failed


def main():
    cases = Cases()
    targets, wrong, stop = [Target() for _ in range(TARGETS)], [], threading.Event()
    with Storm(targets) as storm:
        parts = (("writes", remote_write(storm), 0.01), ("queries", ask(storm), 0.05), ("more queries", ask(storm), 0.05),
                 ("deletions", delete(storm), 0.5), ("snapshots", snapshot(storm), 10))
        threads = [threading.Thread(target=repeat, args=(stop, wrong, what, work, pause)) for what, work, pause in parts]
        for t in threads:
            t.start()
        time.sleep(SECONDS)
        stop.set()
        for t in threads:
            t.join()
        now = time.time_ns() // 10**6
        values, failed = storm.ticks(now)
        cases.check("all that was asked was done", not wrong, f"{len(wrong)}: {wrong[:3]}")
        cases.check("every target was scraped", len(values) == TARGETS and all(len(v) > SECONDS / 4 for v in values.values()),
                    {k: len(v) for k, v in values.items()})
        for instance, v in sorted(values.items()):
            cases.check(f"{instance}: every scrape is there, in order", in_order(v, failed.get(instance, 0)), f"{len(v)} {failed.get(instance)} {v[-20:]}")
        storm.kill()
        said = storm.said()
        storm.start()
        cases.check("the same after kill -9", storm.ticks(now)[0] == values)
        storm.stop()
        said += storm.said()
        cases.check("no data race", "WARNING: ThreadSanitizer" not in said, said[said.find("WARNING: ThreadSanitizer"):][:6000])
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
