"""What the scenarios of tests/deploy/boot.py share: the packages, the user data as terraform renders them, and questions to a node."""
import hashlib
import json
import os
import re
import shutil
import tempfile
import urllib.parse

from machine import MIRROR_PORT, NETWORK, ROOT, SERVER, Mirror, sh

PACKAGES = os.environ.get("PACKAGES", f"{ROOT}/build/packages")
ARCH = sh("dpkg", "--print-architecture").stdout.strip()
HOSTS = {"logs": 11, "app": 12, "metrics": 13, "dashboards": 14}
URLS = [f"https://{SERVER}:{MIRROR_PORT}/gone", f"https://{SERVER}:{MIRROR_PORT}/here"]


# -- packages

def package(name, version=None):
    """(file name, bytes) of a built package; with a version, the same package under that version."""
    found = [f for f in os.listdir(PACKAGES) if re.match(rf"{name}_.*_({ARCH}|all)\.deb$", f)]
    if len(found) != 1:
        raise RuntimeError(f"{PACKAGES} holds {found or 'no package'} for {name}; run make deb")
    path = f"{PACKAGES}/{found[0]}"
    if not version:
        return found[0], open(path, "rb").read()
    with tempfile.TemporaryDirectory() as folder:
        sh("dpkg-deb", "-R", path, f"{folder}/tree")
        control = f"{folder}/tree/DEBIAN/control"
        text = open(control, encoding="utf-8").read()
        open(control, "w", encoding="utf-8").write(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text))
        sh("dpkg-deb", "--root-owner-group", "-b", f"{folder}/tree", f"{folder}/new.deb")
        return re.sub(r"_[^_]*_", f"_{version}_", found[0]), open(f"{folder}/new.deb", "rb").read()


def version():
    return package("cairn")[0].split("_")[1]


def packages_publish():
    """The built packages on the mirror; their SHA-256."""
    Mirror.files.clear()
    sums = []
    for name in ("cairn", "cairn-compat"):
        file, data = package(name)
        Mirror.files[f"/here/{file}"] = data
        sums.append(hashlib.sha256(data).hexdigest())
    return sums


def put(m, *packages):
    names = []
    for name, data in packages:
        with open(f"{m.root}/root/{name}", "wb") as f:
            f.write(data)
        names.append(f"/root/{name}")
    return m.run("apt-get", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", *names, check=False)


# -- user data

def hcl(value):
    return json.dumps(value)


def render(work, sums, runs):
    """The outputs of terraform for these packages, all runs after each other: user_data (role -> text), flows, policies. A run is the text
    of its variables."""
    tree = f"{work}/tf"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(f"{ROOT}/deploy/terraform", tree)
    overrides = "".join(f'override_resource {{\n  target = module.{role}[0].aws_instance.this\n  values = {{ private_ip = "{NETWORK}.{host}" }}\n}}\n'
                        for role, host in HOSTS.items())
    text = f"""mock_provider "aws" {{
  mock_data "aws_region" {{
    defaults = {{ region = "eu-north-1" }}
  }}
  mock_data "aws_partition" {{
    defaults = {{ partition = "aws", dns_suffix = "amazonaws.com" }}
  }}
  mock_data "aws_caller_identity" {{
    defaults = {{ account_id = "123456789012" }}
  }}
}}
{overrides}
variables {{
  allowed_ssh_cidr = "203.0.113.7/32"
  allowed_web_cidr = "198.51.100.0/24"
  architecture     = {hcl(ARCH)}
  instance_type    = {hcl("t4g.micro" if ARCH == "arm64" else "t3.micro")}
  package_version  = {hcl(version())}
  package_urls     = {{ {ARCH} = {hcl(URLS)} }}
  package_sha256   = {{ {ARCH} = {{ cairn = {hcl(sums[0])}, compat = {hcl(sums[1])} }} }}
}}
""" + "".join(f'run "run{n}" {{\n  command = apply\n  variables {{\n{variables}\n  }}\n}}\n' for n, variables in enumerate(runs))
    shutil.rmtree(f"{tree}/tests")
    os.makedirs(f"{tree}/tests")
    open(f"{tree}/tests/boot.tftest.hcl", "w", encoding="utf-8").write(text)
    env = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    env.update(TF_DISABLE_PLUGIN_TLS="1", CHECKPOINT_DISABLE="1")
    sh(f"{ROOT}/tests/deploy/stub/install.sh", f"{work}/plugins")
    sh("terraform", "init", "-no-color", "-input=false", f"-plugin-dir={work}/plugins", cwd=tree, env=env)
    done = sh("terraform", "test", "-json", "-verbose", cwd=tree, env=env)
    out = {"user_data": {}, "policies": {}, "flows": []}
    for line in done.stdout.splitlines():
        state = json.loads(line).get("test_state")
        if state:
            out["user_data"].update(state["outputs"]["user_data"]["value"])
            out["policies"].update(state["outputs"]["policies"]["value"])
            out["flows"] = state["outputs"]["flows"]["value"]
    return out


def ready(m, seconds=420):
    return m.wait_for("READY or FAILED on the console", lambda: re.search(r"cairn-bootstrap: (READY|FAILED)[^\r\n]*", m.console()), seconds).group(0)


# -- questions

def query(m, expression, port=9090):
    status, text = m.get(port, "/api/v1/query?query=" + urllib.parse.quote(expression))
    return json.loads(text)["data"]["result"] if status == 200 else []


def quiet(m):
    """The machine is up and no unit has failed."""
    failed = m.out("systemctl", "--failed", "--plain", "--no-legend")
    if failed:
        print(f"failed units of {m.name}: {failed}\n{m.journal(failed.split()[0])[-1500:]}")
    return m.state() == "running" and not failed
