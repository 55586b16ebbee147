"""What failures and agents cost: the model is what a simulation without it comes to, and the page says it."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.limits import (
    Failures,
    coordinator_step,
    failures_table,
    mean_round,
    signal_seconds,
    simulated_rounds,
    size_table,
    useful,
)

PAGE = (Path(__file__).parents[2] / "docs" / "engines" / "limits-and-cost.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("machines", [1, 10, 300])
@pytest.mark.parametrize(("round_", "recovery"), [(6.0, 25.0), (60.0, 25.0), (30.0, 0.0), (20.0, 200.0)])
def test_the_mean_round_is_that_of_a_simulation_machine_by_machine(
    machines: int, round_: float, recovery: float
) -> None:
    case = Failures(machines, 100.0 * machines, round_, recovery)  # one failure in 100 s
    times = np.array(list(simulated_rounds(case, 4000, np.random.default_rng(7))))
    error = times.std() / math.sqrt(len(times))
    assert abs(times.mean() - mean_round(case)) < 4 * error
    assert error < 0.1 * mean_round(case), "or the comparison says nothing"


@given(
    rate=st.floats(1e-9, 1e-2),
    round_=st.floats(0.01, 1e3),
    recovery=st.floats(0.0, 1e3),
    more=st.floats(1.01, 10.0),
)
@settings(max_examples=200)
def test_failures_only_cost(rate: float, round_: float, recovery: float, more: float) -> None:
    case = Failures(1, 1 / rate, round_, recovery)
    assert 0 < useful(case) <= 1 + 1e-12
    assert useful(Failures(1, 1 / rate, round_ * more, recovery)) <= useful(case) * more
    assert mean_round(Failures(1, 1 / rate, round_, recovery + more)) > mean_round(case)
    # Where a failure during a recovery is unlikely, that is the shorter formula.
    short = (1 / rate + recovery) * math.expm1(rate * round_)
    assert short <= mean_round(case) * (1 + 1e-12)
    assert mean_round(case) <= short * math.exp((rate * recovery) ** 2 / 2) * (1 + 1e-12)


def test_a_machine_that_never_fails_costs_nothing() -> None:
    assert useful(Failures(1000, 1e15, 6.0, 25.0)) == pytest.approx(1.0, rel=1e-6)


def test_the_coordinator_and_its_network_do_work_for_every_agent() -> None:
    assert coordinator_step(2000) - coordinator_step(1000) == pytest.approx(
        1000 * (coordinator_step(1) - coordinator_step(0))
    )
    assert signal_seconds(1000, 16_384, 100, 10e9) == pytest.approx(10.5, rel=0.01)


def test_the_page_has_the_tables_of_the_model() -> None:
    assert "\n".join(size_table()) in PAGE
    assert "\n".join(failures_table()) in PAGE
