"""One deployment for all tests of this directory; removed at the end, however that comes."""

import random
import signal

import pytest

from project import Project, why_not


def pytest_sessionstart(session):
    session.config.why_not = why_not()
    # As Ctrl-C: the deployment is removed at a TERM too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config):
    if config.why_not:
        terminalreporter.write_line(f"compose tests skipped: {config.why_not}")


@pytest.fixture(scope="session")
def project(request):
    if request.config.why_not:
        pytest.skip(f"compose tests skipped: {request.config.why_not}")
    project = Project()
    try:
        project.start()
        project.aws("s3", "mb", "s3://compose")
        yield project
    finally:
        project.close()


@pytest.fixture(scope="session")
def stored(project):
    """An object of several chunks, which stays for the whole session: its key and its bytes."""
    body = random.Random(4).randbytes(6_345_678)
    path = project.scratch / "stored"
    path.write_bytes(body)
    project.put(path, "stored")
    return "stored", body
