"""An environment that was slow in a run may be as slow when the run is recomputed."""

import os
import subprocess
import sys
from pathlib import Path

from bnpg_protocol.wire.exit_codes import ExitCode

SLOW = """
import time
from gymnasium import Env
from gymnasium.spaces import Discrete

class Slow(Env):
    observation_space, action_space = Discrete(1), Discrete(2)
    first = True

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        if Slow.first:
            Slow.first = False
            time.sleep(1.0)
        return 0, float(action), False, False, {}
"""


def test_the_check_waits_for_it_as_the_run_did(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    sizes = "--rounds 1 --lanes 1 --steps 2 --baseline none --launcher memory --no-fsync"
    for command in (f"train slow:Slow {sizes} --trace --quiet --out run", "trace check run"):
        done = subprocess.run(
            [sys.executable, "-m", "bnpg", *command.split()],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == ExitCode.DONE, done.stderr
