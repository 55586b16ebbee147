"""Benchmarks leave nothing behind: no process, no file."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bnpg.lab.testing.scratch import title

ROOT = Path(__file__).parent.parent.parent
if str(ROOT) not in sys.path:
    # `benchmarks` belongs to the source tree, not to the installed package.
    sys.path.insert(0, str(ROOT))


@pytest.fixture(autouse=True)
def nothing_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    tmp_path_factory.getbasetemp()  # pytest's own folder must not come to be in ours
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with tempfile.TemporaryDirectory(prefix="bnpg-test-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
        left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        # Python's own helper of multiprocessing lives as long as the process that uses it.
        left = [child for child in left if "resource_tracker" not in title(child)]
        assert not psutil.wait_procs(left, timeout=60)[1], f"left behind: {left}"
        assert list(Path(folder).iterdir()) == []
