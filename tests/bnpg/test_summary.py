"""The summary, the words for people, the picture."""

import gc
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from bnpg_coordinator.line import Line

from bnpg.curves import draw
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.settings import LaunchSettings
from bnpg.report.measurements import Measurements
from bnpg.run_creation import create_run_folder
from bnpg.summary import human_summary
from bnpg_math.arrays.not_finite import finite_fields

SUMMARY: dict[str, Any] = {
    "mode": "sampled",
    "state": "done", "why": "", "rounds": 8, "rounds_total": 8, "seconds": 2.0, "processes": 3, "value": 1.5,
    "optimal_value": 2.0, "optimality_gap": 0.5, "nash_gap": 0.25, "evaluated_round": 8, "return_mean": 1.4,
    "return_stderr": 0.1, "seed": 0, "dag": "line",
}  # fmt: skip


def test_what_is_not_finite_is_null_with_a_reason() -> None:
    assert finite_fields({"a": math.nan, "b": -math.inf, "c": 1.0, "d": None}) == {
        "a": None, "a_reason": "nan is not finite",
        "b": None, "b_reason": "-inf is not finite", "c": 1.0, "d": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            [
                "Done: 8 rounds in 2 s (4.0 rounds/s), 3 processes",
                "1.400 ± 0.100",
                "25 % of V*",
                "--seed 1",
            ],
        ),
        ({"processes": 1}, ["1 process\n"]),
        ({"mode": "exact"}, ["--initial normal --seed 1", "another beginning"]),
        (
            {"state": "interrupted", "rounds": 5},
            ["Interrupted: 5 of 8 rounds", "after 8 rounds", "bnpg resume"],
        ),
        ({"state": "failed", "seconds": 0.0, "rounds": 0}, ["Failed: 0 of 8 rounds in 0 s, 3 processes"]),
        ({"seconds": 160.0}, ["Done: 8 rounds in 2 min 40 s (0.05 rounds/s)"]),
        ({"value": None, "value_reason": "evaluate-every is 0"}, ["not known: evaluate-every is 0"]),
        ({"optimal_value": 0.0, "optimality_gap": 0.5}, ["how far the team is"]),
        ({"optimal_value": 100.0}, ["0.50 % of V*"]),
        ({"optimality_gap": 1e-8}, ["5e-07 % of V*"]),
        ({"optimality_gap": 0.0}, ["0.00 % of V*"]),
        ({"optimal_value": 1e-10, "optimality_gap": 5e-11}, ["50 % of V*"]),
        ({"optimal_value": 1e-8, "optimality_gap": 1e6}, ["how far the team is"]),
        ({"optimal_value": 0.25}, ["200 % of V*"]),
        ({"optimal_value": -2.0}, ["25 % of V*"]),
        ({"return_stderr": None}, ["1.400"]),
        ({"return_mean": 1e-5, "return_stderr": 3e-6}, ["1.00e-05 ± 3.0e-06"]),
        ({"dag": "empty"}, ["--dag complete"]),
    ],
)
def test_the_words_for_people(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    run = create_run_folder(plan_experiment({"game": "climbing"}), LaunchSettings(), tmp_path / "run")
    text = human_summary(run, SUMMARY | change)
    for word in words:
        assert word in text


EVALUATED = {"value": 1.0, "optimality_gap": 0.5, "nash_gap": 0.1}
RECORDS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "exact": [{"round": r} | EVALUATED for r in range(3)],
    "exact, seldom evaluated": [
        {"round": 0} | EVALUATED,
        {"round": 1, "value": 1.1},
        {"round": 2} | EVALUATED,
    ],
    "sampled": [{"round": r, "return_mean": 1.0, "return_stderr": 0.1} for r in range(3)],
    "no gaps left": [{"round": r, "value": 1.0, "optimality_gap": 0.0, "nash_gap": 0.0} for r in range(3)],
    "nulls": [{"round": 0, "value": None, "optimality_gap": None, "nash_gap": None, "return_stderr": None}],
    "one lane": [{"round": r, "return_mean": 1.0, "return_stderr": None} for r in range(3)],
}


@pytest.mark.parametrize("case", RECORDS)
def test_every_record_can_be_drawn(tmp_path: Path, case: str) -> None:
    measured = Measurements([Line(**fields) for fields in RECORDS[case]])
    gc.collect()  # what earlier tests left open is told of now, and is no warning of this one
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(measured, tmp_path / "curves.png", "a title")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
