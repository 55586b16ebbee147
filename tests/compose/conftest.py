"""A deployment of its own for every test, on whatever Docker engine there is.

In CI `.ci/docker_compose_tests.sh` brings an engine along, so these tests always run there. Elsewhere
they are skipped only if there is no engine to talk to.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnpg.lab.testing.containers import Deployment, docker
from tests.compose.extra import extra_wheel

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.compose)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def project() -> Iterator[Path]:
    """The folder with docker-compose.yml; the image is built from it once."""
    folder = Path(os.environ.get("BNPG_COMPOSE_PROJECT", ROOT))
    required = "BNPG_COMPOSE_PROJECT" in os.environ
    if shutil.which("docker") is None or docker("compose", "version", check=False).returncode:
        assert not required, "the Docker engine that was brought along has no compose"
        pytest.skip("no docker compose on this machine")
    if docker("info", check=False).returncode:
        assert not required, "the Docker engine that was brought along does not answer"
        pytest.skip("no Docker engine answers on this machine")
    # There from the beginning: one more file among the wheels would have all of them installed again.
    wheel = folder / "deploy" / "wheelhouse" / extra_wheel(folder)
    try:
        built = subprocess.run(
            ["docker", "compose", "build"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
        yield folder
    finally:
        wheel.unlink()


@pytest.fixture
def deployment(project: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Containers of this test alone; afterwards nothing of them is left."""
    # The folder is made by the engine, as it is for somebody who has just cloned the repository.
    it = Deployment(project, f"bnpg-{abs(hash(request.node.nodeid)) % 10**8}", tmp_path / "runs")
    try:
        yield it
        if request.node.stash.get(FAILED, False):
            print(it.logs())
    finally:
        it.down()
    assert it.leftovers() == []


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def digest_in_memory(tmp_path_factory: pytest.TempPathFactory):
    """The policy digest of the same experiment, run in one process."""
    known: dict[tuple[str, str], str] = {}

    def digest(game: str, options: str) -> str:
        if (game, options) not in known:
            out = tmp_path_factory.mktemp("memory") / "run"
            command = [sys.executable, "-m", "bnpg", "train", game, *options.split()]
            command += ["--launcher", "memory", "--out", str(out), "--json", "--quiet", "--no-fsync"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=ROOT)
            known[game, options] = json.loads(done.stdout)["policy_digest"]
        return known[game, options]

    return digest
