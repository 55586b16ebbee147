"""Values of edges: intervals hold the exact value, and stand-ins are not both given up."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.worlds.table import TableWorld

from bnpg.api.games import dense_game
from bnpg.edges.document import as_json, as_text
from bnpg.edges.measuring import UNDECIDED, Edges, graphs_to_measure, value_edges
from bnpg.edges.trained import TrainedTables
from bnpg.evaluation import episodes
from bnpg.evaluation.means import estimate
from bnpg_math.dag import Dag
from bnpg_math.exact.difference import difference_in_integers
from bnpg_math.games.builtin.random_game import random_game
from bnpg_math.games.game import Game

GAMES = 100


def policy(game: Game, dag: Dag, seed: int, sharpness: float = 2.0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    shapes = [(game.states, *(game.actions[one] for one in (*dag.parents[i], i))) for i in range(dag.agents)]
    raw = [np.exp(sharpness * draw.normal(size=shape)) for shape in shapes]
    return [one / one.sum(axis=-1, keepdims=True) for one in raw]


def valued(seed: int, episodes: int = 1000, budget: int | None = None) -> Edges:
    game = random_game(states=3, agents=2, actions=3, gamma=0.7, seed=seed)
    dag = Dag(2, ((0, 1),))
    tables = policy(game, dag, seed)
    return value_edges(TableWorld(game), TrainedTables(dag, tables), seed, episodes=episodes, budget=budget)


def test_intervals_hold_the_exact_value_in_90_of_100_games() -> None:
    inside = 0
    for seed in range(GAMES):
        (one,) = valued(seed).values
        assert one.exact is not None
        inside += one.estimate.low <= one.exact <= one.estimate.high
    assert inside >= 90, inside


def test_the_same_again() -> None:
    first, again = valued(3), valued(3)
    assert first.values == again.values
    assert first.loss == again.loss


def copying(agents: int) -> tuple[Game, Dag, list[np.ndarray]]:
    """Return a game that pays where all do the same, and a team whose members copy all before them."""
    states, actions = 1, (2,) * agents
    same = np.zeros((states, *actions))
    same[(0, *([0] * agents))] = same[(0, *([1] * agents))] = 1.0
    game = dense_game("same", np.ones((states, *actions, states)), same, np.ones(1), 0.0)
    dag = Dag(agents, tuple((i, j) for j in range(agents) for i in range(j)))
    tables = []
    for agent in range(agents):
        table = np.full((1, *([2] * agent), 2), 0.5)
        if agent:
            # What the first one did; of the others it takes no notice.
            for parents in np.ndindex(*([2] * agent)):
                table[(0, *parents)] = np.eye(2)[parents[0]]
        tables.append(table)
    return game, dag, tables


@pytest.mark.parametrize(("level", "more"), [(1e9, 2.0**-23), (3e9, 2.0**-20), (0.0, 1e-200), (0.0, 1e-300)])
def test_what_an_edge_is_worth_is_in_its_interval_behind_a_constant_and_in_any_unit(
    level: float, more: float
) -> None:
    game, dag, tables = copying(2)
    game = replace(game, reward=level + more * game.reward, gamma=0.9)
    (one,) = value_edges(TableWorld(game), TrainedTables(dag, tables), 0, episodes=500).values
    assert one.exact == pytest.approx(5.0 * more, rel=1e-5)
    assert one.estimate.low < one.exact < one.estimate.high
    assert one.estimate.high - one.estimate.low < one.exact


def test_edges_that_are_not_listened_to_are_worth_nothing_and_are_given_up() -> None:
    game, dag, tables = copying(3)
    tables[1] = np.full((1, 2, 2), 0.5)  # a coin of its own; agent 2 listens to agent 0 only
    found = value_edges(TableWorld(game), TrainedTables(dag, tables), 0, episodes=2000)
    by_edge = {one.edge: one for one in found.values}
    assert by_edge[0, 2].estimate.low > 0.2
    assert by_edge[0, 1].exact == by_edge[1, 2].exact == 0.0
    assert found.proposal == Dag(3, ((0, 2),))
    assert (found.loss.value, found.exact_loss) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_an_edge_that_is_not_listened_to_is_worth_no_rounding_either(seed: int) -> None:
    game = random_game(states=3, agents=2, actions=3, gamma=0.9, seed=seed)
    dag = Dag(2, ((0, 1),))
    leader, deaf = policy(game, dag, seed)
    deaf[:] = deaf[:, :1]  # the same whatever agent 0 does, up to how it is averaged
    found = value_edges(TableWorld(game), TrainedTables(dag, [leader, deaf]), seed, episodes=200)
    assert (found.values[0].exact, found.exact_loss) == (0.0, 0.0)
    assert found.proposal.edges == ()
    told = as_text(found, Path("run"), "random")
    assert told.splitlines()[3].split()[-1] == "0"
    assert ", 0 by the model before it is trained further" in told


def coin(offset: float, unit: float, seldom: float = 0.0) -> Edges:
    """Value the edge of a copy that is right nine times of ten, in a game that pays a unit where two agree.

    `seldom`: what a state pays besides to whoever comes there, which is hardly ever.
    """
    pay = np.zeros((3, 2, 2))
    pay[:2, 0, 0] = pay[:2, 1, 1] = unit
    moves = np.full((3, 2, 2, 3), 0.5)
    moves[..., 2] = 0.0
    if seldom:
        moves[:2, 0, 0] = [0.5, 0.5 - 2.0**-50, 2.0**-50]
        pay[2, 0, 0] = seldom
    game = dense_game("coin", moves, offset + pay, np.array([0.5, 0.5, 0.0]), 0.99)
    copy = np.full((3, 2, 2), 0.1)
    copy[:, 0, 0] = copy[:, 1, 1] = 0.9
    tables = TrainedTables(Dag(2, ((0, 1),)), [np.full((3, 2), 0.5), copy])
    return value_edges(TableWorld(game), tables, 0, episodes=64)


def test_the_interval_allows_for_what_comes_after_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "MOST_STEPS", 10)
    (one,) = coin(0.0, 2.0**-10).values
    assert one.exact is not None
    assert one.estimate.value < 0.2 * one.exact, "ten steps of a hundred"
    assert one.estimate.low <= one.exact <= one.estimate.high


def test_what_cannot_be_told_from_rounding_is_null_with_a_reason_and_never_0(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(episodes, "MOST_STEPS", 500)  # of thousands: no more counts than they miss
    found = coin(0.0, 2.0**-10, seldom=1e20)
    (one,) = found.values
    assert one.estimate.value > 0.03
    assert (one.exact, one.reason) == (None, UNDECIDED)
    entry = as_json(found)["edges"][0]
    assert (entry["exact"], entry["exact_reason"]) == (None, UNDECIDED)
    assert UNDECIDED in as_text(found, Path("run"), "coin")


def test_in_integers_a_difference_is_enclosed_that_doubles_lose() -> None:
    # Where there is no future, a loss of 1e-20 beside a payment of 1: exact in rational arithmetic.
    game = dense_game(
        "two", np.ones((1, 2, 2, 1)), np.array([[[1.0, 1.0], [1.0, 1.0 - 2.0**-53]]]), np.ones(1), 0.0
    )
    one = [np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])]
    other = [one[0], np.array([[1.0 - 2.0**-40, 2.0**-40]])]
    found = difference_in_integers(game, (Dag(2, ()), one), (Dag(2, ()), other))
    assert abs(found.number - 2.0**-94) <= found.error <= 1e-9 * 2.0**-94


def test_of_two_edges_that_stand_in_for_each_other_one_is_kept() -> None:
    game, dag, tables = copying(3)
    # Agent 2 follows agent 0, but hears the same from agent 1: without either it knows what was done.
    found = value_edges(TableWorld(game), TrainedTables(dag, tables), 0, episodes=2000)
    alone = {one.edge: one.exact for one in found.values}
    assert alone[0, 2] == pytest.approx(0.0, abs=1e-3)
    assert alone[1, 2] == pytest.approx(0.0, abs=1e-3)
    assert len(found.proposal.edges) == 2
    assert found.proposal.parents[2], "somebody is still heard"


@pytest.mark.parametrize(("budget", "left"), [(0, 0), (1, 1), (2, 2), (9, 3)])
def test_a_budget_is_kept_to(budget: int, left: int) -> None:
    game, dag, tables = copying(3)
    found = value_edges(TableWorld(game), TrainedTables(dag, tables), 0, episodes=500, budget=budget)
    assert len(found.proposal.edges) == left


def test_few_differences_widen_the_interval() -> None:
    rare = np.zeros(1000)
    assert estimate(rare, 0.0, 10.0).high == pytest.approx(0.03)
    rare[0] = 5.0
    one = estimate(rare, 0.0, 10.0)
    assert one.low < 0.0 < one.high


def test_where_all_returns_are_alike_the_interval_is_what_unlucky_episodes_could_make() -> None:
    game, dag, tables = copying(2)
    tables[0], tables[1] = np.array([[1.0, 0.0]]), np.broadcast_to([1.0, 0.0], (1, 2, 2)).copy()
    (one,) = value_edges(TableWorld(game), TrainedTables(dag, tables), 0, episodes=1000).values
    count = 1000
    assert one.estimate.value == 0.0
    assert one.estimate.high == -one.estimate.low == pytest.approx(3.0 / count)


def test_as_many_graphs_are_played_as_said() -> None:
    game, dag, tables = copying(3)
    for budget in (None, 0, 1, 2, 3):
        played: list[None] = []
        count = partial(played.append, None)
        value_edges(
            TableWorld(game), TrainedTables(dag, tables), 0, episodes=100, budget=budget, measured=count
        )
        assert len(played) <= graphs_to_measure(dag, budget)


def test_a_constant_in_all_rewards_hides_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "MOST_STEPS", 10)  # it is about what is exact
    dag, listening = Dag(2, ((0, 1),)), np.full((2, 2, 2), 0.1)
    listening[:, 0, 0] = listening[:, 1, 1] = 0.9
    pays = np.zeros((2, 2, 2))
    pays[:, 0, 0] = pays[:, 1, 1] = 2.0**-10
    even = np.full((2, 2, 2, 2), 0.5)
    found = []
    for constant in (0.0, 2.0**30):  # the sums are exact
        game = dense_game("paid for agreeing", even, pays + constant, np.array([0.5, 0.5]), 0.99)
        tables = TrainedTables(dag, [np.full((2, 2), 0.5), listening])
        found.append(value_edges(TableWorld(game), tables, 0, episodes=64).values[0].exact)
    assert found == pytest.approx([0.4 * 2.0**-10 / (1.0 - 0.99)] * 2, rel=1e-9)
