"""A deployment of deploy/compose under a project name and a port of its own, for the tests."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "deploy" / "compose"
AWS = shutil.which("aws", path="/usr/bin:/usr/local/bin")


def run(*words, check=True, seconds=600, environment=None, text=True):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=text, timeout=seconds, env=environment, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def why_not():
    """Why no deployment can run here, or None."""
    try:
        engine = run("docker", "version", "--format", "{{.Server.Version}}", check=False, seconds=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no docker engine ({error})"
    if engine.returncode != 0:
        return f"no docker engine answers ({engine.stderr.strip().splitlines()[-1:]})"
    if compose_command() is None:
        return "neither docker-compose nor `docker compose` is here"
    if AWS is None:
        return "no aws command"
    base = run(ROOT / "deploy" / "base-image" / "make", check=False)
    if base.returncode != 0:
        return base.stderr.strip().splitlines()[-1]
    return None


def compose_command():
    for words in (["docker-compose"], ["docker", "compose"]):
        if shutil.which(words[0]) and run(*words, "version", check=False, seconds=30).returncode == 0:
            return words
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Project:
    """Make it, start() it, close() it: close() leaves nothing but the images, which are a cache."""

    def __init__(self, name=f"triadtest{os.getpid()}"):
        self.name = name
        self.port = free_port()
        self.words = compose_command()
        self.files = [DIRECTORY / "docker-compose.yml"]
        self.scratch = Path(tempfile.mkdtemp(prefix="triad-compose-"))
        self.client = self.scratch / "client"
        # The images are tests' own: the user's triad:latest is left alone. Who has built some already can name them.
        self.image = os.environ.get("TRIAD_TEST_IMAGE", "triad-test")
        self.environment = {**os.environ, "COMPOSE_PROJECT_NAME": name, "TRIAD_PORT": str(self.port),
                            "TRIAD_ADDRESS": "127.0.0.1", "TRIAD_IMAGE": self.image, "TRIAD_NAMES": "", "TRIAD_REMOTE": ""}
        self.endpoint = f"https://localhost:{self.port}"

    # ------------------------------------------------------------ compose

    def compose(self, *words, check=True, seconds=600):
        files = [part for file in self.files for part in ("-f", file)]
        return run(*self.words, "--project-directory", DIRECTORY, *files, *words, check=check, seconds=seconds,
                   environment=self.environment)

    def start(self):
        if "TRIAD_TEST_IMAGE" not in os.environ:
            self.compose("--profile", "metrics", "build", seconds=1800)
        self.up()
        # Not by `compose run` over and over: one call, the script that users have.
        run(DIRECTORY / "profile", self.client, environment=self.environment)

    def up(self, *words):
        done = self.compose("up", "-d", *words)
        self.wait_healthy()
        return done.stdout + done.stderr

    def close(self):
        """All of it, volumes too, also what an override or a profile added."""
        for kind, remove in (("ps", ("rm", "-f", "-v")), ("network", ("network", "rm")), ("volume", ("volume", "rm", "-f"))):
            filters = ("--filter", f"label=com.docker.compose.project={self.name}")
            listing = ("ps", "-aq", *filters) if kind == "ps" else (kind, "ls", "-q", *filters)
            found = run("docker", *listing, check=False).stdout.split()
            if found:
                run("docker", *remove, *found, check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # ------------------------------------------------------------ containers

    def containers(self, service=None):
        """Ids, of running and ended ones, oldest first."""
        filters = ["--filter", f"label=com.docker.compose.project={self.name}",
                   "--filter", "label=com.docker.compose.oneoff=False"]
        if service is not None:
            filters += ["--filter", f"label=com.docker.compose.service={service}"]
        return run("docker", "ps", "-aq", "--no-trunc", *filters).stdout.split()[::-1]

    def inspect(self, *ids):
        return json.loads(run("docker", "inspect", *ids).stdout)

    def inspect_volume(self, name):
        return json.loads(run("docker", "volume", "inspect", name).stdout)[0]

    def all(self):
        """(service, facts) of every container of the deployment."""
        return [(facts["Config"]["Labels"]["com.docker.compose.service"], facts)
                for facts in self.inspect(*self.containers())]

    def execute(self, container, *words, check=True, seconds=60):
        return run("docker", "exec", container, *words, check=check, seconds=seconds)

    def addresses(self):
        """{container: {network: address}} of all of them."""
        return {facts["Id"]: {name.removeprefix(f"{self.name}_"): network["IPAddress"]
                              for name, network in facts["NetworkSettings"]["Networks"].items()}
                for service, facts in self.all()}

    def connects(self, container, host, port):
        """Whether a TCP connection from inside that container is accepted."""
        return (host, port) in self.reached(container, [(host, port)])

    def reached(self, container, doors):
        """Those of the (host, port) pairs that accept a connection from inside that container; all tried at once."""
        tries = [f"(timeout 2 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>&- && echo {host} {port}) &" for host, port in doors]
        lines = self.execute(container, "bash", "-c", "\n".join([*tries, "wait"])).stdout.splitlines()
        return {(line.split()[0], int(line.split()[1])) for line in lines}

    def wait_healthy(self, seconds=90):
        deadline = time.monotonic() + seconds
        while True:
            bad = [f"{service}: {facts['State']['Status']} {facts['State'].get('Health', {}).get('Status')}"
                   for service, facts in self.all()
                   if facts["State"].get("Health", {}).get("Status", "healthy") != "healthy" or
                   (facts["State"]["Status"] == "exited" and facts["State"]["ExitCode"] != 0)]
            if not bad:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"not healthy: {bad}\n{self.compose('logs', '--tail', '5').stdout}")
            time.sleep(0.5)

    # ------------------------------------------------------------ S3

    def aws(self, *words, check=True):
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment.update(AWS_CONFIG_FILE=str(self.client / "config"), AWS_PROFILE="triad",
                           AWS_SHARED_CREDENTIALS_FILE=str(self.client / "credentials"),
                           AWS_EC2_METADATA_DISABLED="true", AWS_CA_BUNDLE=str(self.client / "ca.pem"))
        return run(AWS, "--endpoint-url", self.endpoint, *words, check=check, seconds=120, environment=environment)

    def put(self, path, key):
        self.aws("s3", "cp", "--only-show-errors", path, f"s3://compose/{key}")

    def get(self, key):
        path = self.scratch / "down"
        path.unlink(missing_ok=True)
        self.aws("s3", "cp", "--only-show-errors", f"s3://compose/{key}", path)
        return path.read_bytes()
