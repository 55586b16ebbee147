"""The plain loop plays the game it claims to play, else a comparison with it means nothing."""

import numpy as np
import pytest

from benchmarks.rivals.players import Agent, Environment
from bnpg.lab.bench.plain_players import PlainPlayers
from bnpg.lab.bench.plain_team import PlainTeam
from bnpg_math.dag import line
from bnpg_math.games.builtin.coordination import coordination


@pytest.mark.parametrize("bits", [False, True])
def test_next_states_are_drawn_as_the_game_says(bits: bool) -> None:
    lanes = 40_000
    team = PlainTeam(line(3), lanes, 1, bits=bits)
    states = np.full(lanes, 5)
    actions = [np.full(lanes, action) for action in (1, 0, 1)]
    drawn = np.bincount(team.successors(states, actions), minlength=8) / lanes
    expected = coordination(3).transition.to_dense()[5, 1, 0, 1]
    assert abs(drawn - expected).max() < 0.01


def test_it_learns() -> None:
    team = PlainTeam(line(3), 512, 40, learning_rate=20.0)
    before = team.play(learn=False)
    for _ in range(40):
        team.play(learn=True)
    assert team.play(learn=False) > before + 5.0


def test_plain_players_learn_a_simulator() -> None:
    """Along a line, what agent 0 sees reaches everybody: 1 a step, and 1/64 by chance."""
    players = PlainPlayers("relay(agents=3, T=5)", line(3), 256, 20, learning_rate=20.0)
    assert abs(players.play(learn=False) - 1 / 64) < 0.02
    for _ in range(60):
        players.play(learn=True)
    assert players.play(learn=False) > 0.9


def test_the_rivals_play_the_same_game() -> None:
    lanes = 40_000
    environment = Environment(3, lanes)
    environment.states = np.full(lanes, 5)
    environment.step([np.full(lanes, action, dtype=np.uint8) for action in (1, 0, 1)])
    drawn = np.bincount(environment.states, minlength=8) / lanes
    expected = coordination(3).transition.to_dense()[5, 1, 0, 1]
    assert abs(drawn - expected).max() < 0.01


def test_a_rival_draws_from_its_table_at_the_row_of_state_and_parents() -> None:
    agent = Agent(1, agents=2, parents=1)
    agent._zero[:] = 0.0
    agent._zero[3 * 2 + 1] = 1.0
    states, parents = np.array([3, 3, 2]), [np.array([1, 0, 1], dtype=np.uint8)]
    assert agent.act(states, parents).tolist() == [0, 1, 1]
