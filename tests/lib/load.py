"""Writers that load a Stack and remember what it acknowledged, and what a query then misses of that."""
import threading
import time

SERIES_PER_WRITER = 20


class Writer(threading.Thread):
    """Sends one request after the other; remembers what was acknowledged."""

    def __init__(self, stack, number):
        super().__init__(daemon=True)
        self.stack, self.number, self.stop_now = stack, number, False
        self.counter, self.acknowledged = 0, []

    def run(self):
        while not self.stop_now:
            try:
                n = self.counter
                self.counter += 1
                if self.send(n):
                    self.acknowledged.append(n)
            except OSError:
                time.sleep(0.02)


class SampleWriter(Writer):
    base = int(time.time() * 1000) - 3_000_000

    def send(self, n):
        ts = self.base + n
        return self.stack.remote_write([
            ({"__name__": "crash_total", "job": "crash", "instance": str(self.number), "series": str(s)},
             [(ts, float(n * 100 + s))]) for s in range(SERIES_PER_WRITER)]) in (200, 204)

    def lost(self, stack, acknowledged=None):
        """Acknowledged samples that no query finds, by a range selector over each chunk of time."""
        found = {}
        last = self.counter
        query = f'crash_total{{instance="{self.number}"}}'
        for at in range(0, last + 1, 20000):
            end = self.base + min(at + 20000, last + 1)
            for series in stack.instant(f"{query}[20001ms]", time=f"{end / 1000:.3f}"):
                kept = found.setdefault(int(series["metric"]["series"]), {})
                for t, v in series["values"]:
                    kept[round(t * 1000) - self.base] = float(v)
        return [(n, s) for n in (self.acknowledged if acknowledged is None else acknowledged)
                for s in range(SERIES_PER_WRITER) if found.get(s, {}).get(n) != float(n * 100 + s)]


class LineWriter(Writer):
    base = time.time_ns() - 3_000 * 10**9

    def send(self, n):
        return self.stack.push_lines({"job": "crash", "writer": str(self.number)},
                                     [(self.base + n * 1000, f"line {self.number} {n}")]) in (200, 204)

    def lost(self, stack, acknowledged=None):
        found, start = set(), self.base
        while True:
            data = stack.get_json("logs", "/loki/api/v1/query_range", query=f'{{job="crash", writer="{self.number}"}}',
                                  start=start, end=self.base + 10**12, limit=5000, direction="forward")
            entries = [e for stream in data["data"]["result"] for e in stream["values"]]
            fresh = {e[1] for e in entries} - found
            found |= fresh
            if len(entries) < 5000 or not fresh:
                break
            start = max(int(e[0]) for e in entries)
        return [n for n in (self.acknowledged if acknowledged is None else acknowledged)
                if f"line {self.number} {n}" not in found]
