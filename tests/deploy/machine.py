"""Machines for tests/deploy/boot.py: Debian 12 in a folder, booted by systemd-nspawn, each with an address of its own on a bridge. Needs
root. A machine's disk is an overlay over one base that is made once; its upper part may be a small file system, to be filled.

What a machine reaches: SERVER, where this process forwards Debian's archive (Archive) and serves packages over https (Mirror). Runs may go on
beside each other: each has a network of its own, and names that carry its number.
"""
import contextlib
import fcntl
import http.server
import os
import shutil
import ssl
import subprocess
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUMBER = next(n for n in range(77, 255) if not os.path.exists(f"/sys/class/net/cairnboot{n}"))  # that no other run has taken
NETWORK = f"10.231.{NUMBER}"
SERVER = f"{NETWORK}.1"
ARCHIVE_PORT, MIRROR_PORT = 3142, 8443
BRIDGE = f"cairnboot{NUMBER}"
# What Debian's cloud image has and a minimal Debian lacks.
BASE_PACKAGES = ["systemd-sysv", "dbus", "cloud-init", "apt-utils", "sudo", "udev"]


def sh(*args, check=True, timeout=900, **kw):
    done = subprocess.run(args, capture_output=True, text=True, timeout=timeout, check=False, **kw)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


@contextlib.contextmanager
def alone(path):
    """Nobody else is in here with the same path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def network_name(root, certificate):
    """What a Debian in `root` knows of this run's network: the way to the archive, and whom to trust."""
    write(f"{root}/etc/apt/apt.conf.d/90test", f'Acquire::http::Proxy "http://{SERVER}:{ARCHIVE_PORT}";\n')
    shutil.copy(certificate, f"{root}/usr/local/share/ca-certificates/mirror.crt")
    sh("chroot", root, "update-ca-certificates")


def base_make(folder):
    """The base that every machine lies on; made once, used again while the list of its packages is the same."""
    with alone(f"{folder}.lock"):
        base_make_alone(folder)


def base_make_alone(folder):
    stamp = f"{folder}/.made-of"
    if os.path.exists(stamp) and open(stamp, encoding="utf-8").read() == " ".join(BASE_PACKAGES):
        return
    shutil.rmtree(folder, ignore_errors=True)
    mirror = os.environ.get("MIRROR", "http://deb.debian.org/debian")
    sh("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", folder, mirror)
    write(f"{folder}/etc/apt/sources.list", f"deb {mirror} bookworm main\ndeb {mirror} bookworm-updates main\n"
          "deb http://deb.debian.org/debian-security bookworm-security main\n")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    sh("chroot", folder, "apt-get", "-qq", "update", env=env)
    sh("chroot", folder, "apt-get", "-qq", "-y", "--no-install-recommends", "install", *BASE_PACKAGES, env=env)
    write(f"{folder}/etc/cloud/cloud.cfg.d/99-test.cfg", "datasource_list: [NoCloud]\nnetwork: {config: disabled}\nlocale: C.UTF-8\n")
    write(f"{folder}/etc/machine-id", "")
    write(stamp, " ".join(BASE_PACKAGES))


class Archive(http.server.BaseHTTPRequestHandler):
    """An http proxy in front of Debian's archive; with `down` it answers 503."""
    down = False
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if Archive.down or not self.path.startswith("http://"):
            self.send_error(503)
            return
        ask = urllib.request.Request(self.path, headers={k: v for k, v in self.headers.items() if k.lower() in ("if-modified-since", "range")})
        try:
            with urllib.request.urlopen(ask, timeout=60) as answer:
                body, status, headers = answer.read(), answer.status, answer.headers
        except urllib.error.HTTPError as e:
            body, status, headers = e.read(), e.code, e.headers
        except OSError:
            self.send_error(502)
            return
        self.send_response(status)
        for name in ("Last-Modified", "Content-Type", "Content-Range", "ETag"):
            if headers.get(name):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body) if status != 304 else 0))
        self.end_headers()
        self.wfile.write(body if status != 304 else b"")

    def log_message(self, *_):
        pass


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves /FOLDER/FILE from `files` (path -> bytes); what it has not is 404."""
    files = {}

    def do_GET(self):
        body = Mirror.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Network:
    """The bridge, the archive and the mirror. A context manager."""

    def __init__(self, work):
        self.work, self.servers = work, []

    def __enter__(self):
        sh("ip", "link", "add", "name", BRIDGE, "type", "bridge")
        sh("ip", "addr", "add", f"{SERVER}/24", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
        self.cert = f"{self.work}/mirror.crt"
        sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{self.work}/mirror.key", "-out", self.cert, "-days", "2",
           "-subj", "/CN=mirror", "-addext", f"subjectAltName=IP:{SERVER}")
        archive = http.server.ThreadingHTTPServer((SERVER, ARCHIVE_PORT), Archive)
        mirror = http.server.ThreadingHTTPServer((SERVER, MIRROR_PORT), Mirror)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, f"{self.work}/mirror.key")
        mirror.socket = context.wrap_socket(mirror.socket, server_side=True)
        for server in (archive, mirror):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        sh("ip", "link", "del", BRIDGE, check=False)


class Machine:
    """One Debian. A context manager: made on entry, stopped and removed on exit. start() boots it."""

    def __init__(self, network, base, name, host, disk_mb=None):
        self.name, self.address, self.link = f"cairnboot{NUMBER}-{name}", f"{NETWORK}.{host}", f"cb{NUMBER}-{host}"
        self.network, self.base, self.disk_mb = network, base, disk_mb
        self.folder = f"{network.work}/{name}"
        self.root = f"{self.folder}/root"
        self.console_path = f"{self.folder}/console.log"
        self.process, self.boot_offset = None, 0

    def __enter__(self):
        upper = f"{self.folder}/disk"
        os.makedirs(self.root)
        os.makedirs(upper)
        if self.disk_mb:
            sh("truncate", "-s", f"{self.disk_mb}M", f"{self.folder}/disk.img")
            sh("mkfs.ext4", "-q", "-m", "0", f"{self.folder}/disk.img")
            sh("mount", "-o", "loop", f"{self.folder}/disk.img", upper)
        os.makedirs(f"{upper}/upper")
        os.makedirs(f"{upper}/work")
        sh("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={self.base},upperdir={upper}/upper,workdir={upper}/work", self.root)
        sh("ip", "netns", "add", self.name)
        sh("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "link", "set", self.link, "master", BRIDGE, "up")
        for args in (["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            sh("ip", "-n", self.name, *args)
        network_name(self.root, self.network.cert)
        write(f"{self.root}/etc/hostname", self.name + "\n")
        write(f"{self.root}/etc/cloud/cloud-init.disabled", "")
        write(f"{self.root}/etc/hosts", f"127.0.0.1 localhost {self.name}\n")
        return self

    def __exit__(self, *_):
        self.stop()
        sh("ip", "link", "del", self.link, check=False)  # at once; with its namespace it would go some time later
        sh("ip", "netns", "del", self.name, check=False)
        for path in (self.root, f"{self.folder}/disk"):
            sh("umount", path, check=False)

    def user_data(self, text):
        """What cloud-init finds at the first boot; without it cloud-init stays away."""
        os.remove(f"{self.root}/etc/cloud/cloud-init.disabled")
        seed = f"{self.root}/var/lib/cloud/seed/nocloud"
        write(f"{seed}/user-data", text)
        write(f"{seed}/meta-data", f"instance-id: i-{self.name}\nlocal-hostname: {self.name}\n")

    def start(self):
        self.boot_offset = os.path.getsize(self.console_path) if os.path.exists(self.console_path) else 0
        with open(self.console_path, "ab") as console:
            self.process = subprocess.Popen(["systemd-nspawn", "-q", "-D", self.root, "-M", self.name, "--keep-unit", "--register=no",
                                             f"--network-namespace-path=/run/netns/{self.name}", "--console=read-only",
                                             "--resolv-conf=off", "-b"], stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self.wait_for("systemd to be up", lambda: self.state() in ("running", "degraded"), 180)

    def leader(self):
        children = sh("pgrep", "-P", str(self.process.pid), check=False).stdout.split()
        return children[0] if children else None

    def run(self, *args, check=True, timeout=300, env=None):
        """A command inside, as root."""
        pid = self.leader()
        if not pid:
            raise RuntimeError(f"{self.name} does not run:\n{self.console()[-1500:]}")
        words = ["nsenter", "-t", pid, "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
        return sh(*words, *[f"{k}={v}" for k, v in (env or {}).items()], *args, check=check, timeout=timeout)

    def out(self, *args):
        return self.run(*args, check=False).stdout.strip()

    def state(self):
        return self.out("systemctl", "is-system-running") if self.leader() else "off"

    def active(self, unit):
        return self.out("systemctl", "is-active", unit) == "active"

    def pid(self, unit):
        return self.out("systemctl", "show", "--value", "-p", "MainPID", unit)

    def journal(self, unit):
        return self.out("journalctl", "-b", "--no-pager", "-o", "cat", "-u", unit)

    def console(self):
        """What the console showed since the last start."""
        with open(self.console_path, "rb") as f:
            f.seek(self.boot_offset)
            return f.read().decode(errors="replace")

    def get(self, port, path, timeout=10, headers=None):
        """(status, text) of a page of the machine, asked from outside."""
        ask = urllib.request.Request(f"http://{self.address}:{port}{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(ask, timeout=timeout) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(errors="replace")
        except OSError as e:
            return 0, str(e)

    def wait_for(self, what, condition, seconds=120):
        until = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name}: waited {seconds} s for {what}\n{self.console()[-1500:]}")
            time.sleep(0.5)

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.leader():
                self.run("systemctl", "poweroff", check=False)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def reboot(self):
        self.run("systemctl", "reboot", check=False)
        if self.process.wait(120) != 133:
            raise RuntimeError(f"{self.name} did not reboot: {self.process.returncode}\n{self.console()[-1500:]}")
        self.start()
