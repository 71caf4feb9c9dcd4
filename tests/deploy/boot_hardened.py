"""The scenario hardened of boot.py: the four nodes of the example classic-hardened. Between them stand the example's own security groups, as
rules of iptables; the metadata service, Secrets Manager, Parameter Store and the private zone are aws.py's in a network namespace.

People come in by Session Manager's port forwarding, which asks a node from the node itself: so do the questions here.
"""
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse

from machine import ARCHIVE_PORT, BRIDGE, MIRROR_PORT, NETWORK, NUMBER, ROOT, SERVER, Machine, sh, write
from nodes import ARCH, HOSTS, packages_publish, quiet, ready, render

REGION, ACCOUNT, ZONE = "eu-north-1", "123456789012", "cairn.internal"
AWS = f"{NETWORK}.2"
METADATA = "169.254.169.254"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:cairn-tls-AbCdEf"
PARAMETER, PASSWORD = "/cairn/admin-password", "correct horse battery staple"
NAMES = {"logs": "loki", "app": "flask", "metrics": "prometheus", "dashboards": "grafana"}
PORTS = {"logs": {3100}, "app": {5000, 9080}, "metrics": {9090}, "dashboards": {3000}}
UNITS = {"logs": ["loki"], "app": ["flask-app", "promtail"], "metrics": ["prometheus"], "dashboards": ["grafana-server"]}
WAIT_S = 240


def example():
    """What the example gives to the module: its constants, and the values of this test for its variables."""
    with open(f"{ROOT}/deploy/terraform/examples/classic-hardened/main.tf", encoding="utf-8") as f:
        body = re.search(r'module "cairn" \{(.*?)\n\}', f.read(), re.S).group(1)
    own = {"private_zone": ZONE, "tls_secret_arn": SECRET, "admin_password_parameter": PARAMETER}
    lines = []
    for key, value in re.findall(r"(?m)^  (\w+) += (.*)$", body):
        if key in own:
            value = json.dumps(own[key])
        if key != "source" and not value.startswith(("var.", "aws_")):
            lines.append(f"{key} = {value}")
    return "\n".join(lines)


# -- certificates, as the example's README makes them

def authority(folder, name):
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", f"{folder}/{name}-ca.key", "-out", f"{folder}/{name}-ca.pem",
       "-subj", f"/CN={name} CA")


def certificate(folder, name, ca, names):
    """(certificate, key) for the names."""
    base = f"{folder}/{name}"
    write(f"{base}.san", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n")
    sh("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj", f"/CN={name}")
    sh("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", f"{folder}/{ca}-ca.pem", "-CAkey", f"{folder}/{ca}-ca.key", "-CAcreateserial", "-days", "2",
       "-out", f"{base}.pem", "-extfile", f"{base}.san")
    return f"{base}.pem", f"{base}.key"


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def statements(policies):
    """Of policies that stand one after the other."""
    found = []
    while policies.strip():
        policy, end = json.JSONDecoder().raw_decode(policies.strip())
        policies = policies.strip()[end:]
        found += policy["Statement"]
    return found


class Aws:
    """aws.py in a namespace of its own. A context manager."""

    def __init__(self, work, policies):
        self.folder, self.space, self.link = f"{work}/aws", f"cairnboot{NUMBER}-aws", f"cb{NUMBER}-aws"
        os.makedirs(self.folder)
        authority(self.folder, "cairn")
        authority(self.folder, "amazon")
        hosts = [f"{service}.{REGION}.amazonaws.com" for service in ("secretsmanager", "ssm", "s3")]
        cert, key = certificate(self.folder, "aws", "amazon", hosts)
        agent = f"s3.{REGION}.amazonaws.com/amazon-ssm-{REGION}/latest/debian_{ARCH}/amazon-ssm-agent.deb"
        self.state = {
            "address": AWS, "region": REGION, "certificate": cert, "key": key, "log": f"{self.folder}/log",
            "names": {host: AWS for host in hosts} | {f"{NAMES[r]}.{ZONE}": f"{NETWORK}.{host}" for r, host in HOSTS.items()},
            "roles": {f"{NETWORK}.{host}": {"name": f"cairn-production-{r}", "statements": statements(policies.get(r, ""))} for r, host in HOSTS.items()},
            "parameter_arn": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter", "parameters": {PARAMETER: PASSWORD},
            "secrets": {}, "bucket": {agent: self.agent()},
        }
        self.new_certificate("first")

    def agent(self):
        """A package with the name of Session Manager's agent."""
        tree = f"{self.folder}/agent"
        write(f"{tree}/DEBIAN/control", f"Package: amazon-ssm-agent\nVersion: 3.3.0.0\nArchitecture: {ARCH}\nMaintainer: nobody\nDescription: agent\n")
        sh("dpkg-deb", "--root-owner-group", "-b", tree, f"{self.folder}/agent.deb")
        return f"{self.folder}/agent.deb"

    def new_certificate(self, name, ca="cairn"):
        """Into the secret, for the nodes to fetch; its serial number."""
        cert, key = certificate(self.folder, name, ca, [f"*.{ZONE}", "localhost"])
        self.state["secrets"][SECRET] = json.dumps({"ca": text(f"{self.folder}/cairn-ca.pem"), "certificate": text(cert), "key": text(key)})
        write(f"{self.folder}/world.json.new", json.dumps(self.state))
        os.rename(f"{self.folder}/world.json.new", f"{self.folder}/world.json")
        return sh("openssl", "x509", "-noout", "-serial", "-in", cert).stdout.strip()

    def log(self):
        return text(self.state["log"]).splitlines() if os.path.exists(self.state["log"]) else []

    def __enter__(self):
        sh("ip", "netns", "add", self.space)
        sh("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        sh("ip", "link", "set", self.link, "master", BRIDGE, "up")
        for args in (["addr", "add", f"{AWS}/24", "dev", "eth0"], ["addr", "add", f"{METADATA}/32", "dev", "eth0"], ["link", "set", "eth0", "up"],
                     ["link", "set", "lo", "up"]):
            sh("ip", "-n", self.space, *args)
        self.process = subprocess.Popen(["ip", "netns", "exec", self.space, sys.executable, f"{ROOT}/tests/deploy/aws.py", f"{self.folder}/world.json"],
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("aws.py did not start")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        sh("ip", "link", "del", self.link, check=False)
        sh("ip", "netns", "del", self.space, check=False)


def firewall(m, role, flows):
    """The role's security group around the machine. What no group ever filters stays open: the resolver and the metadata service. The internet's
    ports 80 and 443 are the test's archive and mirror."""
    mine, rules = NAMES[role], []
    peers = {NAMES[r]: [f"{NETWORK}.{host}"] for r, host in HOSTS.items()}
    for group, way, port, peer in (f.split() for f in flows):
        if group != mine:
            continue
        stands_for = {"80": [f"{SERVER} --dport {ARCHIVE_PORT}"], "443": [f"{SERVER} --dport {MIRROR_PORT}", f"{AWS} --dport 443"]}
        for there in stands_for[port] if peer == "0.0.0.0/0" else [f"{a} --dport {port}" for a in peers[peer]]:
            rules.append(f"-A {'INPUT -s' if way == 'in' else 'OUTPUT -d'} {there.replace(' --dport', ' -p tcp --dport')} -j ACCEPT")
    always = [f"-A {chain} {what} -j ACCEPT" for chain, io in (("INPUT", "-i"), ("OUTPUT", "-o"))
              for what in (f"{io} lo", "-m conntrack --ctstate ESTABLISHED,RELATED")]
    always += [f"-A OUTPUT -d {METADATA} -j ACCEPT", f"-A OUTPUT -d {AWS} -p udp --dport 53 -j ACCEPT"]
    table = "\n".join(["*filter", ":INPUT DROP", ":FORWARD DROP", ":OUTPUT DROP", *always, *rules, "COMMIT", ""])
    sh("ip", "netns", "exec", m.name, "iptables-restore", input=table)


def node(network, base, role, aws, flows):
    """A machine in the private subnet; the caller leaves it."""
    m = Machine(network, base, f"tls-{role}", HOSTS[role])
    m.__enter__()
    sh("ip", "-n", m.name, "route", "add", f"{METADATA}/32", "dev", "eth0")
    firewall(m, role, flows)
    write(f"{m.root}/etc/resolv.conf", f"nameserver {AWS}\n")
    write(f"{m.root}/usr/local/share/ca-certificates/amazon.crt", text(f"{aws.folder}/amazon-ca.pem"))
    sh("chroot", m.root, "update-ca-certificates")
    return m


# -- questions, asked on a node

OWN = ("--cert", "/etc/cairn/tls/certificate.pem", "--key", "/etc/cairn/tls/key.pem")


def curl(m, url, *args, own=OWN):
    """(exit status, body). The server is checked against what the node trusts; it is shown the node's own certificate."""
    done = m.run("curl", "-sS", "-m", "10", *own, *args, url, check=False)
    return done.returncode, done.stdout


def answer(m, url, *args):
    status, body = curl(m, url, "--fail", *args)
    return json.loads(body)["data"]["result"] if status == 0 else []


def samples(m, expression, base="https://localhost:9090", *args):
    return answer(m, f"{base}/api/v1/query?query={urllib.parse.quote(expression)}", *args)


def up(m, job):
    found = samples(m, f'up{{job="{job}"}}')
    return [(s["metric"]["instance"], s["value"][1]) for s in found]


def new_line(app, loki):
    """A line that is written now is found."""
    mark, since = f"/missing-{time.time_ns()}", time.time_ns()
    curl(app, f"https://localhost:5000{mark}")
    ask = urllib.parse.quote('{job="flask-app"}')
    return answer(loki, f"https://localhost:3100/loki/api/v1/query_range?query={ask}&limit=1&start={since - 2 * 10**9}")


def panel(m, source, path):
    """A query through the dashboards node with the administrator's password out of Parameter Store."""
    login = ["-u", f"admin:{PASSWORD}"]
    status, body = curl(m, f"https://localhost:3000/api/datasources/name/{source}", "--fail", *login)
    return status == 0 and answer(m, f"https://localhost:3000/api/datasources/proxy/uid/{json.loads(body)['uid']}{path}", *login)


def works(c, nodes, when):
    """The whole stack, from the scrape to the panel."""
    m = nodes["metrics"]
    c.run(f"{when}: Prometheus scrapes the application over TLS", m.wait_for, "a scrape", lambda: up(m, "flask-app") == [(f"flask.{ZONE}:5000", "1")], WAIT_S)
    c.run(f"{when}: and itself", m.wait_for, "a scrape", lambda: up(m, "prometheus") == [(f"prometheus.{ZONE}:9090", "1")], WAIT_S)
    c.run(f"{when}: the agent's lines reach Loki", m.wait_for, "a line", lambda: new_line(nodes["app"], nodes["logs"]), WAIT_S)
    grafana = nodes["dashboards"]
    c.run(f"{when}: a panel's query reaches Prometheus", grafana.wait_for, "an answer",
          lambda: panel(grafana, "Prometheus", "/api/v1/query?query=flask_app_info"), WAIT_S)
    c.run(f"{when}: a panel's query reaches Loki", grafana.wait_for, "an answer",
          lambda: panel(grafana, "Loki", "/loki/api/v1/query_range?limit=5&query=" + urllib.parse.quote('{job="flask-app"}')), WAIT_S)
    for role, node_ in nodes.items():
        c.check(f"{when}: {role}: no unit has failed", quiet(node_))


def secrets_stay(c, nodes, data, aws):
    key = json.loads(aws.state["secrets"][SECRET])["key"].splitlines()[1]
    c.check("no secret is in the user data", not any(key in d or PASSWORD in d for d in data.values()))
    for role, m in nodes.items():
        c.check(f"{role}: the key is root's, and the service reads it", m.out("stat", "-c", "%a %U %G", "/etc/cairn/tls/key.pem") == "640 root cairn")
        left = m.out("sh", "-c", f"grep -rlF -e '{key}' -e '{PASSWORD}' /var/lib/cairn-bootstrap /var/log /run/log 2>/dev/null")
        c.check(f"{role}: nothing of it is left in state or logs", left == "", left)
        c.check(f"{role}: Session Manager's agent is there", m.run("dpkg", "-s", "amazon-ssm-agent", check=False).returncode == 0)
    calls = sorted(set(aws.log()))
    wanted = [f"{NETWORK}.{host} secretsmanager:GetSecretValue" for host in HOSTS.values()] + [f"{NETWORK}.{HOSTS['dashboards']} ssm:GetParameter"]
    c.check("each node asked AWS for what is its own, signed, and for nothing else", calls == sorted(wanted), calls)
    ask = json.dumps({"Name": PARAMETER, "WithDecryption": True})
    done = nodes["logs"].run("bash", "-c", "state=/root; say() { echo \"$*\"; }; sleep() { :; }; . <(sed -n '/^aws_call()/,/^}/p' /usr/local/sbin/cairn-bootstrap); "
                             f"aws_call ssm AmazonSSM.GetParameter '{ask}'", check=False)
    c.check("another node's role does not get the password", done.returncode != 0 and "AccessDenied" in done.stdout and PASSWORD not in done.stdout,
            done.stdout + done.stderr)


def only_tls(c, nodes):
    for role, m in nodes.items():
        listening = {int(line.split()[3].rsplit(":", 1)[1]) for line in m.out("ss", "-Hltn").splitlines()
                     if not re.match(r"(127\.|\[::1\]|127\.0\.0\.5\d)", line.split()[3])}
        c.check(f"{role}: it listens on its own ports alone", listening == PORTS[role], listening)
        for port in listening:
            status, body = curl(m, f"http://{m.address}:{port}/metrics", own=())
            c.check(f"{role}: plain http gets nothing from port {port}", status != 0 or body == "", (status, body[:200]))
            status, _ = curl(m, f"https://{NAMES[role]}.{ZONE}:{port}/metrics", "-o", "/dev/null")
            c.check(f"{role}: port {port} answers with a certificate for its name", status == 0, status)
            status, _ = curl(m, f"https://{NAMES[role]}.{ZONE}:{port}/metrics", "-o", "/dev/null", "--capath", "/root", "--cacert",
                             "/usr/local/share/ca-certificates/mirror.crt")
            c.check(f"{role}: which another authority has not signed (port {port})", status == 60, status)
            c.check(f"{role}: from outside port {port} is closed", m.get(port, "/metrics", timeout=3)[0] == 0)
    for role, path, name in (("logs", "/loki/api/v1/labels", "Loki"), ("metrics", "/api/v1/labels", "Prometheus")):
        _, body = curl(nodes[role], f"https://localhost:{max(PORTS[role])}{path}", "-w", "%{http_code}", own=())
        c.check(f"{name} answers nobody without a certificate", body.endswith("403"), body)
    # Between the nodes: a wrong neighbour is not let in either.
    for role, other, port in (("logs", "metrics", 9090), ("app", "dashboards", 3000), ("metrics", "logs", 3100), ("dashboards", "app", 5000)):
        status, _ = curl(nodes[role], f"https://{NAMES[other]}.{ZONE}:{port}/", "--connect-timeout", "3")
        c.check(f"{role} does not reach {other}", status == 28, status)


def strangers(c, nodes, aws):
    """A server with a certificate of another authority gets nothing from its clients; with its own again it does, without a restart."""
    authority(aws.folder, "stranger")
    cert, key = certificate(aws.folder, "stranger", "stranger", [f"*.{ZONE}", "localhost"])
    app, metrics = nodes["app"], nodes["metrics"]
    tls = f"{app.root}/etc/cairn/tls"
    good = {part: text(f"{tls}/{part}.pem") for part in ("certificate", "key")}
    before = app.pid("flask-app")

    def exchange(pair):
        for part, content in pair.items():
            with open(f"{tls}/{part}.pem", "w", encoding="utf-8") as f:
                f.write(content)

    exchange({"certificate": text(cert), "key": text(key)})
    metrics.run("systemctl", "restart", "prometheus")  # a connection that stands is not asked again
    c.run("Prometheus refuses a stranger's certificate", metrics.wait_for, "a failed scrape", lambda: up(metrics, "flask-app") == [(f"flask.{ZONE}:5000", "0")], 60)
    status, body = curl(metrics, "https://localhost:9090/api/v1/targets?state=active")
    errors = [t["lastError"] for t in json.loads(body)["data"]["activeTargets"] if t["labels"]["job"] == "flask-app"] if status == 0 else []
    c.check("and says so", len(errors) == 1 and "certificate" in errors[0].lower(), errors)
    exchange(good)
    c.run("the right one is taken up again", metrics.wait_for, "a scrape", lambda: up(metrics, "flask-app") == [(f"flask.{ZONE}:5000", "1")], 60)
    c.check("without a restart", app.pid("flask-app") == before)


def served(m, port):
    return m.out("sh", "-c", f"openssl s_client -connect localhost:{port} -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial")


def renewed(c, nodes, aws):
    """The way to a new certificate that the example's README names."""
    serial = aws.new_certificate("second")
    for role, m in nodes.items():
        m.run("rm", "/var/lib/cairn-bootstrap/done")
        m.run("systemctl", "start", "cairn-bootstrap", check=False, timeout=600)
        port = max(PORTS[role])
        c.run(f"{role}: serves the new certificate", m.wait_for, "the new serial number", lambda m=m, port=port: served(m, port) == serial, 60)


def scenario_hardened(c, network, base):
    made = render(network.work, packages_publish(), [example()])
    data, flows = made["user_data"], made["flows"]
    nodes = {}
    with Aws(network.work, made["policies"]) as aws:
        try:
            for role in ("dashboards", "metrics", "app", "logs"):  # whoever needs another comes before it
                nodes[role] = node(network, base, role, aws, flows)
                nodes[role].user_data(data[role])
                nodes[role].start()
            for role, m in nodes.items():
                c.check(f"{role}: the console says READY", f"READY: role {role}" in ready(m, 1200), m.console()[-1500:])
            works(c, nodes, "booted")
            for role, text_ in data.items():
                write(f"{nodes[role].root}/root/{role}.yml", text_)
                done = nodes[role].run("cloud-init", "schema", "--config-file", f"/root/{role}.yml", check=False)
                c.check(f"{role}: cloud-init's schema", done.returncode == 0, done.stdout + done.stderr)
            secrets_stay(c, nodes, data, aws)
            only_tls(c, nodes)
            strangers(c, nodes, aws)
            for m in nodes.values():
                m.reboot()
            works(c, nodes, "rebooted")
            c.check("the bootstrap has not run again", not any("cairn-bootstrap:" in m.console() for m in nodes.values()))
            renewed(c, nodes, aws)
            works(c, nodes, "renewed")
        finally:
            for m in nodes.values():
                m.__exit__()
