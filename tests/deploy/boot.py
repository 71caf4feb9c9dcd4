#!/usr/bin/env python3
"""The packages and the user data on a Debian 12 that boots. Needs root; takes minutes. Prints "N passed, N failed".

  packages   installed by hand: services under their own and the originals' names, reload, watchdog, upgrades, purge, reboot
  single     one node from the rendered user data, run by the real cloud-init
  classic    four nodes from the rendered user data, booted in the wrong order
  hardened   the four of classic-hardened: behind its security groups, in reverse order, secrets from AWS (aws.py answers for it)
  kernel     single in qemu, on a kernel of its own and 448 MB: swap, updates, a reboot, two power cuts; only when named
  failures   a full disk, a wrong checksum, a broken package, no archive: a message on the console, and another try at the next boot

Usage: boot.py [NAME...]     PACKAGES names the folder of the packages (build/packages)
"""
import base64
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/tests/lib")
from boot_hardened import scenario_hardened  # noqa: E402
from boot_kernel import scenario_kernel  # noqa: E402
from machine import Archive, Machine, Mirror, Network, base_make, sh  # noqa: E402
from nodes import HOSTS, package, packages_publish, put, query, quiet, ready, render, version  # noqa: E402
from stack import Cases  # noqa: E402

ALIASES = ["prometheus", "loki", "promtail", "grafana-server", "flask-app"]


# -- packages installed by hand

def services(c, m):
    m.run("apt-get", "update")
    done = put(m, package("cairn"), package("cairn-compat"))
    c.check("both packages install", done.returncode == 0, done.stdout[-800:] + done.stderr[-800:])
    c.run("cairn.service is running after the installation", m.wait_for, "cairn", lambda: m.active("cairn"))
    c.check("it is enabled", m.out("systemctl", "is-enabled", "cairn") == "enabled")
    c.check("the originals' units wait for their files", not any(m.active(u) for u in ALIASES if u != "flask-app"))
    with open(f"{m.root}/etc/default/cairn", "w", encoding="utf-8") as f:
        f.write('CAIRN_FLAGS="--listen=0.0.0.0 --demo --demo-log=/var/lib/cairn/app.log --metrics-config=/etc/prometheus/prometheus.yml"\n')
    os.makedirs(f"{m.root}/etc/prometheus", exist_ok=True)
    shutil.copy(f"{ROOT}/examples/classic/prometheus.yml", f"{m.root}/etc/prometheus/prometheus.yml")
    m.run("cairn-compat", "single")
    for unit in ALIASES:
        before = m.pid("cairn")
        done = m.run("systemctl", "restart", unit, check=False)
        c.check(f"systemctl restart {unit} restarts Cairn", done.returncode == 0 and m.active(unit) and m.pid("cairn") not in (before, "0"),
                done.stderr)
    c.check("no unit has failed", quiet(m))
    before = m.pid("cairn")
    m.run("systemctl", "reload", "cairn")
    c.run("a reload is done", m.wait_for, "a reload", lambda: "event=config_loaded" in m.journal("cairn") and m.active("cairn"))
    c.check("by the same process", m.pid("cairn") == before)
    c.run("it scrapes", m.wait_for, "a scrape", lambda: query(m, "sum(up)"))
    c.check("systemd hears that it is ready and lives", m.out("systemctl", "show", "--value", "-p", "WatchdogUSec", "cairn") == "1min"
            and m.out("systemctl", "show", "--value", "-p", "Type", "cairn") == "notify")


def watchdog(c, m):
    os.makedirs(f"{m.root}/etc/systemd/system/cairn.service.d", exist_ok=True)
    with open(f"{m.root}/etc/systemd/system/cairn.service.d/quick.conf", "w", encoding="utf-8") as f:
        f.write("[Service]\nWatchdogSec=4\nTimeoutAbortSec=2\n")
    m.run("systemctl", "daemon-reload")
    m.run("systemctl", "restart", "cairn")
    c.run("it answers the watchdog", lambda: (time.sleep(10), m.out("systemctl", "show", "--value", "-p", "NRestarts", "cairn") == "0")[1])
    before = m.pid("cairn")
    m.run("kill", "-STOP", before)
    c.run("a process that hangs is replaced", m.wait_for, "another process", lambda: m.active("cairn") and m.pid("cairn") not in (before, "0"), 60)
    c.check("by the watchdog", "atchdog" in m.journal("cairn"))
    before = m.pid("cairn")
    m.run("kill", "-KILL", before)
    c.run("a process that was killed is replaced", m.wait_for, "another process",
          lambda: m.active("cairn") and m.pid("cairn") not in (before, "0"), 60)
    os.remove(f"{m.root}/etc/systemd/system/cairn.service.d/quick.conf")
    m.run("systemctl", "daemon-reload")


def sockets(c, m):
    """The ports belong to systemd: nobody is refused while the service is down, and whoever comes starts it."""
    names = ["cairn-metrics.socket", "cairn-logs.socket", "cairn-dashboards.socket"]
    before = query(m, "sum(up)")
    m.run("systemctl", "stop", "cairn")
    m.run("systemctl", "enable", "--now", *names)
    c.check("the service is down, its sockets are up", not m.active("cairn") and all(m.active(n) for n in names))
    m.run("cairn", "query", "vector(1)", check=False)
    c.check("a question starts it", before and m.active("cairn"))
    c.run("and is answered", m.wait_for, "an answer", lambda: '"value"' in m.out("cairn", "query", "--format=json", "vector(1)"))
    c.check("on the socket's address, not on --listen's", m.get(9090, "/-/ready")[0] == 0)
    done = m.run("sh", "-c", "systemctl restart --no-block cairn; for i in 1 2 3 4 5 6 7 8 9 10; do cairn query 'vector(1)' || true; done", check=False)
    said = [line for line in done.stderr.splitlines() if "503" not in line]
    c.check("during a restart nobody hears anything but the answer or that it is loading", not said and "1" in done.stdout, said)
    m.run("systemctl", "disable", "--now", *names)
    m.run("systemctl", "restart", "cairn")
    c.run("without them it listens itself", m.wait_for, "an answer", lambda: m.get(9090, "/-/ready")[0] == 200)


def upgrades(c, m):
    config = f"{m.root}/etc/prometheus/prometheus.yml"
    good = open(config, encoding="utf-8").read()
    c.run("it runs before the upgrade", m.wait_for, "cairn", lambda: m.active("cairn"))
    before = m.pid("cairn")
    open(config, "w", encoding="utf-8").write(good.replace("scrape_configs:", "scrape_confgs:"))
    done = put(m, package("cairn", version() + "+1"), package("cairn-compat", version() + "+1"))
    said = done.stdout + done.stderr
    c.check("an upgrade over a broken configuration installs", done.returncode == 0, said[-800:])
    c.check("says which file, where, and what to do", "prometheus.yml:" in said and "scrape_confgs" in said and "systemctl restart cairn.service" in said,
            said[-800:])
    c.check("and the old process runs on", m.pid("cairn") == before and m.active("cairn"))
    c.check("and answers", bool(query(m, "vector(1)")))
    open(config, "w", encoding="utf-8").write(good)
    flags = f"{m.root}/etc/default/cairn"
    text = open(flags, encoding="utf-8").read()
    open(flags, "w", encoding="utf-8").write(text.replace("--demo ", "--dmo "))
    done = put(m, package("cairn", version() + "+2"))
    c.check("so does a wrong flag", "did you mean --demo" in done.stdout + done.stderr and m.pid("cairn") == before, done.stdout[-800:] + done.stderr)
    open(flags, "w", encoding="utf-8").write(text)
    done = put(m, package("cairn", version() + "+3"))
    c.run("an upgrade over a good one restarts it", m.wait_for, "another process", lambda: m.active("cairn") and m.pid("cairn") not in (before, "0"))
    c.check("without a complaint", done.returncode == 0 and "keeps running" not in done.stdout + done.stderr, done.stdout[-800:] + done.stderr)
    c.check("what the administrator wrote is still there", open(flags, encoding="utf-8").read() == text)
    c.check("the data are still there", bool(query(m, "count_over_time(up[1h])")))


def reboot_and_purge(c, m):
    start = int(float(query(m, "vector(time())")[0]["value"][1]))
    m.reboot()
    c.run("after a reboot it runs", m.wait_for, "cairn", lambda: m.active("cairn"))
    c.check("no unit has failed after the reboot", quiet(m))
    c.run("and has its data", m.wait_for, "the samples from before", lambda: query(m, f"count_over_time(up[1h] @ {start})"))
    m.run("apt-get", "-y", "purge", "cairn", "cairn-compat")
    c.check("a purge stops it", not m.active("cairn") and "cairn serve" not in m.out("ps", "ax"))
    c.check("and keeps the data", os.path.isdir(f"{m.root}/var/lib/cairn/metrics"))
    c.check("and leaves no unit", not os.path.lexists(f"{m.root}/etc/systemd/system/prometheus.service"))
    put(m, package("cairn"))
    # As installed it listens on loopback, so the question is asked inside.
    c.run("installed again it has the data", m.wait_for, "old samples",
          lambda: '"value"' in m.out("cairn", "query", "--format=json", f"count_over_time(up[1h] @ {start})"))
    c.check("and nobody outside reaches it", m.get(9090, "/-/ready")[0] == 0)
    m.run("apt-get", "-y", "purge", "cairn", env={"CAIRN_PURGE_DATA": "yes"})
    c.check("a purge that was asked to takes the data too", not os.path.exists(f"{m.root}/var/lib/cairn"))
    c.check("the machine is as it was", quiet(m))


def backups(c, m):
    """The timer's unit, confined as it is, backs up what runs; root restores it."""
    c.check("the backup timer is off until somebody wants it", m.out("systemctl", "is-enabled", "cairn-backup.timer") == "disabled")
    m.run("cairn", "backup", "--new-key=/etc/cairn/backup.key")
    m.run("chgrp", "cairn", "/etc/cairn/backup.key")
    m.run("chmod", "640", "/etc/cairn/backup.key")
    m.run("install", "-d", "-o", "cairn", "-g", "cairn", "/var/backups/cairn")
    with open(f"{m.root}/etc/default/cairn-backup", "w", encoding="utf-8") as f:
        f.write('CAIRN_BACKUP_TO="/var/backups/cairn"\nCAIRN_BACKUP_FLAGS="--keep=2 --verify --key-file=/etc/cairn/backup.key"\n')
    done = m.run("systemctl", "enable", "--now", "cairn-backup.timer", check=False)
    c.check("the timer is enabled", done.returncode == 0 and m.active("cairn-backup.timer"), done.stderr)
    for n in range(3):
        done = m.run("systemctl", "start", "cairn-backup", check=False)
        c.check(f"confined backup {n + 1}", done.returncode == 0, m.journal("cairn-backup")[-1000:])
    place = ["--from=/var/backups/cairn", "--key-file=/etc/cairn/backup.key"]
    c.check("two are kept", len(m.out("cairn", "restore", *place, "--list").split()) == 2)
    done = m.run("cairn", "restore", *place, "--data=/root/restored", "--config-to=/root/files", check=False)
    c.check("root restores", done.returncode == 0, done.stdout + done.stderr)
    c.check("the configuration is in it", os.path.exists(f"{m.root}/root/files/etc/prometheus/prometheus.yml"))
    done = m.run("cairn", "backup", "--data=/var/lib/cairn", "--to=/var/backups/cairn", "--key-file=/etc/cairn/backup.key", check=False)
    c.check("root backs up, too", done.returncode == 0, done.stderr)
    done = m.run("systemctl", "start", "cairn-backup", check=False)
    c.check("and takes nothing from the unit", done.returncode == 0, m.journal("cairn-backup")[-1000:])


def scenario_packages(c, network, base):
    with Machine(network, base, "packages", 10) as m:
        m.start()
        for part in (services, backups, watchdog, sockets, upgrades, reboot_and_purge):
            c.run(part.__name__, part, c, m)


# -- rendered user data

PLAIN = ['topology = "classic"', 'topology = "single"']


def lines(loki):
    status, text = loki.get(3100, "/loki/api/v1/query_range?query=%7Bjob%3D%22flask-app%22%7D&limit=5")
    return status == 200 and json.loads(text)["data"]["result"]


def dashboard_sees(m, uid_of, expression):
    """A query through the dashboards node, as a panel makes it."""
    password = m.out("cat", "/var/lib/grafana/initial-admin-password").split()[-1]
    login = {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}
    status, text = m.get(3000, f"/api/datasources/name/{uid_of}", headers=login)
    if status != 200:
        return False
    uid = json.loads(text)["uid"]
    status, text = m.get(3000, f"/api/datasources/proxy/uid/{uid}{expression}", headers=login)
    return status == 200 and json.loads(text)["data"]["result"]


def arrives(app, loki):
    mark = f"/missing-{time.time_ns()}"
    app.get(5000, mark)
    status, text = loki.get(3100, "/loki/api/v1/query_range?query=%7Bjob%3D%22flask-app%22%7D&limit=1&start=" + str(time.time_ns() - 2 * 10**9))
    return status == 200 and json.loads(text)["data"]["result"]


def updates(c, m):
    timers = m.out("systemctl", "list-timers", "--plain", "--no-legend")
    c.check("unattended upgrades are on", "apt-daily-upgrade.timer" in timers and 'APT::Periodic::Unattended-Upgrade "1"' in m.out("apt-config", "dump"), timers)
    done = m.run("unattended-upgrade", "--dry-run", "--verbose", check=False, timeout=1800)
    c.check("and look at Debian's security archive", done.returncode == 0 and "Debian-Security" in done.stdout + done.stderr, (done.stdout + done.stderr)[-800:])


def scenario_single(c, network, base):
    mirror = f'{PLAIN[1]}\ndebian_mirror = "http://deb.debian.org/debian"'
    data = render(network.work, packages_publish(), [PLAIN[0], mirror])["user_data"]
    with Machine(network, base, "single", 20) as m:
        m.user_data(data["all"])
        started = time.monotonic()
        m.start()
        said = ready(m)
        c.check("the console says READY", "READY: role all" in said, said + m.console()[-1500:])
        print(f"single: READY {time.monotonic() - started:.0f} s after the start of the boot")
        c.check("cloud-init is content", "status: done" in m.out("cloud-init", "status", "--wait"), m.out("cloud-init", "status", "--long"))
        for role, text in data.items():
            with open(f"{m.root}/root/{role}.yml", "w", encoding="utf-8") as f:
                f.write(text)
            done = m.run("cloud-init", "schema", "--config-file", f"/root/{role}.yml", check=False)
            c.check(f"{role}: cloud-init's schema", done.returncode == 0, done.stdout + done.stderr)
        c.run("the application is scraped", m.wait_for, "a scrape", lambda: query(m, "sum(flask_app_request_count)"))
        c.run("its log is followed", m.wait_for, "a line", lambda: lines(m))
        c.check("the application answers from outside", m.get(5000, "/health")[0] == 200)
        c.check("the dashboards answer", m.get(3000, "/api/health")[0] == 200)
        c.check("the administrator's password is a file that only the service and root read",
                re.search(r"^(600|640) cairn", m.out("stat", "-c", "%a %U", "/var/lib/grafana/initial-admin-password")),
                m.out("find", "/var/lib/grafana", "/var/lib/cairn", "-name", "*admin*"))
        c.check("no unit has failed", quiet(m))
        c.check("Debian comes from the mirror that was named, security updates too", re.search(
            r"^(deb http://deb.debian.org/debian bookworm\S* main\n){2}deb http://deb.debian.org/debian-security bookworm-security main$",
            m.out("cat", "/etc/apt/sources.list")), m.out("cat", "/etc/apt/sources.list"))
        updates(c, m)
        files = m.out("sh", "-c", "sha256sum /etc/prometheus/prometheus.yml /etc/loki/config.yml /etc/grafana/grafana.ini /etc/default/cairn /etc/fstab")
        m.run("rm", "/var/lib/cairn-bootstrap/done")
        m.run("systemctl", "start", "cairn-bootstrap.service", timeout=600)
        c.run("a second run ends well too", m.wait_for, "the second READY", lambda: m.console().count("READY: role all") == 2, 30)
        c.check("and changes no file", files == m.out("sh", "-c", "sha256sum /etc/prometheus/prometheus.yml /etc/loki/config.yml "
                                                      "/etc/grafana/grafana.ini /etc/default/cairn /etc/fstab"))
        for unit in ALIASES:
            done = m.run("systemctl", "restart", unit, check=False)
            c.check(f"systemctl restart {unit} works", done.returncode == 0 and m.active(unit), done.stderr)
        start = int(float(query(m, "vector(time())")[0]["value"][1]))
        m.reboot()
        c.run("after a reboot it runs", m.wait_for, "cairn", lambda: m.active("cairn"))
        c.check("the bootstrap does not run again", "cairn-bootstrap:" not in m.console())
        c.run("and has its data", m.wait_for, "old samples", lambda: query(m, f"count_over_time(up[1h] @ {start})"))
        c.check("no unit has failed after the reboot", quiet(m))


def scenario_classic(c, network, base):
    data = render(network.work, packages_publish(), PLAIN)["user_data"]
    machines = {role: Machine(network, base, role, host) for role, host in HOSTS.items()}
    entered = []
    try:
        for role in ("dashboards", "metrics", "app", "logs"):  # whoever needs another comes before it
            m = machines[role]
            m.__enter__()
            entered.append(m)
            m.user_data(data[role])
            m.start()
        for role, m in machines.items():
            c.check(f"{role}: the console says READY", f"READY: role {role}" in ready(m), m.console()[-1500:])
        c.run("Prometheus scrapes the application's node", machines["metrics"].wait_for, "a scrape",
              lambda: query(machines["metrics"], f'flask_app_info{{instance="{machines["app"].address}:5000"}}'))
        c.run("the agent's lines reach Loki's node", machines["app"].wait_for, "a line",
              lambda: machines["app"].get(5000, "/") and lines(machines["logs"]))
        grafana = machines["dashboards"]
        c.run("a panel's query reaches Prometheus", grafana.wait_for, "an answer",
              lambda: dashboard_sees(grafana, "Prometheus", "/api/v1/query?query=flask_app_info"))
        c.run("a panel's query reaches Loki", grafana.wait_for, "an answer",
              lambda: dashboard_sees(grafana, "Loki", "/loki/api/v1/query_range?query=%7Bjob%3D%22flask-app%22%7D&limit=5"))
        units = {"logs": ["loki"], "app": ["flask-app", "promtail"], "metrics": ["prometheus"], "dashboards": ["grafana-server"]}
        for role, names in units.items():
            for unit in names:
                done = machines[role].run("systemctl", "restart", unit, check=False)
                c.check(f"{role}: systemctl restart {unit}", done.returncode == 0 and machines[role].active(unit), done.stderr)
            c.check(f"{role}: no unit has failed", quiet(machines[role]))
            c.check(f"{role}: cairn.service stays away", not machines[role].active("cairn"))
        app = machines["app"]
        done = app.run("logrotate", "--force", "/etc/logrotate.d/flask-app", check=False)
        c.check("the application's log is rotated", done.returncode == 0 and os.path.exists(f"{app.root}/var/log/app.log.1"), done.stderr)
        c.run("and followed on", app.wait_for, "new lines", lambda: arrives(app, machines["logs"]))
        broken_upgrade(c, machines["metrics"])
        loki = machines["logs"]
        loki.reboot()
        c.run("after Loki's reboot lines arrive again", loki.wait_for, "new lines", lambda: arrives(machines["app"], loki))
    finally:
        for m in entered:
            m.__exit__()


def broken_upgrade(c, m):
    """The originals' units are guarded as cairn.service is."""
    config = f"{m.root}/etc/prometheus/prometheus.yml"
    good = open(config, encoding="utf-8").read()
    before = m.pid("prometheus")
    open(config, "w", encoding="utf-8").write(good + "nonsense: 1\n")
    done = put(m, package("cairn", version() + "+1"))
    c.check("prometheus.service is not restarted into a broken configuration", m.pid("prometheus") == before and
            "systemctl restart prometheus.service" in done.stdout + done.stderr, done.stdout[-800:] + done.stderr[-800:])
    open(config, "w", encoding="utf-8").write(good)
    put(m, package("cairn", version() + "+2"))
    c.run("and is restarted into a good one", m.wait_for, "another process", lambda: m.active("prometheus") and m.pid("prometheus") != before)


def scenario_failures(c, network, base):
    sums = packages_publish()
    data = render(network.work, sums, PLAIN)["user_data"]
    good = dict(Mirror.files)
    with Machine(network, base, "failures", 30, disk_mb=1500) as m:
        m.user_data(data["all"])
        free = int(sh("df", "-Pm", m.root).stdout.split()[-3])
        sh("fallocate", "-l", f"{free - 100}M", f"{m.folder}/disk/ballast")
        m.start()
        said = ready(m)
        c.check("a full disk stops it, with its reason on the console", "FAILED at: free space" in said and "are free on /var" in m.console(),
                m.console()[-1500:])
        c.check("nothing was installed", m.run("dpkg", "-s", "cairn", check=False).returncode != 0)

        os.remove(f"{m.folder}/disk/ballast")
        Mirror.files.update({path: bytes([data[0] ^ 1]) + data[1:] for path, data in good.items()})
        m.reboot()
        said = ready(m)
        c.check("the next boot tries again, and a wrong checksum stops it", "FAILED at: download" in said and
                "checksum mismatch: https://" in m.console(), m.console()[-1500:])
        c.check("no wrong package is left behind", not [f for f in os.listdir(f"{m.root}/var/lib/cairn-bootstrap/packages") if f.endswith(".deb")])

        Mirror.files.update(good)
        broken = {path: data[:len(data) // 2] for path, data in good.items()}
        script = f"{m.root}/usr/local/sbin/cairn-bootstrap"
        text = open(script, encoding="utf-8").read()
        swapped = text
        for (path, whole), part in zip(good.items(), broken.values()):
            swapped = swapped.replace(hashlib.sha256(whole).hexdigest(), hashlib.sha256(part).hexdigest())
        open(script, "w", encoding="utf-8").write(swapped)
        Mirror.files.update(broken)
        m.reboot()
        said = ready(m)
        c.check("a broken package stops it", "FAILED at: install" in said, m.console()[-1500:])
        c.check("and starts nothing", not m.active("cairn"))

        open(script, "w", encoding="utf-8").write(text)
        Mirror.files.update(good)
        Archive.down = True
        m.reboot()
        said = ready(m, 900)
        Archive.down = False
        c.check("Debian's archive out of reach stops it", "FAILED at: " in said, m.console()[-1500:])

        m.reboot()
        said = ready(m)
        c.check("when all is well again the next boot ends well", "READY: role all" in said, m.console()[-1500:])
        c.run("and the stack runs", m.wait_for, "a scrape", lambda: query(m, "sum(up)"))
        m.reboot()
        c.check("and it is not run again", "cairn-bootstrap:" not in m.console())
        c.check("no unit has failed", quiet(m))


SCENARIOS = {"packages": scenario_packages, "single": scenario_single, "classic": scenario_classic, "hardened": scenario_hardened,
             "failures": scenario_failures, "kernel": scenario_kernel}


def main():
    wanted = sys.argv[1:] or [name for name in SCENARIOS if name != "kernel"]
    if not shutil.which("terraform") and wanted != ["packages"]:
        print("skipped: all but packages need a terraform binary to render the user data")
        wanted = ["packages"]
    base = f"{ROOT}/build/boot/base"
    base_make(base)
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix="cairn-boot-", dir=f"{ROOT}/build/boot") as work, Network(work) as network:
        for name in wanted:
            cases.run(name, SCENARIOS[name], cases, network, base)
            print(f"{name}: {cases.passed} passed, {cases.failed} failed so far".replace(" passed, ", " good, ").replace(" failed so", " bad so"), flush=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
