"""The scenario kernel of boot.py: one small instance from the rendered user data on a kernel of its own, in qemu: what needs more than systemd-nspawn
has. Swap, memory as small as a t4g.nano's, a reboot of the machine, and power cuts while it is written to: one with the durability that the units have,
`interval`, and one with `sync`. With KVM where it works; with an emulated processor it takes half an hour.
"""
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import time

from load import LineWriter, SampleWriter
from machine import BRIDGE, NETWORK, NUMBER, Machine, network_name, sh, write
from nodes import ARCH, packages_publish, query, quiet, ready, render
from platter import Platter
from room import PORTS
from stack import Stack

MEMORY_MB = 448  # what a t4g.nano's 512 MB leave to its kernel
PROCESSORS = 2  # as a t4g.nano has
DISK_GB = 8
QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[ARCH]
BOARD = {"amd64": "q35", "arm64": "virt"}[ARCH]
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}[ARCH]
# Nested virtualisation does not let every host's ARCH_CAPABILITIES through.
KVM = ["-machine", BOARD, "-accel", "kvm", "-cpu", {"amd64": "host,-arch-capabilities", "arm64": "host"}[ARCH]]
# Five levels of page tables and pointers signed by the architecture's own cipher cost an emulator much and this test's machine nothing.
EMULATED = ["-machine", BOARD, "-accel", "tcg,thread=multi", "-cpu", {"amd64": "max,la57=off", "arm64": "max,pauth-impdef=on"}[ARCH]]
EMULATED_KERNEL = "quiet mitigations=off tsc=reliable systemd.default_timeout_start_sec=900"
SLOW = 10  # an emulated processor, on a machine that has other work
# As in Debian's images for EC2, which are no older than the last update, and a kernel.
KERNEL_PACKAGES = [f"linux-image-cloud-{ARCH}", "openssh-server", "initramfs-tools", "curl", "unattended-upgrades"]
# `interval` promises what was acknowledged 200 ms before the power went. An emulated processor gets longer; Linux alone would wait half a minute
# before it writes to the disk.
INTERVAL_S = 5
WRITES = 20  # acknowledged before the power goes, of each writer


def boot_files(tree):
    return [f"{tree}/boot/" + sorted(f for f in os.listdir(f"{tree}/boot") if f.startswith(name))[-1] for name in ("vmlinuz-", "initrd.img-")]


def accelerated(tree):
    """Whether a kernel comes up on KVM."""
    if os.path.exists("/dev/kvm"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = sh(QEMU, *KVM, "-m", f"{MEMORY_MB}M", "-kernel", boot_files(tree)[0], "-append", f"console={CONSOLE} panic=-1", "-no-reboot", "-display",
                      "none", "-serial", "stdio", "-monitor", "none", check=False, timeout=30, stdin=subprocess.DEVNULL)
            if "Linux version" in done.stdout:
                return True
    print("kernel: KVM does not work here, so the processor is emulated", flush=True)
    return False


def tree_make(base):
    """A folder with the base, a kernel and an ssh server; made once."""
    tree, stamp = f"{os.path.dirname(base)}/kernel", " ".join([*KERNEL_PACKAGES, "upgraded"])
    if not os.path.exists(f"{tree}/.made-of") or open(f"{tree}/.made-of", encoding="utf-8").read() != stamp:
        shutil.rmtree(tree, ignore_errors=True)
        sh("cp", "-a", base, tree)
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        sh("chroot", tree, "apt-get", "-qq", "update", env=env)
        sh("chroot", tree, "apt-get", "-qq", "-y", "upgrade", env=env)
        sh("chroot", tree, "apt-get", "-qq", "-y", "--no-install-recommends", "install", *KERNEL_PACKAGES, env=env)
        sh("chroot", tree, "systemctl", "enable", "systemd-networkd")
        write(f"{tree}/.made-of", stamp)
    return tree


def tree_name(tree, name, public_key, certificate):
    """What is this machine's own."""
    write(f"{tree}/etc/fstab", "/dev/vda / ext4 defaults,discard 0 1\n")
    write(f"{tree}/etc/systemd/network/10-eth0.network", f"[Match]\nName=eth0\n[Network]\nAddress={NETWORK}.40/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n")
    write(f"{tree}/etc/cloud/cloud.cfg.d/99-ssh.cfg", "disable_root: false\nssh_deletekeys: false\n")
    write(f"{tree}/root/.ssh/authorized_keys", public_key, 0o600)
    network_name(tree, certificate)
    write(f"{tree}/etc/hostname", f"{name}\n")
    write(f"{tree}/etc/hosts", f"127.0.0.1 localhost {name}\n")


class Virtual(Machine):
    """A Machine in qemu. Its root is reached by ssh only."""
    kvm = None

    def patience(self):
        return 1 if self.kvm else SLOW

    def wait_for(self, what, condition, seconds=120):
        return super().wait_for(what, condition, seconds * self.patience())

    def __enter__(self):
        os.makedirs(self.folder)
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/key")
        self.root = tree_make(self.base)
        with open(f"{self.folder}/key.pub", encoding="utf-8") as f:
            tree_name(self.root, self.name, f.read(), self.network.cert)
        self.platter = Platter(f"{self.folder}/disk.img")
        sh("truncate", "-s", f"{DISK_GB}G", self.platter.path)
        self.tap = f"cb{NUMBER}-kernel"
        sh("ip", "tuntap", "add", self.tap, "mode", "tap")
        sh("ip", "link", "set", self.tap, "master", BRIDGE, "up")
        self.kvm = accelerated(self.root)
        return self

    def __exit__(self, *_):
        self.kill()
        sh("ip", "link", "del", self.tap, check=False)

    def user_data(self, text):
        seed = f"{self.root}/var/lib/cloud/seed/nocloud"
        write(f"{seed}/user-data", text)
        write(f"{seed}/meta-data", f"instance-id: i-{self.name}\nlocal-hostname: {self.name}\n")
        sh("mkfs.ext4", "-q", "-F", "-d", self.root, self.platter.path)
        shutil.rmtree(f"{self.root}/var/lib/cloud/seed")

    def start(self):
        self.boot_offset = os.path.getsize(self.console_path) if os.path.exists(self.console_path) else 0
        kernel, initrd = boot_files(self.root)
        words = f"root=/dev/vda rw net.ifnames=0 console={CONSOLE} " + ("" if self.kvm else EMULATED_KERNEL)
        with open(self.console_path, "ab") as console:
            self.process = subprocess.Popen(
                [QEMU, *(KVM if self.kvm else EMULATED), "-smp", str(PROCESSORS), "-m", f"{MEMORY_MB}M", "-kernel", kernel, "-initrd", initrd, "-append", words,
                 *self.platter.power_on(), "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-net-pci,netdev=n,romfile=", "-device", "virtio-rng-pci",
                 "-netdev", f"tap,id=n,ifname={self.tap},script=no,downscript=no", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-monitor", "none"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        started = time.monotonic()
        self.wait_for("ssh, or the end", lambda: not self.leader() or self.run("true", check=False).returncode == 0, 300)
        if not self.leader():
            raise RuntimeError(f"{QEMU} ended with {self.process.returncode}:\n{self.console()[-800:]}")
        print(f"kernel: ssh answers {time.monotonic() - started:.0f} s after power on", flush=True)

    def ssh(self, *words):
        """ssh over one connection that stays: an emulated processor needs seconds for another."""
        options = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "ConnectTimeout": 20, "ServerAliveInterval": 15, "ServerAliveCountMax": 8,
                   "ControlMaster": "auto", "ControlPath": f"{self.folder}/ssh", "ControlPersist": 3600, "KexAlgorithms": "curve25519-sha256"}
        return ["ssh", "-q", "-i", f"{self.folder}/key", *[w for k, v in options.items() for w in ("-o", f"{k}={v}")], *words]

    def run(self, *args, check=True, timeout=300, env=None):
        line = shlex.join(["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *[f"{k}={v}" for k, v in (env or {}).items()], *args])
        return sh(*self.ssh(f"root@{self.address}", line), check=check, timeout=timeout * self.patience())

    def leader(self):
        return self.process and self.process.poll() is None

    def hang_up(self):
        sh(*self.ssh("-O", "exit", f"root@{self.address}"), check=False)

    def reboot(self):
        """By the machine itself, whose reset ends this qemu: another one goes on with its disk. (A reset of an emulated machine with two processors
        left both stuck.)"""
        self.run("systemctl", "reboot", check=False)
        self.hang_up()
        self.wait_for("the reset", lambda: not self.leader(), 180)
        self.start()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.hang_up()
        self.process = None

    def power_cut(self):
        self.kill()
        kept, lost = self.platter.power_cut()
        print(f"kernel: {kept} writes to the disk are kept, {lost >> 10} KiB after the last flush are lost", flush=True)

    def power_off(self):
        self.run("systemctl", "poweroff", check=False)
        self.hang_up()
        self.wait_for("the end", lambda: not self.leader(), 180)


class Ports(Stack):
    """The machine's ports, for the writers of tests/lib/load.py."""

    def __init__(self, address):  # pylint: disable=super-init-not-called
        self.address = address

    def url(self, role, path=""):
        return f"http://{self.address}:{PORTS[role]}{path}"


def settled(m):
    m.wait_for("the end of the boot", lambda: m.state() in ("running", "degraded"), 300)
    return quiet(m)


def answers(c, m, what):
    for port, page in ((3000, "/api/health"), (3100, "/ready"), (5000, "/health"), (9090, "/-/ready")):
        c.run(f"{what}: port {port} answers from outside", m.wait_for, f"port {port}", lambda port=port, page=page: m.get(port, page)[0] == 200)


def born(m, path):
    """When a file was made; its name may hold a star."""
    return float(m.out("sh", "-c", f"stat -c %.W {path} | sort -n | head -1").replace(",", ".") or 0)


def small(c, m):
    """Half a gigabyte is enough, with the swap that the bootstrap made first."""
    swap = m.out("swapon", "--show=NAME,SIZE", "--bytes", "--noheadings").split()
    c.check("the swap file is in use", len(swap) == 2 and swap[0] == "/swapfile" and int(swap[1]) > 500 << 20, swap)
    c.check("only root reads it, and it comes back at the next boot", m.out("stat", "-c", "%a", "/swapfile") == "600" and "/swapfile none swap" in m.out("cat", "/etc/fstab"))
    times = [born(m, "/swapfile"), born(m, "'/var/lib/cairn-bootstrap/packages/'*.deb"), born(m, "/usr/bin/cairn")]
    c.check("it was made before anything was fetched or installed", 0 < times[0] < times[1] < times[2], times)
    c.check("nothing was killed for memory", not re.search(r"Out of memory|oom-kill", m.out("dmesg")))
    free = dict(re.findall(r"(?m)^(\w+): +(\d+)", m.out("cat", "/proc/meminfo")))
    rss = int(re.search(r"VmRSS:\s+(\d+)", m.out("cat", f"/proc/{m.pid('cairn')}/status")).group(1))
    print(f"kernel: {int(free['MemTotal']) >> 10} MiB, of which {int(free['MemAvailable']) >> 10} are free; cairn has {rss >> 10} MiB; "
          f"{(int(free['SwapTotal']) - int(free['SwapFree'])) >> 10} MiB are swapped out", flush=True)


def updates(c, m):
    timers = m.out("systemctl", "list-timers", "--plain", "--no-legend")
    c.check("unattended upgrades are on", "apt-daily-upgrade.timer" in timers and 'APT::Periodic::Unattended-Upgrade "1"' in m.out("apt-config", "dump"), timers)
    done = m.run("unattended-upgrade", "--dry-run", "--verbose", check=False, timeout=1800)
    c.check("and would work", done.returncode == 0 and "Debian-Security" in done.stdout + done.stderr, (done.stdout + done.stderr)[-800:])
    c.check("without an end for want of memory", not re.search(r"Out of memory|oom-kill", m.out("dmesg")))


def now(m):
    return int(float(m.wait_for("an answer", lambda: query(m, "vector(time())"))[0]["value"][1]))


def after_boot(c, m, start, what):
    """The services are back with what they had at `start`."""
    c.run(f"{what}: it runs", m.wait_for, "cairn", lambda: m.active("cairn"))
    answers(c, m, what)
    c.run(f"{what}: it has its data", m.wait_for, "old samples", lambda: query(m, f"count_over_time(up[1h] @ {start})"))
    again = now(m)
    c.run(f"{what}: and goes on", m.wait_for, "a new scrape", lambda: query(m, f"timestamp(flask_app_info) > {again}"))
    c.check(f"{what}: the swap file is in use", "/swapfile" in m.out("cat", "/proc/swaps"))
    c.check(f"{what}: the bootstrap does not run again", "cairn-bootstrap:" not in m.console())
    c.check(f"{what}: the file system is whole", not re.search(r"EXT4-fs (error|warning)|I/O error", m.out("dmesg")), m.out("dmesg")[-800:])
    c.run(f"{what}: no unit has failed", settled, m)


def batches(lost):
    """Of how many batches something is lost: a writer names batches, or samples with the batch's number first."""
    return len({n if isinstance(n, int) else n[0] for n in lost})


def cut_while_written(c, m, mode):
    """Writers write until the power goes; what the mode promises is there after the boot."""
    what, start = f"after a power cut in {mode} mode", now(m)
    ports = Ports(m.address)
    writers = [SampleWriter(ports, mode), LineWriter(ports, mode)]
    for writer, unit in zip(writers, (10**3, 10**9)):
        writer.base = int((time.time() - 60) * unit)
        writer.start()
    m.wait_for("acknowledged writes", lambda: all(len(w.acknowledged) >= WRITES for w in writers))
    promised = [list(w.acknowledged) for w in writers]
    if mode == "interval":
        time.sleep(INTERVAL_S)
    m.power_cut()
    for writer in writers:
        writer.stop_now = True
        writer.join()
    if mode == "sync":
        promised = [w.acknowledged for w in writers]
    m.start()
    after_boot(c, m, start, what)
    for writer, wanted, name in zip(writers, promised, ("sample", "line")):
        lost = writer.lost(ports, wanted)
        c.check(f"{what}: every {name} is there", not lost, f"{len(lost)} of {len(wanted)} batches: {lost[:10]}")
        print(f"kernel: {mode}: {len(writer.acknowledged)} batches of {name}s acknowledged, {len(wanted)} of them promised, {batches(lost)} of these lost, "
              f"{batches(writer.lost(ports))} of all", flush=True)


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
        print(f"kernel: READY {time.monotonic() - started:.0f} s after power on", flush=True)
        c.run("the application is scraped", m.wait_for, "a scrape", lambda: query(m, "sum(flask_app_request_count)"))
        answers(c, m, "booted")
        c.run("no unit has failed", settled, m)
        small(c, m)
        start = now(m)
        m.reboot()
        after_boot(c, m, start, "rebooted")
        cut_while_written(c, m, "interval")  # what the units have
        m.run("sed", "-i", 's/^CAIRN_FLAGS="/&--durability=sync /', "/etc/default/cairn")
        m.run("systemctl", "restart", "cairn")
        c.check("a node is told to sync by its flags", "--durability=sync" in m.out("sh", "-c", f"tr '\\0' ' ' </proc/{m.pid('cairn')}/cmdline"))
        cut_while_written(c, m, "sync")
        updates(c, m)
        m.power_off()
        done = sh("e2fsck", "-f", "-n", m.platter.path, check=False)
        c.check("fsck finds nothing on the disk", done.returncode == 0, done.stdout[-800:] + done.stderr)
