"""A certificate that rests on fresh episodes: where it is written, and what is refused."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from bnpg_coordinator.worlds.table import TableWorld

import bnpg
from bnpg.evaluation import from_samples
from bnpg.evaluation.from_samples import certify_from_samples
from bnpg_math.dag import empty

EXACT = {
    "dag": "complete",
    "mode": "exact",
    "rounds": 100,
    "learning_rate": "certified",
    "regularization": 4.0,
}


def test_it_stands_beside_what_is_proved_and_is_no_part_of_it(tmp_path):
    run = bnpg.train("climbing", **EXACT, certify_samples=0.05, out=tmp_path / "run")
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    sampled = certificate["sampled"]
    assert sampled["certified"]
    assert math.isclose(sampled["confidence"], 0.95)
    assert certificate["nash_gap"] <= sampled["epsilon"] <= 4.0 * 1.001
    assert not [claim for claim in certificate["proved"] if "episodes" in claim["by"]]
    assert "16384 fresh episodes certify a Nash gap of at most 4.001 with 95 % confidence" in str(
        run.summary["certificate"]
    )


def test_it_is_never_wholly_sure(tmp_path):
    run = bnpg.train("climbing", **EXACT, certify_samples=1e-17, out=tmp_path / "run")
    sampled = json.loads((tmp_path / "run" / "certificate.json").read_text())["sampled"]
    assert sampled["confidence"] < 1.0
    assert sampled["delta"] == 1e-17
    told = "with 99.99999 % confidence (wrong with a probability of at most 1e-17)"
    assert str(run.summary["certificate"]).endswith(told)


def test_a_gap_that_is_not_certified_is_said_so(tmp_path):
    run = bnpg.train(
        "climbing",
        **(EXACT | {"regularization": 0.001, "rounds": 1}),
        certify_samples=0.05,
        out=tmp_path / "run",
    )
    assert "fresh episodes certify nothing with 95 % confidence" in str(run.summary["certificate"])


def test_it_moves_no_bit_of_the_run(tmp_path):
    runs = [
        bnpg.train("climbing", **EXACT, certify_samples=delta, out=tmp_path / str(delta))
        for delta in (0.0, 0.3)
    ]
    assert runs[0].summary["policy_digest"] == runs[1].summary["policy_digest"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"regularization": 0.0}, "needs a regularization above 0"),
        ({"barrier": "weighted"}, "got barrier weighted"),
        ({"evaluate_every": 0}, "evaluate_every must be at least 1"),
        ({"certify_samples": 1.0}, "certify"),
    ],
)
def test_what_it_cannot_rest_on_is_refused(options, why, tmp_path):
    with pytest.raises(bnpg.InputError, match=why):
        bnpg.train("climbing", **(EXACT | {"certify_samples": 0.1} | options), out=tmp_path / "run")


@pytest.mark.parametrize("rewards", [(2.0**53, 2.0**53 + 2.0), (1e9, np.nextafter(1e9, 2e9)), (-1.0, 3.0)])
def test_no_reward_is_farther_from_what_is_taken_off_than_the_proof_has_it(rewards):
    low, high = rewards
    half = float(from_samples._farthest(low, high))
    assert (
        max(abs(low - from_samples._middle(low, high)), abs(high - from_samples._middle(low, high))) <= half
    )
    assert half >= Fraction(high - low) / 2


def test_the_range_of_returns_is_that_of_what_is_summed(monkeypatch):
    """Of these two rewards the middle is the lower one: it is R away from the higher, not R / 2."""
    low, high = 2.0**53, 2.0**53 + 2.0
    game = bnpg.dense_game("far", np.ones((1, 2, 1)), np.array([[low, high]]), np.ones(1), 0.5)
    spreads = []
    monkeypatch.setattr(
        from_samples, "longest_episode", lambda gamma, spread, bias: spreads.append(spread) or 1
    )
    monkeypatch.setattr(from_samples, "_looks", lambda episodes: ())
    with pytest.raises(IndexError):
        _ = certify_from_samples(
            TableWorld(game), empty(1), [np.zeros((1, 2))], regularization=0.1, rewards=(low, high)
        ).outcome
    assert spreads == [4.0]
