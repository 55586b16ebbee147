"""The suite can fail: each way of breaking the protocol is caught, by a schedule or by a timing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol.wire.link import PATIENCE

from tests.simulation.mutants import LINK, MUTANTS, NO_GAP_REQUEST, RELAY_MUTANTS, Mutant

ENOUGH = 400
"""Schedules within which a mutant must be caught."""
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("mutated.py")


def play(mutant: Mutant, what: str, folder: Path) -> str:
    """Return what the program says that plays schedules with a mutant in place of the real file."""
    parts = Path(mutant.file).parts
    within = parts if parts[0].startswith("bnpg") else parts[1:]  # from the package on
    source = ROOT.joinpath(*parts[: len(parts) - len(within) + 1])
    shutil.copytree(source, folder / within[0], ignore=shutil.ignore_patterns("__pycache__"))
    file = folder.joinpath(*within)
    text = file.read_text(encoding="utf-8")
    for old, new in mutant.edits:
        assert text.count(old) == 1, f"{mutant.file} must have exactly once: {old}"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    module = ".".join(within).removesuffix(".py")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), module, what],
        env=os.environ | {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("mutant", [*MUTANTS, *RELAY_MUTANTS], ids=lambda one: one.name.replace(" ", "-"))
def test_a_broken_protocol_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert play(mutant, str(ENOUGH), tmp_path), f"{ENOUGH} schedules did not notice: {mutant.name}"


def test_what_is_not_broken_is_not_caught(tmp_path: Path) -> None:
    assert play(Mutant("nothing is changed", LINK, ()), "20", tmp_path) == ""


def test_a_missing_gap_request_is_caught(tmp_path: Path) -> None:
    """A loss in mid-stream is repaired at once; without the request it takes the sender's patience."""
    quick, digest = play(Mutant("nothing is changed", LINK, ()), "gap", tmp_path / "whole").split()
    slow, same = play(NO_GAP_REQUEST, "gap", tmp_path / "mutant").split()
    assert digest == same
    assert float(quick) < PATIENCE <= float(slow)
