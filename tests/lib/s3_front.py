"""A front before the real S3 server of s3_server.py. It checks every signature by its own hand, knows session tokens and their end,
speaks TLS when given a certificate, and does to single requests what networks and stores do: see `Fault`."""
import datetime
import hashlib
import hmac
import http.client
import http.server
import ssl
import threading
import urllib.parse

from s3_server import KEY, SECRET


def sign(method, path, query, headers, names, digest, stamp, region, secret, service="s3"):
    """The signature of a request whose path and query are encoded already."""
    lines = "".join(f"{n}:{' '.join(headers[n].split())}\n" for n in names)
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n{digest}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def error(code, message="said by the test"):
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()


class Fault:
    """What happens to the next `times` requests that match.

    how: slow_down, internal, no_bucket, skew, html, error_200 (answered without asking the store); after_500, after_drop (the store did its
    work, the answer is lost); truncated (the connection ends in the middle of the answer), short (whole, but of half the bytes), flipped
    (one bit of the answer), altered (one bit of the request), wrong_etag, stale (a listing without its last key), hold (until go_on)."""

    def __init__(self, how, method="", part="", times=1, query="", skip=0):
        self.how, self.method, self.part, self.times, self.query, self.skip = how, method, part, times, query, skip

    def takes(self, method, path, query):
        fits = self.times > 0 and self.method in ("", method) and self.part in path and self.query in query
        if fits and self.skip > 0:
            self.skip -= 1
            return False
        self.times -= fits
        return fits


class Front:
    """keys: {key id: (secret, token or "")}; a token in `ended` has ended."""

    def __init__(self, s3, certificate=None, keys=None):
        self.s3, self.keys, self.ended, self.faults, self.seen = s3, keys or {KEY: (SECRET, "")}, set(), [], []
        self.watch, self.held, self.go_on = None, threading.Event(), threading.Event()
        self.domain = None  # "localhost": buckets are part of the name too
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                front.handle(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that does not like us hangs up

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def place(self, prefix, host="127.0.0.1"):
        return f"s3://{self.s3.bucket}/{prefix}?endpoint={self.scheme}://{host}:{self.port}"

    def count(self, method, part="", query=""):
        return sum(m == method and part in p and query in q for m, p, q in self.seen)

    # -- one request --------------------------------------------------------------------------------------------

    def handle(self, r):
        path, _, query = r.path.partition("?")
        body = r.rfile.read(int(r.headers.get("Content-Length") or 0))
        self.seen.append((r.command, path, query))
        if self.watch:
            self.watch()
        wrong = self.check(r, path, query, body)
        if wrong:
            return self.answer(r, wrong[0], {}, error(wrong[1]))
        fault = next((f for f in self.faults if f.takes(r.command, path, query)), None)
        return self.disturbed(r, path, query, body, fault.how if fault else "")

    def check(self, r, path, query, body):
        """(status, code) when the request is not signed as it must be."""
        try:
            fields = dict(f.strip().split("=", 1) for f in r.headers["Authorization"].split(" ", 1)[1].split(","))
            key, day, region, service, _ = fields["Credential"].split("/")
            names, stamp = fields["SignedHeaders"].split(";"), r.headers["x-amz-date"]
        except (KeyError, ValueError, AttributeError, TypeError):
            return 403, "AccessDenied"
        if key not in self.keys:
            return 403, "InvalidAccessKeyId"
        secret, token = self.keys[key]
        headers = {k.lower(): v for k, v in r.headers.items()}
        must = {"host"} | {h for h in headers if h.startswith("x-amz-")}
        digest = hashlib.sha256(body).hexdigest()
        if not must <= set(names) or headers.get("x-amz-content-sha256") != digest:
            return 400, "XAmzContentSHA256Mismatch"
        good = sign(r.command, path, query, headers, names, digest, stamp, region, secret)
        if good != fields["Signature"] or not stamp.startswith(day) or service != "s3":
            return 403, "SignatureDoesNotMatch"
        if headers.get("x-amz-security-token", "") != token:
            return 403, "InvalidToken"
        return (400, "ExpiredToken") if token in self.ended else None

    def forward(self, r, path, query, body):
        host = r.headers["Host"].split(":")[0]
        if self.domain and host.endswith("." + self.domain):
            path = f"/{host[:-len(self.domain) - 1]}{path}"
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": f"127.0.0.1:{self.s3.port}", "x-amz-date": stamp, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        for name in ("range", "if-none-match", "content-type", "content-md5"):
            if r.headers.get(name):
                headers[name] = r.headers[name]
        names = sorted(headers)
        signature = sign(r.command, path, query, headers, names, headers["x-amz-content-sha256"], stamp, "us-east-1", SECRET)
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={KEY}/{stamp[:8]}/us-east-1/s3/aws4_request,"
                                    f"SignedHeaders={';'.join(names)},Signature={signature}")
        c = http.client.HTTPConnection("127.0.0.1", self.s3.port, timeout=60)
        try:
            c.request(r.command, path + (f"?{query}" if query else ""), body=body or None, headers=headers)
            got = c.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            c.close()

    def disturbed(self, r, path, query, body, how):
        plain = {"slow_down": (503, "SlowDown"), "internal": (500, "InternalError"), "no_bucket": (404, "NoSuchBucket"),
                 "error_200": (200, "InternalError")}
        if how in plain:
            return self.answer(r, plain[how][0], {}, error(plain[how][1]))
        if how == "hold":
            self.held.set()
            self.go_on.wait(60)
        if how == "altered":
            body = bytes([body[0] ^ 1]) + body[1:]
        if how == "html":
            return self.answer(r, 200, {"Content-Type": "text/html"}, b"<html>please sign in</html>")
        if how == "skew":
            there = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=20)
            return self.answer(r, 403, {"Date": there.strftime("%a, %d %b %Y %H:%M:%S GMT")}, error("RequestTimeTooSkewed"))
        status, headers, got = self.forward(r, path, query, body)
        if how == "after_500":
            return self.answer(r, 500, {}, error("InternalError"))
        if how in ("after_drop", "truncated"):
            if how == "truncated":
                r.send_response(status)
                r.send_header("Content-Length", str(len(got)))
                r.end_headers()
                r.wfile.write(got[:len(got) // 2])
            r.close_connection = True
            return None
        if how == "short":
            got = got[:len(got) // 2]
        if how == "flipped" and got:
            got = bytes([got[0] ^ 1]) + got[1:]
        if how == "wrong_etag":
            headers = {k: v for k, v in headers.items() if k.lower() != "etag"} | {"ETag": '"' + "0" * 32 + '"'}
        if how == "stale" and b"<Contents>" in got:
            begin, end = got.rindex(b"<Contents>"), got.rindex(b"</Contents>") + len(b"</Contents>")
            got = got[:begin] + got[end:]
        return self.answer(r, status, headers, got)

    def answer(self, r, status, headers, body):
        r.send_response_only(status)
        length = headers.get("Content-Length", len(body)) if r.command == "HEAD" else len(body)
        if "Date" not in headers:
            r.send_header("Date", r.date_time_string())
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                r.send_header(name, value)
        r.send_header("Content-Length", str(length))
        r.end_headers()
        if r.command != "HEAD":
            r.wfile.write(body)
        return None
