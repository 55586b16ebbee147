"""All pieces of actor and critic together, without processes: a team learns `climbing` from samples."""

import numpy as np

from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.games.builtin.climbing import payoff
from bnpg_math.learning.actor import ActorSettings, actor_pass, played_rows
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.advantage_estimates import advantage_estimates, standardised
from bnpg_math.learning.critic import CriticSettings, critic_pass, critic_values
from bnpg_math.learning.value_normaliser import scale, updated
from bnpg_math.networks.mlp import initial
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.network import initial_network

LANES = 64
SEED, CRITIC = 1, 2


def _team(rounds):
    """Agent 1 hears agent 0; the barrier is on. What everybody has learnt after so many rounds."""
    encodings = [Encoding(1, 0, ()), Encoding(1, 0, (3,))]
    team = [initial_network(SEED, agent, one, (32, 32), 3) for agent, one in enumerate(encodings)]
    memories, critic, memory, normal = [{}, {}], initial(SEED, CRITIC, 1, (32,), 1, 1.0), {}, {}
    seen, inputs, ended = np.zeros(LANES, dtype=int), np.ones((LANES, 1)), np.ones((1, LANES), dtype=bool)
    settings = ActorSettings("ppo", barrier=0.02, parts=2, longest=10.0)
    for round_ in range(rounds):
        numbers = [uniforms(SEED, Purpose.ACTIONS, agent, round_, 0, LANES) for agent in (0, 1)]
        first = team[0].draw(seen, [], numbers[0])
        second = team[1].draw(seen, [first], numbers[1])
        before = critic_values(critic, inputs)
        values = scale(normal).real(before)[None]
        rewards = payoff()[first, second][None]
        advantages, returns = advantage_estimates(rewards, values, values, ended, ~ended, 0.99, 0.95)
        normal = updated(normal, returns[0], 1.0)
        targets = scale(normal).normal(returns[0])
        address = (SEED, CRITIC, round_)
        for number in range(5):
            critic, memory = critic_pass(
                critic, memory, inputs, targets, before, CriticSettings(), Adam(), 5e-3, address, number
            )
        signal = standardised(advantages, ended)[0]
        for agent, (actions, heard) in enumerate(((first, []), (second, [first]))):
            rows = played_rows(team[agent], seen, heard, actions, signal)
            for number in range(5):
                theta, memories[agent], _ = actor_pass(
                    team[agent], memories[agent], rows, settings, Adam(), 5e-3, (SEED, agent, round_), number
                )
                team[agent] = team[agent].at(theta)
    return team, critic, memories, scale(normal).real(critic_values(critic, inputs[:1]))[0]


def test_a_team_with_an_edge_learns_climbing_and_its_critic_what_it_is_worth():
    team, _, _, value = _team(120)
    table = [np.exp(one.log_table) for one in team]
    expected = float(np.einsum("a,ab,ab->", table[0][0], table[1][0], payoff()))
    assert table[0][0].argmax() == 0
    assert table[1][0, 0].argmax() == 0
    assert expected > 9.0
    assert abs(value - expected) < 3.0


def test_learning_again_gives_the_same_bits_in_everything_that_is_stored():
    (team, critic, memories, _), (again, critic_again, memories_again, _) = _team(3), _team(3)
    stored = [*(one.theta for one in team), critic, *memories]
    for one, other in zip(stored, [*(a.theta for a in again), critic_again, *memories_again], strict=True):
        assert set(one) == set(other)
        assert all(np.array_equal(array, other[name]) for name, array in one.items())
