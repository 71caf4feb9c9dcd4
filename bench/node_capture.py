#!/usr/bin/env python3
"""Captures Debian's prometheus-node-exporter: SCRAPES scrapes into one file that the load generators replay.

Usage: node_capture.py FILE [SCRAPES] [SECONDS_BETWEEN]. The file: a line "cairn-capture SERIES SCRAPES", a line for each
series as the exporter writes it (name{labels}), then SCRAPES rows of SERIES little-endian doubles; NaN where a series was
absent. Series that are not in the first scrape are left out.
"""
import array
import os
import socket
import subprocess
import sys
import time
import urllib.request


def main():
    path, scrapes = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0.05
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    exporter = subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names, rows = [], []
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        for attempt in range(100):
            try:
                urllib.request.urlopen(url).read()
                break
            except OSError:
                time.sleep(0.1)
        for _ in range(scrapes):
            values = {}
            for line in urllib.request.urlopen(url).read().decode().splitlines():
                if line and not line.startswith("#"):
                    name, _, value = line.rpartition(" ")
                    values[name] = float(value)
            names = names or list(values)
            rows.append(array.array("d", [values.get(n, float("nan")) for n in names]))
            time.sleep(pause)
    finally:
        exporter.kill()
    with open(path + ".part", "wb") as f:
        f.write(f"cairn-capture {len(names)} {len(rows)}\n".encode())
        f.write("".join(n + "\n" for n in names).encode())
        for row in rows:
            f.write(row.tobytes())
    os.replace(path + ".part", path)
    print(f"{len(names)} series, {len(rows)} scrapes")


if __name__ == "__main__":
    main()
