"""The examples that compare baselines, and annealing with a fixed lambda, work."""

import csv
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str, cwd: Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_baselines_stop_at_a_nash_equilibrium_and_edges_reach_the_optimum(tmp_path: Path) -> None:
    run("baselines", "--games", "climbing", "--rounds", "120", "--out", str(tmp_path), cwd=tmp_path)
    rows = list(csv.DictReader((tmp_path / "baselines.csv").read_text().splitlines()))
    found = {(row["method"], row["dag"]): row for row in rows}
    assert len(found) == len(rows) == 12
    for (_, dag), row in found.items():
        assert row["nash"] != "-"
        assert (row["optimality"] == "-") == (dag == "empty")
        if row["promised"] != "-":
            assert float(row[row["of"]]) <= float(row["promised"])
    assert float(found["policy iteration", "empty"]["ends_at"]) == 4.0
    assert (tmp_path / "baselines.png").read_bytes().startswith(b"\x89PNG")


def test_annealing_is_measured(tmp_path: Path) -> None:
    told = run("annealing", "--seeds", "0", "--out", "ratios.csv", cwd=tmp_path)
    ratios = [float(ratio) for ratio in re.findall(r": ([\d.]+) times", told)]
    assert len(ratios) == 4
    assert ratios[0] > 1.1
    assert len((tmp_path / "ratios.csv").read_text().splitlines()) == 1 + 3 * 2 * 2
