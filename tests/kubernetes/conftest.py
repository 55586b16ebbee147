"""Manifests as kustomize renders them, and pods of a test of its own.

`.ci/kubernetes_tests.sh` brings kustomize, a validator, podman and the image along, so these tests always run
there. Elsewhere they are skipped.
"""

import copy
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnpg.lab.testing.podman import Pods
from bnpg.lab.testing.pods import Manifest, pods_of

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
RUNS = ("jobs", "jobset", "example")
OVERLAYS = (*RUNS, "reader")

Render = Callable[[str], list[Manifest]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kubernetes)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def render() -> Render:
    """Return what renders an overlay, as `kubectl apply -k` does."""
    kustomize = os.environ.get("BNPG_KUSTOMIZE")
    if not kustomize:
        pytest.skip("needs kustomize: make kubernetes")
    import yaml

    known: dict[str, list[Manifest]] = {}

    def rendered(overlay: str) -> list[Manifest]:
        if overlay not in known:
            done = subprocess.run(
                [kustomize, "build", str(MANIFESTS / overlay)],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            known[overlay] = list(yaml.safe_load_all(done.stdout))
        return copy.deepcopy(known[overlay])

    return rendered


@pytest.fixture
def pods(render: Render, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Pods]]:
    """Return what makes the pods of an overlay; afterwards nothing of them is left."""
    podman = os.environ.get("BNPG_PODMAN")
    if not podman:
        pytest.skip("needs podman with an image: make kubernetes")
    made: list[Pods] = []

    def make(overlay: str) -> Pods:
        made.append(Pods(podman, f"bnpg-{overlay}", pods_of(render(overlay), tmp_path / "claims")))
        return made[-1]

    try:
        yield make
        if request.node.stash.get(FAILED, False):
            for some in made:
                for name in some.pods:
                    print(f"--- {name}\n{some.logs(name)[-3000:]}")
    finally:
        for some in made:
            some.close()
    assert [some.leftovers() for some in made] == [[] for _ in made]


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report
