"""Every example of the gallery runs by itself and saves its figure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"
SAYS = {
    "a_game_of_your_own": "refused: transition[0, 0, 0] must sum to 1",
    "certificates": "is below",
    "escape_the_bad_nash": "DAG 0-1    10 of 10 teams get past 10",
    "flaky_network": "struck",
    "what_an_edge_buys": "complete     3 edges, depth 2",
}


def test_all_examples_are_here_and_listed() -> None:
    assert sorted(path.stem for path in GALLERY.glob("*.py")) == sorted(SAYS)
    text = (GALLERY / "README.md").read_text()
    assert all(f"({name}.py)" in text for name in SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_an_example_runs_and_saves_its_figure(here: Path, name: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "Agg"}
    ran = subprocess.run(
        [sys.executable, str(GALLERY / f"{name}.py")],
        capture_output=True, text=True, check=False, env=environment, timeout=280,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert SAYS[name] in ran.stdout
    figure = here / "figures" / f"{name}.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in here.iterdir()) == ["figures"]
