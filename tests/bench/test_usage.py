"""What others use is told from what we use, and what our children used is ours."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bnpg.lab.bench import usage
from bnpg.lab.bench.usage import cores_of_others


def test_what_a_child_used_is_ours_and_the_rest_is_that_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    by_others = 0.0

    def machine() -> SimpleNamespace:
        return SimpleNamespace(user=sum(os.times()[:4]) + by_others, system=0.0)

    monkeypatch.setattr(usage.psutil, "cpu_times", machine)
    with cores_of_others() as busy:
        burn = "import time\nwhile time.process_time() < 0.5: pass"
        subprocess.run([sys.executable, "-c", burn], check=True)
        assert busy() < 0.1
        by_others = 1000.0
        assert busy() > 1.0
