from pathlib import Path

import numpy as np
import pytest

from bnpg_math.errors import GameError
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.games.file import save_game
from bnpg_math.games.registry import BUILDERS, game, list_games
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.sparse import SparseTransition


def optimum(built):
    return float(built.initial @ optimal_value(built).V)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("climbing", 11.0),
        ("climbing(gamma=0.5)", 22.0),
        ("climbing3", 11.0),
        ("penalty", 10.0),
        ("penalty(k=-1000)", 10.0),
        ("stag_hunt", 8.0),
        ("stag_hunt(agents=4)", 16.0),
        # Always backlogged: one packet gets through in every slot.
        ("slotted_aloha(agents=3, arrival=1.0, gamma=0.9)", 10.0),
        # Nothing ever arrives: N packets, one a slot.
        ("slotted_aloha(agents=3, arrival=0, gamma=0.5)", 1.75),
        # One station delivers whenever it holds a packet: V1 = 1 + V0, V0 = g(p V1 + (1-p) V0).
        ("slotted_aloha(agents=1, arrival=0.5, gamma=0.5)", 1.5),
        # Safe: loads (0,0,2,2) earn 28 forever; distancing: spread once for 10 - 400, then be safe.
        ("congestion", (28 / 0.05 + 10 - 400 + 0.95 * 28 / 0.05) / 2),
    ],
)
def test_optima_derived_by_hand(spec, value):
    assert optimum(game(spec)) == pytest.approx(value, rel=1e-12)


def test_the_list_shows_every_game_with_its_sizes():
    listed = {listing.name: listing for listing in list_games()}
    assert list(listed) == sorted(BUILDERS)
    coordination = listed["coordination"]
    assert (coordination.agents, coordination.states, coordination.actions) == (3, 8, (2, 2, 2))
    assert dict(coordination.parameters) == {"agents": 3, "epsilon": 0.1, "gamma": 0.95}
    assert all(listing.description.endswith(".") for listing in listed.values())


def test_a_folder_is_no_game_unless_a_game_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first", "climbing"):
        Path(name).mkdir()
    for text in ("first", "./first", str(tmp_path / "first")):
        with pytest.raises(GameError, match=f"^{text} is a folder, expected a game"):
            game(text)
    assert game("climbing").actions == (3, 3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("climbin", "unknown game 'climbin': did you mean 'climbing'"),
        ("chess", "unknown game 'chess': expected one of climbing"),
        ("coordination(agnets=3)", "no parameter 'agnets': did you mean 'agents'"),
        ("coordination(zzz=3)", "no parameter 'zzz': expected one of agents, epsilon, gamma"),
        ("coordination(agents=2.5)", "agents must be an integer, got 2.5"),
        ("coordination(agents=True)", "agents must be an integer, got True"),
        ("coordination(epsilon='a')", "epsilon must be a number, got 'a'"),
        ("coordination(3)", r"must be given by name, such as coordination\(agents=3"),
        ("coordination(**{})", "must be given by name"),
        ("coordination(agents=open('x'))", "agents must be a plain number"),
        ("coordination(agents=99)", r"agents must be in \[1, 12\], got 99"),
        ("coordination(epsilon=1.5)", r"epsilon must be in \[0, 1\]"),
        ("coordination(gamma=1)", r"gamma must be in \[0, 1\)"),
        ("coordination(gamma=1e999)", "gamma must be in"),
        (f"penalty(k={'9' * 400})", "must be a float64"),
        ("congestion(agents=40)", "needs a table of"),
        ("random(states=20000, branching=2000)", "needs a table of"),
        ("random(agents=63, actions=1)", r"agents must be in \[1, 62\], got 63"),
        ("random(branching=9)", r"branching must be in \[1, 5\], got 9"),
        ("coordination(", "must be a name with parameters"),
        ("", "must be a name with parameters"),
        ("__import__('os').system('x')", "must be a name with parameters"),
        ("no/such.npz", "does not exist"),
    ],
)
def test_what_names_no_game_is_refused_in_one_line(spec, message):
    with pytest.raises(GameError, match=message) as error:
        game(spec)
    assert "\n" not in str(error.value)


def test_a_path_names_a_game(tmp_path):
    path = tmp_path / "mine.npz"
    save_game(game("stag_hunt"), path)
    assert game(str(path)).name == "mine"


def test_the_coordination_rewards_are_those_of_the_source():
    built = game("coordination(agents=3)")
    per_state = built.reward[:, 0, 0, 0]
    zeros = [3 - bin(state).count("1") for state in range(8)]
    expected = {3: 3.0, 2: 0.0, 1: 1.0, 0: 2.0}
    assert per_state.tolist() == [expected[z] for z in zeros]


def test_the_bits_of_the_coordination_game_are_the_actions_up_to_noise():
    tensor = game("coordination(agents=2, epsilon=0.1)").transition.to_dense()
    np.testing.assert_allclose(tensor[3, 0, 1], [0.9 * 0.1, 0.9 * 0.9, 0.1 * 0.1, 0.1 * 0.9])


def test_random_games_are_named_by_their_seed():
    first, again, other = game("random(seed=4)"), game("random(seed=4)"), game("random(seed=5)")
    assert first.digest == again.digest != other.digest
    tensor = first.transition.to_dense()
    assert ((tensor > 0).sum(axis=-1) == 3).all()


def test_random_games_of_very_many_states_have_few_distinct_successors_spread_over_all():
    transition = game("random(states=30000, actions=2)").transition
    assert isinstance(transition, SparseTransition)
    successors, starts = (array for array in transition.content() if array.dtype.kind in "iu")
    assert (np.diff(starts) == 3).all()
    ordered = np.sort(successors.reshape(-1, 3), axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert abs(np.histogram(successors, bins=10, range=(0, 30000))[0] / 36000 - 1).max() < 0.03


def test_large_random_games_are_sparse():
    assert isinstance(game("random").transition, DenseTransition)
    large = game("random(states=800, actions=3, branching=4)")
    assert isinstance(large.transition, SparseTransition)
    assert optimum(large) > 0.0
