"""The example that holds what theorems ask for against what runs need works."""

import csv
import math
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "predicted_rounds"


def test_theorems_ask_for_more_than_runs_need(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(EXAMPLE),
        "--games",
        "stag_hunt",
        "--rounds",
        "300",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    [row] = csv.DictReader((tmp_path / "rounds.csv").read_text().splitlines())
    rounds = {column: float(value) for column, value in row.items() if column != "game"}
    assert all(map(math.isfinite, rounds.values()))
    assert rounds["Theorem 2, tight"] <= rounds["Theorem 2, corrected"]
    assert rounds["backtracking"] <= rounds["certified steps"] <= rounds["Theorem 2, tight"]
    assert rounds["natural steps"] <= rounds["Theorem B, tight"]
    assert (tmp_path / "rounds.png").read_bytes().startswith(b"\x89PNG")
