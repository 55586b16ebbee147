"""The figure of `docs/how-to/converge-faster.md` can be made again."""

import csv
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "convergence"


def test_the_race_writes_a_figure_and_every_run(tmp_path: Path) -> None:
    command = [
        sys.executable,
        EXAMPLE,
        "--first",
        "1",
        "--rounds",
        "500",
        "--share",
        "0.05",
        "--out",
        tmp_path,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    assert (tmp_path / "convergence.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {row["way"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(ran.stdout.splitlines()) - 1
    needed = {way: int(row["rounds"]) for way, row in rows.items() if row["certified"] == "True"}
    assert needed["backtracking"] < needed["certified η, momentum"] < needed["plain (3), certified η = 1/β"]
    assert "plain (3), η = 0.1" not in needed, "500 rounds are not enough for so small a step"
