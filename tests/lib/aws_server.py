"""AWS for tests: moto, which checks signatures, session tokens and policies (aws_moto.py says what it does not check)."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def aws_python():
    """The Python that has moto, or None when PyPI cannot be reached."""
    made = subprocess.run([f"{HERE}/aws_venv.sh"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return made.stdout.strip() if made.returncode == 0 else None


class AwsServer:
    """One account in one region. `made` has what AWS made up: users and their keys, roles, one session of each role, the secrets' ARNs."""

    def __init__(self, python, folder, region, certificate=None, **world):
        empty = {"users": {}, "roles": {}, "secrets": {}, "parameters": {}, "buckets": []}
        self.python, self.folder, self.scheme = python, folder, "https" if certificate else "http"
        self.world = {**empty, **world, "region": region, "certificate": certificate}

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/world.json", "w", encoding="utf-8") as f:
            json.dump(self.world, f)
        # A home of its own: nothing that the person at this machine has for AWS is read.
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "AWS_EC2_METADATA_DISABLED": "true"}
        with open(f"{self.folder}/moto.log", "ab") as log:
            self.process = subprocess.Popen([self.python, f"{HERE}/aws_moto.py", f"{self.folder}/world.json"], env=env, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline()
        if not line:
            self.__exit__()
            with open(f"{self.folder}/moto.log", errors="replace") as f:
                raise RuntimeError("moto did not start:\n" + "".join(f.readlines()[-20:]))
        self.made = json.loads(line)
        self.port = self.made["port"]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
