"""Policies of other programs: as probabilities, deterministic, or from a file of either."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnpg

PAIR = bnpg.Dag(2, ((0, 1),))
BEST = bnpg.Policy.deterministic(PAIR, [[0], [[0, 1, 2]]], (3, 3))


def test_a_deterministic_optimum_is_exactly_that() -> None:
    measured = bnpg.evaluate("climbing", BEST, mismatch=True)
    assert measured.value == pytest.approx(11.0, rel=1e-12)
    assert measured.optimality_gap == pytest.approx(0.0, abs=1e-12)
    assert measured.nash_gap == pytest.approx(0.0, abs=1e-12)
    assert measured.objective == measured.value
    assert not any(bound.met for bound in measured.bounds if bound.lemma != "lemma_4")


def test_with_a_barrier_its_objective_is_minus_infinity() -> None:
    measured = bnpg.evaluate("climbing", BEST, regularization=0.1)
    assert measured.objective == -np.inf
    assert measured.value == pytest.approx(11.0, rel=1e-12)


def test_a_mixed_policy_is_worth_what_its_probabilities_say(here: Path) -> None:
    mixed = bnpg.Policy.from_tables(bnpg.Dag(2), [[[1, 0, 0]], [[0.5, 0.5, 0]]])
    bnpg.save_policy(mixed, "mixed.npz")
    assert bnpg.evaluate("climbing", "mixed.npz").value == pytest.approx((11 - 30) / 2)


def test_training_starts_from_probabilities(here: Path) -> None:
    uniform = bnpg.Policy.from_tables(PAIR, [np.full((1, 3), 1 / 3), np.full((1, 3, 3), 1 / 3)])
    run = bnpg.train("climbing", initial=uniform, mode="exact", rounds=3, out="a")
    assert run.dag == PAIR
    zeros = bnpg.train("climbing", dag=PAIR, mode="exact", rounds=3, out="b")
    for one, other in zip(run.policy.tables, zeros.policy.tables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    with pytest.raises(
        bnpg.PolicyError, match=r"^the initial policy: pi_0\[0, 1\] is 0, whose logit is infinite"
    ):
        bnpg.train("climbing", initial=BEST, mode="exact", rounds=3, out="c")
    assert not (here / "c").exists()


def test_single_precision_is_told_once() -> None:
    np.savez("p.npz", edges=np.zeros((0, 2)), pi_0=np.array([[0.1, 0.2, 0.7]], "f4"), pi_1=[[1, 0, 0]])
    with pytest.warns(bnpg.InputWarning, match="policy: 1 of 1 rows of pi_0 sum to 1 only within"):
        bnpg.evaluate("climbing", "p.npz")


@pytest.mark.parametrize("weight", [np.float32(0.5), np.float64(0.5), np.array(0.5), 0.5])
def test_a_regularization_of_any_kind_of_number_is_one(weight: Any) -> None:
    assert bnpg.evaluate("climbing", BEST, regularization=weight, mismatch=np.True_).objective == -np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bnpg.evaluate("climbing", BEST, regularization="x"), "regularization must hold float64"),
        (lambda: bnpg.evaluate("climbing", BEST, regularization=[0.1, 0.2]), "must be a scalar"),
        (lambda: bnpg.evaluate("climbing", BEST, regularization=-1), "at least 0, got -1"),
        (lambda: bnpg.evaluate("climbing", BEST.tables), "got tuple; Policy.from_tables"),
        (lambda: bnpg.evaluate("climbing", None), "got NoneType"),
        (lambda: bnpg.Policy.from_tables([(0, 1)], BEST.tables), r"over a Dag, such as Dag\(2, edges\)"),
    ],
)
def test_what_is_no_policy_or_weight_is_refused_in_one_line(call: Any, message: str) -> None:
    with pytest.raises(bnpg.InputError, match=message):
        call()
