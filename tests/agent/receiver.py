"""A minimal Loki push receiver: snappy block format and protobuf decoded by hand, so that the agent is checked
against the formats' definitions and not against Cairn's own code."""
import http.server
import json
import threading
import time


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def snappy_decode(data):
    """https://github.com/google/snappy/blob/main/format_description.txt"""
    size, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            n = tag >> 2
            if n >= 60:
                width = n - 59
                n = int.from_bytes(data[at:at + width], "little")
                at += width
            out += data[at:at + n + 1]
            at += n + 1
            continue
        if kind == 1:
            n, offset = ((tag >> 2) & 7) + 4, ((tag >> 5) << 8) | data[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            n, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        if offset >= n:
            start = len(out) - offset
            out += out[start:start + n]
        else:
            for _ in range(n):
                out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            n, at = varint(data, at)
            value, at = data[at:at + n], at + n
        else:
            raise ValueError(f"wire type {tag & 7}")
        yield tag >> 3, value


def decode_push(body):
    """[(labels, [(ts_ns, line, metadata)])]"""
    streams = []
    for number, stream in fields(body):
        if number != 1:
            continue
        labels, entries = "", []
        for f, value in fields(stream):
            if f == 1:
                labels = value.decode()
            elif f == 2:
                ts, line, meta = 0, b"", {}
                for g, v in fields(value):
                    if g == 1:
                        parts = dict(fields(v))
                        ts = parts.get(1, 0) * 10**9 + parts.get(2, 0)
                    elif g == 2:
                        line = v
                    elif g == 3:
                        pair = dict(fields(v))
                        meta[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
                entries.append((ts, line, meta))
        streams.append((labels, entries))
    return streams


class Receiver:
    """Counts lines; `status` may be a number or a function of the request's index."""

    def __init__(self, status=204, keep=True):
        self.status, self.keep = status, keep
        self.lock = threading.Lock()
        self.requests = 0
        self.lines = {}  # line -> times
        self.streams = {}  # labels -> [(ts, line, metadata)]
        self.headers = []
        self.bytes = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = owner.take(body, dict(self.headers.items()))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a killed agent leaves its connections; that is the point

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/loki/api/v1/push"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body, headers):
        with self.lock:
            index = self.requests
            self.requests += 1
            self.headers.append(headers)
            self.bytes += len(body)
        status = self.status(index) if callable(self.status) else self.status
        if status // 100 != 2:
            return status
        if not self.keep:
            return status
        for labels, entries in decode_push(snappy_decode(body)):
            with self.lock:
                kept = self.streams.setdefault(labels, [])
                for entry in entries:
                    kept.append(entry)
                    self.lines[entry[1]] = self.lines.get(entry[1], 0) + 1
        return status

    def wait(self, condition, timeout=30):
        """Polls; the timeout only bounds a failure."""
        end = time.time() + timeout
        while time.time() < end:
            with self.lock:
                if condition(self):
                    return True
            time.sleep(0.02)
        return False

    def stop(self):
        self.server.shutdown()


if __name__ == "__main__":
    receiver = Receiver()
    print(receiver.url, flush=True)
    while True:
        time.sleep(1)
        with receiver.lock:
            print(json.dumps({"lines": sum(receiver.lines.values()), "streams": list(receiver.streams)}), flush=True)
