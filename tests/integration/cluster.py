"""A whole Triad of real processes for tests, started with ./quickstart in a temporary directory."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("TRIAD_BIN", REPO / "bazel-bin"))


def free_port_block(size=80):
    """A base such that the ports quickstart derives from it are free now."""
    for _ in range(200):
        base = random.SystemRandom().randrange(20000, 32000, 100)  # Tests seed the other one.
        try:
            for port in range(base, base + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise RuntimeError("no free block of ports")


class Cluster:
    def __init__(self, nodes=3, accounts=2, keep=None):
        self.data = Path(tempfile.mkdtemp(prefix="triad-test-", dir=keep))
        self.port = free_port_block()
        self.nodes, self.accounts = nodes, accounts

    def quickstart(self, *words, timeout=180):
        command = [str(REPO / "quickstart"), *words, "--data", str(self.data), "--bin", str(BIN),
                   "--port", str(self.port), "--nodes", str(self.nodes),
                   "--accounts", str(self.accounts), "--no-demo"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")
        return done.stdout

    def start(self):
        self.quickstart("start")
        return self

    def close(self):
        try:
            self.quickstart("stop")
        finally:
            for name in self.names:
                self.kill(name)
            if os.environ.get("TRIAD_KEEP"):
                print(f"kept {self.data}")
            else:
                shutil.rmtree(self.data, ignore_errors=True)

    @property
    def names(self):
        return ["keystore", "contentdb", *[f"blob{i + 1}" for i in range(self.nodes)],
                "steward", "frontend"]

    # ---------------------------------------------------------------- processes

    def pid(self, name):
        try:
            pid = int((self.data / name / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if command.startswith(os.fsencode(self.data)) else None

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, sig)
            if sig == signal.SIGKILL:
                while self.pid(name) is not None:
                    time.sleep(0.01)

    def signal(self, name, sig):
        os.kill(self.pid(name), sig)

    def start_only(self, name):
        self.quickstart("start", "--only", name)

    def stop_only(self, name):
        self.quickstart("stop", "--only", name)

    def admin_port(self, name):
        text = self.conf_path(name).read_text()
        return int(re.search(r"admin_listen = 127\.0\.0\.1:(\d+)", text).group(1))

    def listen_port(self, name):
        text = self.conf_path(name).read_text()
        return int(re.search(r"^listen = 127\.0\.0\.1:(\d+)", text, re.M).group(1))

    def issue(self, role, ident, *words):
        """A certificate of this cluster's PKI, in a directory of its own."""
        out = self.data / f"issued-{role}-{ident}"
        subprocess.run([str(self.data / "bin/triad"), "pki", "issue", "--dir", str(self.data / "pki"),
                        "--role", role, "--id", ident, "--out", str(out), *words],
                       stdout=subprocess.DEVNULL, check=True)
        return out

    def conf_path(self, name):
        return next((self.data / name).glob("*.conf"))

    def health(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port(name)}/health",
                                        timeout=2) as answer:
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.read().decode().strip()
        except OSError as error:
            return f"no answer: {error}"

    def metrics(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port(name)}/metrics",
                                    timeout=5) as answer:
            text = answer.read().decode()
        return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
                if line and not line.startswith("#")}

    def log(self, name):
        return (self.data / name / "log").read_text(errors="replace")

    def triad(self, *words, check=True):
        done = subprocess.run([str(self.data / "bin/triad"), *words, "--config",
                               str(self.data / "triad.conf")], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"triad {' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    # ---------------------------------------------------------------- clients

    @property
    def endpoint(self):
        return f"https://localhost:{self.port}"

    @property
    def ca(self):
        return str(self.data / "frontend/s3/ca.pem")

    @property
    def credentials(self):
        text = (self.data / "aws.credentials").read_text()
        return (re.search(r"access_key_id = (\S+)", text).group(1),
                re.search(r"secret_access_key = (\S+)", text).group(1))

    def s3(self, access=None, secret=None, retries=0, **config):
        import boto3
        from botocore.config import Config
        if access is None:
            access, secret = self.credentials
        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=access,
            aws_secret_access_key=secret, region_name="us-east-1", verify=self.ca,
            config=Config(retries={"max_attempts": retries}, connect_timeout=5, read_timeout=60,
                          s3={"addressing_style": "path"}, **config))

    def aws_environment(self):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment.update(AWS_CONFIG_FILE=str(self.data / "aws.conf"),
                           AWS_SHARED_CREDENTIALS_FILE=str(self.data / "aws.credentials"),
                           AWS_CA_BUNDLE=self.ca, AWS_EC2_METADATA_DISABLED="true")
        return environment

    def aws(self, *words, check=True):
        """Debian's aws: the python3 on a developer's PATH may be another one."""
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", self.endpoint, *words],
                              env=self.aws_environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"aws {' '.join(words)}: {done.stdout}{done.stderr}")
        return done
