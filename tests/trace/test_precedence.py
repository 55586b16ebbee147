"""A process that does the right thing too early is found by its trace, though all its numbers are right."""

import sys
from pathlib import Path
from typing import Any

import pytest

from bnpg.cli.root import bnpg
from bnpg.lab.proof.check import check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.trace.reading import Violation, read_trace
from tests.simulation.mutants import LINK, MUTANTS, Mutant
from tests.simulation.test_mutations import play

TOO_EARLY = next(
    mutant for mutant in MUTANTS if mutant.name.startswith("the next round begins when the first")
)


def test_a_round_that_begins_before_everybody_has_applied_the_last_is_refused(tmp_path: Path) -> None:
    honest = play(Mutant("nothing is changed", LINK, ()), str(tmp_path / "honest"), tmp_path / "whole")
    hasty = play(TOO_EARLY, str(tmp_path / "hasty"), tmp_path / "mutant")
    assert hasty.splitlines()[-1] == honest.splitlines()[-1], "its numbers are right"
    proof = check_trace(read_trace(tmp_path / "honest" / "trace"), done=True)
    check_reference(tmp_path / "honest", proof)
    with pytest.raises(Violation, match=r"of round 1.* before it has the last application of agent-1"):
        check_trace(read_trace(tmp_path / "hasty" / "trace"), done=True)


def work(folder: Path) -> int:
    """Return how many functions and generators a check enters or goes on with."""
    lives = read_trace(folder / "trace")
    entered = [0]

    def count(_frame: Any, event: str, _argument: Any) -> None:
        entered[0] += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        check_trace(lives, done=True)
    finally:
        sys.setprofile(before)
    return entered[0]


def test_a_trace_of_four_times_the_length_takes_four_times_the_work(tmp_path: Path) -> None:
    def trained(rounds: int) -> Path:
        return train(tmp_path / str(rounds), "coordination(agents=3)", "--rounds", str(rounds))

    assert work(trained(80)) < 5 * work(trained(20))


def test_a_trace_of_four_times_the_agents_takes_four_times_the_work(tmp_path: Path) -> None:
    def trained(agents: int) -> Path:
        return train(tmp_path / str(agents), f"aloha(agents={agents})", "--dag", "line", "--rounds", "1")

    assert work(trained(64)) < 5 * work(trained(16))


def train(folder: Path, game: str, *options: str) -> Path:
    words = ["train", game, *options, "--lanes", "2", "--trace", "--launcher", "memory", "--quiet"]
    assert bnpg.main([*words, "--out", str(folder)], standalone_mode=False) == 0
    return folder
