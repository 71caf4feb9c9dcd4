#!/usr/bin/env python3
"""Real clients against a real Cairn: Debian's Prometheus scrapes and remote-writes, promtool reads the expositions,
curl talks to every role. Skips nothing silently: a missing client is a failure that names its package."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import Cases, Stack, free_port  # noqa: E402

# The two names the seed application fixes; promtool would have them end in _total.
FIXED_NAMES = ("flask_app_request_count", "flask_app_error_count")
# Names that Prometheus and Promtail themselves expose and that users' rules read; promtool complains about them there, too.
ORIGINALS_NAMES = ("prometheus_target_interval_length_histogram_seconds", "prometheus_engine_query_duration_histogram_seconds",
                   "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total", "promtail_file_bytes_total",
                   "promtail_files_active_total", "promtail_read_bytes_total", "promtail_targets_active_total")

# Sum and count of a summary of Prometheus whose quantiles are not kept: its rules read them, promtool takes them for counters.
HALF_SUMMARIES = ("prometheus_target_sync_length_seconds_sum", "prometheus_target_sync_length_seconds_count")


def promtool_check(cases, stack, role):
    status, body = stack.get(role, "/metrics")
    out = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
    complaints = [l for l in (out.stdout + out.stderr).decode().splitlines()
                  if l.strip() and not l.startswith(FIXED_NAMES + ORIGINALS_NAMES + HALF_SUMMARIES)]
    cases.check(f"promtool is content with the metrics of {role}", status == 200 and not complaints, complaints[:5])


def prometheus_beside(cases, stack):
    port = free_port()
    config = f"{stack.dir}/prometheus.yml"
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: demo-seen-by-prometheus
  static_configs: [{{targets: ['127.0.0.1:{stack.ports["demo"]}']}}]
- job_name: cairn-seen-by-prometheus
  static_configs: [{{targets: ['127.0.0.1:{stack.ports["metrics"]}']}}]
remote_write:
- url: {stack.url("metrics", "/api/v1/write")}
""")
    prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={stack.dir}/prometheus",
                                   f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                                  stderr=open(f"{stack.dir}/prometheus.log", "wb"))
    try:
        for job in ("demo-seen-by-prometheus", "cairn-seen-by-prometheus"):
            up = stack.wait_for(f"remote-written up of {job}", lambda j=job: stack.instant(f'up{{job="{j}"}} == 1'), 60)
            cases.check(f"{job}: scraped by Prometheus and remote-written into Cairn", len(up) == 1, up)
        counted = stack.wait_for("remote-written requests", lambda: stack.instant(
            'sum(flask_app_request_count{job="demo-seen-by-prometheus"})'), 60)
        cases.check("the demo's counter arrived through Prometheus", float(counted[0]["value"][1]) > 0, counted)
    finally:
        prometheus.terminate()
        prometheus.wait(20)


def promtool_queries(cases, stack):
    for query in ("rate(flask_app_request_count[5m])",
                  "histogram_quantile(0.95, rate(flask_app_request_duration_seconds_bucket[5m]))"):
        out = subprocess.run(["promtool", "query", "instant", stack.url("metrics"), query], capture_output=True)
        cases.check(f"promtool query instant {query}", out.returncode == 0 and out.stdout.strip(),
                    (out.stdout + out.stderr)[:300])


def curl_everywhere(cases, stack):
    for role, path in (("metrics", "/-/healthy"), ("metrics", "/-/ready"), ("logs", "/ready"), ("agent", "/ready"),
                       ("dashboards", "/api/health"), ("demo", "/health"), ("metrics", "/api/v1/status/buildinfo"),
                       ("logs", "/loki/api/v1/status/buildinfo")):
        out = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", stack.url(role, path)],
                             capture_output=True)
        cases.check(f"curl {role}{path}", out.stdout == b"200", out.stdout + out.stderr)


def port_in_use(cases, stack):
    other = Stack(demo=False)
    other.ports = dict(stack.ports)
    out = subprocess.run(other.command(), capture_output=True, timeout=30)
    text = (out.stdout + out.stderr).decode()
    shutil.rmtree(other.dir, ignore_errors=True)
    cases.check("a port in use is named with its role", out.returncode != 0 and "role" in text and
                any(str(p) in text for p in stack.ports.values()), text[-300:])


def tls_everywhere(cases):
    """One web configuration file gives every listener TLS and passwords, and the roles still reach each other."""
    work = Stack(demo=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{work.dir}/key.pem", "-out", f"{work.dir}/cert.pem",
                    "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
    with open(f"{work.dir}/web.yml", "w", encoding="utf-8") as f:  # the password is "secret"
        f.write("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
                "basic_auth_users: {joe: $2b$10$P9F9QD0uoSxsU1dKW7peyejzsRPwdT.bY1BFCsy88ZPjx/QFUBq5C}\n")

    def curl(role, path, *more):
        url = f"https://localhost:{work.ports[role]}{path}"
        out = subprocess.run(["curl", "-sk", "-w", "\n%{http_code}", *more, url], capture_output=True, text=True)
        body, _, status = out.stdout.rpartition("\n")
        return status, body
    args = work.command() + [f"--web.config.file={work.dir}/web.yml"]
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    joe = ("-u", "joe:secret")
    try:
        for _ in range(150):
            status, body = curl("metrics", "/api/v1/query?query=sum(up)%20==%202%20and%20sum(flask_app_request_count)%20>%200", *joe)
            if '"value"' in body:
                break
            time.sleep(0.2)
        cases.check("behind TLS and passwords the built-in jobs are up and the demo has traffic", '"value"' in body, body[:200])
        for role, path in (("metrics", "/api/v1/query?query=1"), ("logs", "/loki/api/v1/labels"), ("agent", "/metrics"), ("demo", "/metrics")):
            cases.check(f"{role} asks for a password", curl(role, path)[0] == "401", curl(role, path))
            cases.check(f"{role} takes the right one", curl(role, path, *joe)[0] == "200", curl(role, path, *joe)[0])
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(work.dir, ignore_errors=True)


def folder_in_use(cases, stack, role):
    """A second process on a running one's folder would write over what the first one keeps."""
    other = Stack(demo=False)
    shutil.rmtree(other.dir, ignore_errors=True)
    out = subprocess.run([other.command()[0], "serve", f"--role={role}", f"--data={stack.dir}/data",
                          f"--{role}-address=127.0.0.1:{other.ports[role]}"], capture_output=True, timeout=10)
    text = (out.stdout + out.stderr).decode()
    cases.check(f"{role}: a folder in use is refused with the other's process", out.returncode != 0 and
                f"process {stack.process.pid}" in text, text[-300:])


def main():
    cases = Cases()
    for program, package in (("prometheus", "prometheus"), ("promtool", "prometheus"), ("curl", "curl")):
        cases.check(f"{program} is installed", shutil.which(program), f"install Debian's package {package}")
    with Stack() as stack:
        stack.wait_for("the demo's metrics", lambda: stack.instant('up{job="flask-app"} == 1'), 60)
        curl_everywhere(cases, stack)
        promtool_check(cases, stack, "demo")
        promtool_check(cases, stack, "metrics")
        promtool_check(cases, stack, "logs")
        promtool_check(cases, stack, "agent")
        cases.run("Prometheus beside Cairn", prometheus_beside, cases, stack)
        time.sleep(15)
        promtool_queries(cases, stack)
        cases.run("port in use", port_in_use, cases, stack)
        for role in ("metrics", "logs", "dashboards"):
            cases.run(f"{role}: folder in use", folder_in_use, cases, stack, role)
    cases.run("TLS everywhere", tls_everywhere, cases)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
