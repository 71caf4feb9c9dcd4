"""The scenario kernel of boot.py: one small instance from the rendered user data on a kernel of its own, in qemu: what needs more than systemd-nspawn
has. Swap, memory as small as a t4g.nano's, a reboot of the machine, and the power cut. With KVM where it works; without it takes half an hour.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import time

from machine import BRIDGE, NETWORK, Machine, sh, write
from nodes import ARCH, packages_publish, query, quiet, ready, render

MEMORY_MB = 448  # what a t4g.nano's 512 MB leave to its kernel
DISK_GB = 8
QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[ARCH]
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}[ARCH]
SLOW = 10  # an emulated processor, on a machine that has other work
KERNEL_PACKAGES = [f"linux-image-cloud-{ARCH}", "openssh-server", "initramfs-tools"]


def boot_files(tree):
    return [f"{tree}/boot/" + sorted(f for f in os.listdir(f"{tree}/boot") if f.startswith(name))[-1] for name in ("vmlinuz-", "initrd.img-")]


def accelerated(tree):
    """The arguments of a machine with KVM when a kernel comes up on it, else of one without."""
    board = "virt" if ARCH == "arm64" else "q35"
    # Nested virtualisation does not let every host's ARCH_CAPABILITIES through.
    kvm = ["-machine", board, "-enable-kvm", "-cpu", "host" if ARCH == "arm64" else "host,-arch-capabilities"]
    if os.path.exists("/dev/kvm"):
        try:
            done = sh(QEMU, *kvm, "-m", f"{MEMORY_MB}M", "-kernel", boot_files(tree)[0], "-append", f"console={CONSOLE} panic=-1", "-no-reboot", "-display", "none",
                      "-serial", "stdio", "-monitor", "none", check=False, timeout=30, stdin=subprocess.DEVNULL)
            if "Linux version" in done.stdout:
                return kvm
        except subprocess.TimeoutExpired:
            pass
    print("kernel: KVM does not work here, so the processor is emulated", flush=True)
    return ["-machine", board, "-accel", "tcg", "-cpu", "max"]


def disk_make(network, base, folder, public_key):
    """A disk with the base, a kernel and an ssh server; the packages come over the network's archive. Made once, the key is put in at the end."""
    tree, stamp = f"{os.path.dirname(base)}/kernel", " ".join(KERNEL_PACKAGES)
    if not os.path.exists(f"{tree}/.made-of") or open(f"{tree}/.made-of", encoding="utf-8").read() != stamp:
        shutil.rmtree(tree, ignore_errors=True)
        sh("cp", "-a", base, tree)
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        sh("chroot", tree, "apt-get", "-qq", "update", env=env)
        sh("chroot", tree, "apt-get", "-qq", "-y", "--no-install-recommends", "install", *KERNEL_PACKAGES, env=env)
        write(f"{tree}/.made-of", stamp)
    write(f"{tree}/etc/fstab", "/dev/vda / ext4 defaults,discard 0 1\n")
    write(f"{tree}/etc/network/interfaces", f"auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n  address {NETWORK}.40/24\n")
    write(f"{tree}/root/.ssh/authorized_keys", public_key, 0o600)
    shutil.copy(network.cert, f"{tree}/usr/local/share/ca-certificates/mirror.crt")
    sh("chroot", tree, "update-ca-certificates")
    write(f"{tree}/etc/hostname", "cairnboot-kernel\n")
    write(f"{tree}/etc/hosts", "127.0.0.1 localhost cairnboot-kernel\n")
    sh("truncate", "-s", f"{DISK_GB}G", f"{folder}/disk.img")
    return tree


class Virtual(Machine):
    """A Machine in qemu. Its root is reached by ssh only."""
    machine = None

    def wait_for(self, what, condition, seconds=120):
        return super().wait_for(what, condition, seconds if "-enable-kvm" in (self.machine or []) else seconds * SLOW)

    def __enter__(self):
        os.makedirs(self.folder)
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/key")
        with open(f"{self.folder}/key.pub", encoding="utf-8") as f:
            self.root = disk_make(self.network, self.base, self.folder, f.read())
        self.tap = "cb-kernel"
        sh("ip", "tuntap", "add", self.tap, "mode", "tap")
        sh("ip", "link", "set", self.tap, "master", BRIDGE, "up")
        return self

    def __exit__(self, *_):
        self.cut_power()
        sh("ip", "link", "del", self.tap, check=False)

    def user_data(self, text):
        seed = f"{self.root}/var/lib/cloud/seed/nocloud"
        write(f"{seed}/user-data", text)
        write(f"{seed}/meta-data", f"instance-id: i-{self.name}\nlocal-hostname: {self.name}\n")
        sh("mkfs.ext4", "-q", "-F", "-d", self.root, f"{self.folder}/disk.img")
        shutil.rmtree(f"{self.root}/var/lib/cloud/seed")

    def start(self):
        self.boot_offset = os.path.getsize(self.console_path) if os.path.exists(self.console_path) else 0
        kernel, initrd = boot_files(self.root)
        self.machine = self.machine or accelerated(self.root)
        with open(self.console_path, "ab") as console:
            self.process = subprocess.Popen(
                [QEMU, *self.machine, "-smp", "1", "-m", f"{MEMORY_MB}M", "-kernel", kernel, "-initrd", initrd,
                 "-append", f"root=/dev/vda rw net.ifnames=0 console={CONSOLE}",
                 "-drive", f"file={self.folder}/disk.img,if=virtio,format=raw,discard=unmap", "-netdev", f"tap,id=n,ifname={self.tap},script=no,downscript=no",
                 "-device", "virtio-net-pci,netdev=n", "-display", "none", "-serial", "stdio", "-monitor", "none"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self.wait_for("ssh, or the end", lambda: not self.leader() or self.run("true", check=False).returncode == 0, 300)
        if not self.leader():
            raise RuntimeError(f"{QEMU} ended with {self.process.returncode}:\n{self.console()[-800:]}")

    def run(self, *args, check=True, timeout=300, env=None):
        words = ["ssh", "-q", "-i", f"{self.folder}/key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20",
                 f"root@{self.address}", shlex.join(["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *[f"{k}={v}" for k, v in (env or {}).items()], *args])]
        return sh(*words, check=check, timeout=timeout)

    def leader(self):
        return self.process and self.process.poll() is None

    def boots(self):
        return self.out("cat", "/proc/sys/kernel/random/boot_id")

    def reboot(self):
        """By the machine itself; qemu goes on."""
        before = self.boots()
        self.boot_offset = os.path.getsize(self.console_path)
        self.run("systemctl", "reboot", check=False)
        self.wait_for("another boot", lambda: self.boots() not in ("", before), 180)

    def cut_power(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


def settled(m):
    m.wait_for("the end of the boot", lambda: m.state() in ("running", "degraded"), 300)
    return quiet(m)


def small(c, m):
    """Half a gigabyte is enough, with the swap that the bootstrap made first."""
    swap = m.out("swapon", "--show=NAME,SIZE", "--bytes", "--noheadings").split()
    c.check("the swap file is in use", len(swap) == 2 and swap[0] == "/swapfile" and int(swap[1]) > 500 << 20, swap)
    c.check("only root reads it, and it comes back at the next boot", m.out("stat", "-c", "%a", "/swapfile") == "600" and "/swapfile none swap" in m.out("cat", "/etc/fstab"))
    c.check("nothing was killed for memory", not re.search(r"Out of memory|oom-kill", m.out("dmesg")))
    free = dict(re.findall(r"(?m)^(\w+): +(\d+)", m.out("cat", "/proc/meminfo")))
    rss = int(re.search(r"VmRSS:\s+(\d+)", m.out("cat", f"/proc/{m.pid('cairn')}/status")).group(1))
    print(f"kernel: {int(free['MemTotal']) >> 10} MiB, of which {int(free['MemAvailable']) >> 10} are free; cairn has {rss >> 10} MiB; "
          f"{(int(free['SwapTotal']) - int(free['SwapFree'])) >> 10} MiB are swapped out")


def updates(c, m):
    timers = m.out("systemctl", "list-timers", "--plain", "--no-legend")
    c.check("unattended upgrades are on", "apt-daily-upgrade.timer" in timers and 'APT::Periodic::Unattended-Upgrade "1"' in m.out("apt-config", "dump"), timers)
    done = m.run("unattended-upgrade", "--dry-run", "--verbose", check=False, timeout=1800)
    c.check("and would work", done.returncode == 0 and "Debian-Security" in done.stdout + done.stderr, (done.stdout + done.stderr)[-800:])
    c.check("without an end for want of memory", not re.search(r"Out of memory|oom-kill", m.out("dmesg")))


def after_boot(c, m, start, what):
    c.run(f"{what}: it runs", m.wait_for, "cairn", lambda: m.active("cairn"))
    c.run(f"{what}: it has its data", m.wait_for, "old samples", lambda: query(m, f"count_over_time(up[1h] @ {start})"))
    c.run(f"{what}: and goes on", m.wait_for, "a new scrape", lambda: query(m, "flask_app_info"))
    c.check(f"{what}: the swap file is in use", "/swapfile" in m.out("cat", "/proc/swaps"))
    c.check(f"{what}: the bootstrap does not run again", "cairn-bootstrap:" not in m.console())
    c.run(f"{what}: no unit has failed", settled, m)


def scenario_kernel(c, network, base):
    if not shutil.which(QEMU):
        print(f"skipped: kernel: there is no {QEMU}")
        return
    data = render(network.work, packages_publish(), ['topology = "single"'])["user_data"]
    with Virtual(network, base, "kernel", 40) as m:
        m.user_data(data["all"])
        started = time.monotonic()
        m.start()
        said = ready(m)
        c.check("the console says READY", "READY: role all" in said, said + m.console()[-1500:])
        print(f"kernel: READY {time.monotonic() - started:.0f} s after power on")
        c.run("the application is scraped", m.wait_for, "a scrape", lambda: query(m, "sum(flask_app_request_count)"))
        for port, page in ((3000, "/api/health"), (5000, "/health"), (9090, "/-/ready")):
            c.check(f"port {port} answers from outside", m.get(port, page)[0] == 200)
        c.run("no unit has failed", settled, m)
        small(c, m)
        updates(c, m)
        start = int(float(query(m, "vector(time())")[0]["value"][1]))
        m.reboot()
        after_boot(c, m, start, "rebooted")
        start = int(float(query(m, "vector(time())")[0]["value"][1]))
        c.run("a sample of now is on the disk", m.wait_for, "a sample", lambda: query(m, f"timestamp(flask_app_info) > {start}"))
        start = int(float(query(m, "timestamp(flask_app_info)")[0]["value"][1]))
        m.run("sync")
        m.cut_power()
        m.start()
        after_boot(c, m, start, "after a power cut")
        c.run("the last sample before it is there", lambda: json.dumps(query(m, f"flask_app_info @ {start}")) != "[]")
