"""A sweep, wherever its runs are, comes to the same bytes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GRID = """
[base]
rounds = 3
lanes = 8
horizon = 3
evaluate-every = 2
[grid]
game = ["climbing", "coordination(agents=3)"]
dag = ["empty", "line"]
seed = [0, 1, 2]
"""
OUTPUTS = ("table.csv", "table.parquet", "aggregates.csv")


def sweep_outputs(
    folder: Path, *words: str, before: Sequence[str] = (), environment: dict[str, str] | None = None
) -> list[bytes]:
    """Run the sweep into a folder, and return what it came to."""
    folder.parent.mkdir(exist_ok=True)
    grid = folder.parent / "grid.toml"
    grid.write_text(GRID)
    command = [sys.executable, "-P", "-m", "bnpg", "sweep", str(grid), "--out", str(folder), "--no-fsync"]
    ran = subprocess.run(
        [*before, *command, "--quiet", "--jobs", "2", *words],
        env=environment, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return [(folder / name).read_bytes() for name in OUTPUTS]
