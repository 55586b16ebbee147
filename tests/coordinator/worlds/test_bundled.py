"""What can be computed of the bundled simulators, computed from their own code."""

import itertools

import numpy as np
import pytest
from bnpg_coordinator.worlds.bundled.aloha import Aloha, links
from bnpg_coordinator.worlds.bundled.assign import Assign
from bnpg_coordinator.worlds.bundled.coordination import Coordination
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS, simulator
from bnpg_coordinator.worlds.bundled.relay import Relay
from bnpg_coordinator.worlds.bundled.spread import Spread
from bnpg_coordinator.worlds.simulated import SimulatedWorld

from bnpg.conformance import check_world
from bnpg_math.errors import GameError

LANES = 20_000


def mean_return(world, choose, episodes=1, lanes=LANES):
    """Play whole episodes with `choose(seen, time)`; return the mean return and its standard error."""
    play = world.begin(3, 0, lanes)
    seen, total = play.first, 0
    length = world.simulator.length
    for time in range(length * episodes):
        actions = choose(seen, time)
        seen = play.step(time, 0, seen, actions, lanes if time + 1 < length * episodes else 0)
    total = np.sum(play.rewards(), axis=0) / episodes
    return total.mean(), total.std() / lanes**0.5


def world_of(simulator):
    return SimulatedWorld(simulator, 1.0, 50)


@pytest.mark.parametrize("name", sorted(SIMULATORS))
def test_bundled_simulators_are_worlds(name):
    check_world(world_of(SIMULATORS[name]()))


@pytest.mark.parametrize("name", ["relay", "assign"])
def test_longer_episodes_draw_anew_in_every_step(name):
    world = world_of(SIMULATORS[name](T=3))
    check_world(world)
    play = world.begin(0, 0, 8)
    stay = [np.zeros(8, dtype=int)] * len(world.actions)
    assert not np.array_equal(play.first.by(0), play.step(0, 0, play.first, stay, 8).by(0))


@pytest.mark.parametrize(
    ("agents", "optimum", "trap"),
    [(2, 61.25, 41.25), (3, 55.40, 42.60), (5, 69.116, 47.78), (10, 74.044, 49.64)],
)
def test_coordination_is_best_at_all_zeros_and_has_a_trap_at_all_ones(agents, optimum, trap):
    game = Coordination(agents=agents)
    flips = np.array(list(itertools.product([0.0, 1.0], repeat=agents)))
    chance = np.prod(np.where(flips, 0.1, 0.9), axis=1)
    drawn = np.where(flips, 0.0, 0.5).T  # below epsilon where a bit is flipped

    def expected(joint):
        actions = [np.full(len(flips), action) for action in joint]
        return game.length * float(chance @ game.step((), actions, drawn)[1])

    values = {joint: expected(joint) for joint in itertools.product([0, 1], repeat=agents)}
    zeros, ones = (0,) * agents, (1,) * agents
    # The next state depends on nothing but the actions, so the best joint action is the best policy.
    assert max(values, key=values.__getitem__) == zeros
    assert values[zeros] == pytest.approx(optimum, abs=6e-4)
    assert values[ones] == pytest.approx(trap, abs=6e-3)
    for agent in range(agents):
        alone = tuple(int(other != agent) for other in range(agents))
        assert values[alone] < values[ones], "a step of one agent does not lead out of the trap"


def test_coordination_played_gives_what_is_computed():
    mean, error = mean_return(world_of(Coordination()), lambda seen, _: [np.zeros(len(seen), int)] * 3)
    assert abs(mean - 55.40) < 5 * error


def test_relay_without_edges_gives_a_quarter_and_along_edges_one():
    game = Relay()
    goals = (np.arange(4, dtype=np.uint16),)
    nothing = np.empty((0, 4))

    def value(own, others):
        actions = [np.array(own), *(np.full(4, one) for one in others)]
        return game.step(goals, actions, nothing)[1].mean()

    best = max(
        value(own, others)
        for others in itertools.product(range(4), repeat=3)
        for own in itertools.product(range(4), repeat=4)
    )
    assert best == 0.25
    told = [goals[0].astype(int)] * 4
    assert game.step(goals, told, nothing)[1].tolist() == [1.0] * 4
    assert [len(np.unique(one)) for one in game.see(goals)] == [4, 1, 1, 1]


def in_turn(seen, _):
    """Each agent takes the best task that no earlier one has taken."""
    lanes = np.arange(len(seen))
    taken, actions = np.zeros((len(seen), 4), dtype=bool), []
    for agent in range(4):
        actions.append(np.where(taken, -1.0, seen.by(agent)).argmax(axis=1))
        taken[lanes, actions[-1]] = True
    return actions


def test_assign_pays_what_order_statistics_say():
    world = world_of(Assign())
    mean, error = mean_return(world, lambda seen, _: [np.full(len(seen), agent) for agent in range(4)])
    assert abs(mean - 0.5) < 5 * error
    mean, error = mean_return(world, in_turn)
    assert abs(mean - 163 / 240) < 5 * error
    crowded, _ = mean_return(world, lambda seen, _: [np.zeros(len(seen), int)] * 4)
    assert crowded == 0.0, "a task that several take pays nobody"

    def best(seen, _):
        worths = np.stack([seen.by(agent) for agent in range(4)], axis=1)
        ways = np.array(list(itertools.permutations(range(4))))
        sums = np.stack([worths[:, np.arange(4), way].sum(axis=1) for way in ways])
        return list(ways[sums.argmax(axis=0)].T)

    mean, error = mean_return(world, best)
    assert abs(mean - 0.7362) < 5 * error


def test_aloha_is_a_ladder_with_one_link_more():
    assert links(10) == (
        *((0, 1), (0, 5), (1, 2), (1, 6), (2, 3), (2, 7), (3, 4), (3, 8), (4, 5), (4, 9)),
        *((5, 6), (6, 7), (7, 8), (8, 9)),
    )


def neighbours(agent):
    return [sum(pair) - agent for pair in links(10) if agent in pair]


def test_aloha_without_edges_is_best_with_half_of_the_stations_silent():
    sets = [
        subset for size in range(11) for subset in itertools.combinations(range(10), size)
        if not any(one in subset and other in subset for one, other in links(10))
    ]  # fmt: skip
    assert max(map(len, sets)) == 5
    senders = max(sets, key=len)
    world = world_of(Aloha())
    mean, error = mean_return(
        world, lambda seen, _: [np.full(len(seen), int(agent in senders)) for agent in range(10)]
    )
    assert abs(mean - 5 * 0.1 * (1 + 19 * 0.6)) < 5 * error  # 6.20


def test_aloha_with_edges_and_with_a_clock():
    world = world_of(Aloha())

    def after_others(seen, _):
        actions = []
        for agent in range(10):
            quiet = np.ones(len(seen), dtype=bool)
            for other in neighbours(agent):
                if other < agent:
                    quiet &= actions[other] == 0
            actions.append(((seen.by(agent)[:, 0] > 0) & quiet).astype(int))
        return actions

    def clock(seen, time):
        return [np.full(len(seen), int((agent // 5 + agent % 5) % 2 == time % 2)) for agent in range(10)]

    mean, error = mean_return(world, after_others)
    assert abs(mean - 9.234) < 5 * error + 5e-3
    mean, error = mean_return(world, clock)
    assert abs(mean - 9.548) < 5 * error + 5e-3
    crowded, _ = mean_return(world, lambda seen, _: [np.ones(len(seen), int)] * 10, lanes=8)
    assert crowded == -10.0 * 10 * 20


def test_spread_is_the_peers_bit_for_bit():
    peer = pytest.importorskip("mpe2.simple_spread_v3", reason="needs mpe2: requirements/peers.txt")
    agents, lanes, steps = 3, 6, 25
    ours = Spread(agents=agents)
    envs = [peer.parallel_env(N=agents, max_cycles=steps) for _ in range(lanes)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)

    def positions(entities):
        return np.array(
            [[entity.state.p_pos for entity in getattr(env.unwrapped.world, entities)] for env in envs]
        ).transpose(1, 2, 0)

    rng = np.random.default_rng(5)
    start = positions("agents")
    start[:, :, :3] = start[:1, :, :3] + rng.uniform(-0.1, 0.1, (agents, 2, 3))  # some begin in contact
    for lane, env in enumerate(envs):
        for agent, entity in enumerate(env.unwrapped.world.agents):
            entity.state.p_pos = start[agent, :, lane].copy()
    state = ours.state(start, np.zeros_like(start), positions("landmarks"))
    nothing = np.empty((0, lanes))
    collided = 0
    for time in range(steps):
        chosen = rng.integers(5, size=(agents, lanes))
        state, team = ours.step(state, list(chosen), nothing)
        own = ours.rewards(state)
        seen = ours.see(state)
        for lane, env in enumerate(envs):
            actions = {f"agent_{agent}": int(chosen[agent, lane]) for agent in range(agents)}
            observed, rewards, terminated, truncated, _ = env.step(actions)
            assert [rewards[name] for name in actions] == own[:, lane].tolist()
            assert sum(rewards[name] for name in actions) / agents == team[lane]
            for agent, name in enumerate(actions):
                assert seen[agent].dtype == observed[name].dtype == np.float32
                assert np.array_equal(seen[agent][lane], observed[name])
            assert not any(terminated.values())
            assert all(truncated.values()) == (time == steps - 1)
        collided += int((Spread(local_ratio=1.0).rewards(state) < 0).any())
    assert collided, "agents have met"


def test_spread_takes_other_numbers_of_agents():
    for agents in (1, 2, 5):
        check_world(world_of(Spread(agents=agents)))


def test_a_parameter_that_cannot_be_is_named():
    with pytest.raises(GameError, match=r"relay: goals must be in \[1, 1000\], got 0"):
        simulator("relay", {"goals": 0})
    with pytest.raises(GameError, match="relay has no parameter 'gaols': did you mean 'goals'"):
        simulator("relay", {"gaols": 4})
    with pytest.raises(GameError, match="aloha: agents must be even"):
        simulator("aloha", {"agents": 3})
