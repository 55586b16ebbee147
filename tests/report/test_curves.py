"""Curves show what was recorded, and bounds only where a lemma gives one."""

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.automatic import returns_range
from bnpg_coordinator.line import Line

from bnpg.curves import figure_of
from bnpg.report.curves import (
    critic_chart,
    find_mismatch,
    gap_bounds,
    gap_chart,
    gradient_chart,
    learning_charts,
    update_chart,
    value_chart,
)
from bnpg.report.events import fault_events, round_events, standing_faults, time_chart
from bnpg.report.measurements import Measurements
from bnpg.report.numbers import shown
from bnpg.report.recorded_run import RecordedRun, read_run
from bnpg.report.summary import in_words, tiles
from bnpg.run_folder import RunFolder
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.objective import barrier
from bnpg_math.policies.joint import policy_digest
from bnpg_math.policies.softmax import log_policy
from bnpg_math.theory.constants import nash_threshold, optimality_threshold, sizes, smoothness
from bnpg_math.theory.stationarity import gradient_norm, gradient_rounding_at_any_policy, path_excess
from bnpg_math.theory.weighted_bound import spare


@pytest.fixture(scope="module")
def exact(exact_run: Path) -> RecordedRun:
    return read_run(exact_run)


@pytest.fixture(scope="module")
def sampled(sampled_run: Path) -> RecordedRun:
    return read_run(sampled_run)


def test_m_is_the_games(exact: RecordedRun) -> None:
    assert find_mismatch(exact) == pytest.approx(97.1, abs=0.05)


def test_m_is_not_computed_where_that_takes_long(exact: RecordedRun) -> None:
    large = replace(
        exact, run=RunFolder(exact.folder, find_game("coordination(agents=10)")), certificate=None
    )
    assert find_mismatch(large) is None


def test_the_bounds_are_those_of_the_lemmas(exact: RecordedRun) -> None:
    levels = {level.label: level.y for level in gap_bounds(exact, 97.0)[0]}
    assert levels["Lemma 2, tight: λM"] == pytest.approx(0.05 * 97)
    assert levels["Lemma 2, corrected: 2λM"] == pytest.approx(0.1 * 97)
    # 2^(N+1) N lambda M with N = 3, for a fully correlated team only
    assert levels["Lemma 3, corrected: 2^(N+1) N λM"] == pytest.approx(48 * 0.05 * 97)


def test_without_regularization_or_with_infinite_m_there_is_no_bound_and_the_reason(
    exact: RecordedRun,
) -> None:
    plain = replace(exact, experiment=msgspec.structs.replace(exact.experiment, regularization=0.0))
    levels, told = gap_bounds(plain, 97.0)
    assert levels == []
    assert "promise nothing" in told
    levels, told = gap_bounds(exact, float("inf"))
    assert levels == []
    assert "M is infinite" in told


def test_a_bound_is_said_to_be_in_force_where_a_certificate_would_say_so(exact: RecordedRun) -> None:
    threshold = nash_threshold(sizes(exact.game, exact.dag), 0.05)
    rounding = gradient_rounding_at_any_policy(exact.game)

    def told(norm: float, run: RecordedRun = exact) -> str:
        lines = [Line(3, gradient_norm=1.0), Line(7, gradient_norm=norm)]
        return gap_bounds(replace(run, lines=lines), 97.1)[1]

    for beyond in (threshold, math.nextafter(threshold, 0.0), threshold - rounding / 2):
        assert "is not known to be in force" in told(beyond)
    assert "so in round 7." in told(threshold * (1 - 1e-8) - rounding)
    tiny = replace(exact, experiment=msgspec.structs.replace(exact.experiment, regularization=1e-290))
    assert "is not known to be in force" in told(0.0, tiny)


def test_a_promise_in_words_is_rounded_up(exact: RecordedRun) -> None:
    promise = "λM = 4.857, with λ = 0.05 and M at most 97.13"
    told = gap_bounds(replace(exact, lines=[Line(0, gradient_norm=0.0)]), 97.12341)[1]
    assert f"a Nash gap of at most {promise}, wherever" in told
    told = gap_bounds(replace(exact, lines=[Line(0, gradient_norm=1.0)]), 97.12341)[1]
    assert f"The bound {promise}, is not known to be in force" in told


def test_the_promised_gradient_norm_lies_above_the_smallest_measured(exact: RecordedRun) -> None:
    norm, promise = gradient_chart(exact).series
    assert (np.minimum.accumulate(norm.y) <= promise.y).all()


@pytest.mark.parametrize("measured", [2.0**37, 2.0**37 - 20.0])
def test_a_constant_in_the_rewards_does_not_lower_the_promise(exact: RecordedRun, measured: float) -> None:
    """V* less the recorded objective may be anything then, 0 too."""
    game = replace(exact.game, reward=exact.game.reward + 2.0**33)
    lines = [
        Line(at, value=measured, objective=measured, optimality_gap=0.0, nash_gap=0.0, gradient_norm=1.0)
        for at in (0, 10)
    ]
    _, promise = gradient_chart(replace(exact, run=RunFolder(exact.folder, game), lines=lines)).series
    _, plain = gradient_chart(exact).series
    expected = [plain.y[list(plain.x).index(at)] for at in (0.0, 10.0)]
    assert (promise.y >= np.array(expected) * (1 - 1e-9)).all()


def test_the_barrier_of_the_first_policies_is_part_of_the_promise(exact: RecordedRun) -> None:
    far = msgspec.structs.replace(exact.experiment, initial="normal", regularization=1e3)
    run = replace(exact, experiment=far)
    thetas = [log_policy(theta) for theta in run.theta_before]
    beta = smoothness(sizes(run.game, run.dag), 1e3)
    least = math.sqrt(2 * beta * -barrier(thetas, 1e3))
    assert gradient_chart(run).series[1].y[0] >= least > 2 * gradient_chart(exact).series[1].y[0]


def test_below_the_line_of_lemma_3_its_condition_is_met_and_hardly_above(exact: RecordedRun) -> None:
    """Three agents with two actions whose entries rise along one joint action: sums exceed the norm."""
    size, weight = sizes(exact.game, exact.dag), exact.experiment.regularization
    line = {level.label: level.y for level in gradient_chart(exact).levels}["threshold of Lemma 3, tight"]
    grads = [np.zeros(theta.shape) for theta in exact.theta_before]
    for part in grads:
        part[(0,) * (part.ndim - 1)] = [1.0, -1.0]
    grads = [part * line / gradient_norm(grads) for part in grads]
    assert path_excess(grads, exact.dag) == pytest.approx(optimality_threshold(size, weight), rel=1e-12)


def test_the_line_of_theorem_d1_is_what_a_certificate_asks_for(exact: RecordedRun) -> None:
    weighted = msgspec.structs.replace(exact.experiment, barrier="weighted")
    [level] = gradient_chart(replace(exact, experiment=weighted)).levels
    weights = weighted.weights(exact.dag, exact.game.actions)
    assert isinstance(weights, tuple)
    assert level.y == spare(exact.dag, exact.game.actions, weights)[0] / exact.game.states


def test_what_was_not_measured_is_not_drawn(bare_run: Path) -> None:
    assert [chart.name for chart in learning_charts(read_run(bare_run), None)] == ["value"]


def test_faults_stand_where_their_rounds_began(sampled: RecordedRun) -> None:
    events = fault_events(sampled)
    rounds, elapsed = sampled.elapsed
    assert [(one.style, one.round) for one in events] == [("kill", 2), ("partition", 3)]
    assert events[0].at == pytest.approx(elapsed[rounds == 1][0])
    assert [event.x for event in round_events(events)] == [2.0, 3.0]
    assert sampled.plan is not None
    assert standing_faults(sampled.plan) == ["drop: 5 % of the messages"]
    chart = time_chart(sampled, events)
    assert chart is not None
    assert len(chart.events) == 2


def test_the_measurement_after_the_last_round_is_no_round(exact: RecordedRun) -> None:
    chart = time_chart(exact, [])
    assert chart is not None
    assert len(exact.elapsed[0]) == 31
    assert len(chart.series[0].x) == 30


def test_the_policies_before_and_after_are_those_of_the_run(exact: RecordedRun) -> None:
    assert exact.summary is not None
    assert exact.theta_after is not None
    round_, thetas = exact.theta_after
    assert round_ == 30
    assert policy_digest(thetas) == exact.summary["policy_digest"]
    assert all(not theta.any() for theta in exact.theta_before)


def test_without_a_gathered_policy_the_checkpoints_are_read(sampled: RecordedRun) -> None:
    assert sampled.summary is not None
    assert sampled.theta_after is not None
    assert sampled.theta_after[0] == 6
    assert policy_digest(sampled.theta_after[1]) == sampled.summary["policy_digest"]


def test_the_summary_is_in_plain_words(exact: RecordedRun) -> None:
    words = " ".join(in_words(exact))
    assert "A team of 3 agents learnt coordination from the known model in 30 of 30 rounds." in words
    assert "of the 43.1 that the best joint policy earns" in words
    assert [tile.name for tile in tiles(exact)] == ["rounds", "exact value", "optimality gap", "Nash gap"]


def test_what_an_agent_could_gain_is_what_is_proved_and_else_about_what_was_measured(
    exact: RecordedRun,
) -> None:
    assert exact.certificate is not None
    claims = [
        {"claim": "epsilon-optimal", "epsilon": 0.01},
        {"claim": "epsilon-nash", "epsilon": 0.123412},
        {"claim": "epsilon-nash", "epsilon": 4.0},
    ]
    proved = replace(exact, certificate=exact.certificate | {"proved": claims})
    assert "No agent could gain more than 0.1235 by changing its own policy alone." in in_words(proved)
    about = f"No agent could gain more than about {shown(exact.latest('nash_gap') or 0.0)} by changing"
    of_another = replace(proved, certificate=exact.certificate | {"proved": claims, "rounds": 29})
    for run in (of_another, replace(exact, certificate=None)):
        assert about in " ".join(in_words(run))


@pytest.mark.parametrize("factor", [1e-10, 1.0, 1e10])
def test_what_is_next_to_nothing_depends_on_what_can_be_earned(exact: RecordedRun, factor: float) -> None:
    game = exact.game
    sized = Game(game.name, game.transition, game.reward * factor, game.initial, game.gamma)
    unit = factor * returns_range(game)

    def told(gap: float, lacks: float) -> str:
        lines = [Line(0, value=factor, nash_gap=gap * unit, optimality_gap=lacks * unit)]
        run = RunFolder(exact.folder, sized)
        return " ".join(in_words(replace(exact, run=run, lines=lines, certificate=None)))

    assert "Nash equilibrium" not in told(1e-3, 0.5)
    assert "as good as in a Nash equilibrium. It is a bad equilibrium" in told(1e-12, 0.5)
    near = told(1e-12, 1e-8)
    assert "as good as in a Nash equilibrium" in near
    assert "bad equilibrium" not in near


@pytest.mark.parametrize("factor", [1e-10, 1.0, 1e10])
def test_what_is_too_small_to_draw_depends_on_what_can_be_earned(exact: RecordedRun, factor: float) -> None:
    game = exact.game
    sized = Game(game.name, game.transition, game.reward * factor, game.initial, game.gamma)
    small = 1e-15 * factor
    lines = [Line(0, value=factor, nash_gap=small, optimality_gap=small, gradient_norm=small)]
    run = replace(exact, run=RunFolder(exact.folder, sized), lines=lines, certificate=None)
    drawn = {chart.name: chart for chart in learning_charts(run, None)}
    for name in ("gaps", "gradient"):
        assert drawn[name].least == pytest.approx(1e-12 * factor * returns_range(game))
        assert drawn[name].series[0].y.tolist() == [small]
    assert figure_of(run, "title", drawn["gaps"].least).axes[1].lines[0].get_ydata() == [drawn["gaps"].least]


def test_without_a_game_the_least_gap_is_still_drawn_as_it_is() -> None:
    lines = [Line(0, nash_gap=3e-20, optimality_gap=0.0), Line(1, nash_gap=1e-20, optimality_gap=0.0)]
    drawn = gap_chart(Measurements(lines))
    assert drawn.least == 1e-20
    assert "Nash gap goes from 3·10⁻²⁰ to 10⁻²⁰" in drawn.spoken
    optimality, nash = figure_of(Measurements(lines), "title").axes[1].lines
    assert list(nash.get_ydata()) == [3e-20, 1e-20]
    assert list(optimality.get_ydata()) == [1e-20, 1e-20]


def test_only_where_nothing_can_be_gained_is_the_team_said_to_be_in_equilibrium(exact: RecordedRun) -> None:
    assert exact.certificate is not None
    for epsilon, says in (
        (0.0, "the team is in a Nash"),
        (1e-15, "more than 1e-15 by changing its own policy"),
    ):
        claims = [{"claim": "epsilon-nash", "epsilon": epsilon}]
        run = replace(exact, certificate=exact.certificate | {"proved": claims})
        assert says in " ".join(in_words(run))


@pytest.mark.parametrize(
    ("lacks", "told"), [(1e-9, "99.9999 %"), (1e-4, "99.9900 %"), (0.25, "75 %"), (0.0, "100 %")]
)
def test_what_is_not_all_of_the_best_is_not_told_as_all(exact: RecordedRun, lacks: float, told: str) -> None:
    lines = [Line(0, value=1.0 - lacks, optimality_gap=lacks, nash_gap=0.0)]
    assert f" {told} of the 1 that the best" in " ".join(in_words(replace(exact, lines=lines)))


def test_the_returns_of_a_single_lane_are_drawn_without_a_band() -> None:
    lines = [Line(0, return_mean=1.0, return_stderr=None), Line(1, return_mean=2.0, return_stderr=None)]
    (curve,) = value_chart(Measurements(lines)).series
    assert (curve.label, curve.low, list(curve.y)) == ("return of the episode", None, [1.0, 2.0])


def test_the_best_is_spoken_of_where_it_is_drawn(exact: RecordedRun) -> None:
    lines = [Line(0, return_mean=1.0, return_stderr=0.5)]
    assert "dashed" not in value_chart(Measurements(lines)).caption
    known = value_chart(exact)
    assert known.levels
    assert "dashed" in known.caption


def test_what_networks_record_of_their_learning_is_drawn_and_tables_have_no_such_charts(
    exact: RecordedRun,
) -> None:
    lines = [
        Line(0, explained_variance=-50.0),
        Line(1, kl=0.01, clip_share=0.25, entropy=1.5, explained_variance=0.5),
        Line(2, kl=0.02, clip_share=0.5, entropy=1.0),
    ]
    record = Measurements(lines)
    kl, clipped = update_chart(record).series
    assert (kl.x.tolist(), kl.y.tolist(), clipped.y.tolist()) == ([1, 2], [0.01, 0.02], [0.25, 0.5])
    entropy, explained = critic_chart(record).series
    assert entropy.y.tolist() == [1.5, 1.0]
    assert (explained.x.tolist(), explained.y.tolist()) == ([0, 1], [-1.0, 0.5])
    assert not {"updates", "critic"} & {chart.name for chart in learning_charts(exact, None)}
    assert {"updates", "critic"} <= {
        chart.name for chart in learning_charts(replace(exact, lines=lines), None)
    }
