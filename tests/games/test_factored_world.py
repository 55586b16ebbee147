"""Hundreds of agents: nothing as large as the joint actions, and the law of the game with its tables."""

import math
import tracemalloc

import numpy as np
import pytest
from bnpg_coordinator.worlds.interface import Discrete

import bnpg
from bnpg.__main__ import main
from bnpg.conformance import check_world
from bnpg.evaluation.played import evaluate_by_playing, scores_of_tables
from bnpg_math.errors import GameError
from bnpg_math.exact.values import evaluate

PROGRAM = """
import numpy as np
import bnpg

def row(agents=80, blind=True, gamma=0.8):
    press = np.array([[0.9, 0.1], [0.1, 0.9]])
    return bnpg.FactoredWorld(
        (2,) * agents,
        (2,) * agents,
        [bnpg.Component(press, agents=(agent,)) for agent in range(agents)],
        [bnpg.RewardTerm(np.eye(2), agents=(one, one + 1)) for one in range(agents - 1)],
        (0,) * agents,
        gamma,
        [(agent,) for agent in range(agents)] if blind else None,
    )
"""


def row(agents, blind=True):
    names = {}
    exec(compile(PROGRAM, "lamps.py", "exec"), names)  # noqa: S102 (it is ours)
    return names["row"](agents, blind)


@pytest.fixture
def lamps(here):
    (here / "lamps.py").write_text(PROGRAM)
    return here


def coupled(**changes):
    """Two components of which the second depends on the first, three agents, and rewards of everything."""
    rng = np.random.default_rng(3)
    given = {
        "sizes": (3, 2),
        "actions": (2, 3, 2),
        "components": [
            bnpg.Component(rng.dirichlet(np.ones(3), size=(3, 2)), components=(0,), agents=(0,)),
            bnpg.Component(rng.dirichlet(np.ones(2), size=(3, 2, 3, 2)), components=(0, 1), agents=(1, 2)),
        ],
        "rewards": [
            bnpg.RewardTerm(rng.normal(size=(2, 2, 2)), components=(1,), agents=(0, 2)),
            bnpg.RewardTerm(rng.normal(size=(3, 3)), components=(0,), agents=(1,)),
            bnpg.RewardTerm(0.5),
        ],
        "initial": [np.array([0.25, 0.5, 0.25]), 1],
        "gamma": 0.5,
    }
    return bnpg.FactoredWorld(**{**given, **changes})


@pytest.mark.parametrize(
    "world", [coupled(), coupled(sees=[(0,), (), (0, 1)]), row(80)], ids=["all", "own", "80"]
)
def test_it_is_a_world_to_learn_in(world):
    check_world(world)


def test_a_small_one_has_the_law_of_its_game():
    world, lanes = coupled(), 1 << 16
    game = world.game()
    pi = np.full((game.states, *game.actions), 1 / game.joint_actions)
    play = world.begin(7, 0, lanes)
    rng = np.random.default_rng(1)
    seen, total, discount = play.first, np.zeros(lanes), 1.0
    np.testing.assert_allclose(np.bincount(seen.shared, minlength=6) / lanes, game.initial, atol=0.01)
    for time in range(30):
        actions = [rng.integers(count, size=lanes).astype(np.uint8) for count in game.actions]
        before, seen = seen, play.step(time, 0, seen, actions, lanes)
        reward = play.rewards()[-1]
        np.testing.assert_allclose(reward, game.reward[(before.shared, *actions)], rtol=1e-12)
        if time == 0:
            chosen = (before.shared == 3) & (actions[0] == 1) & (actions[1] == 2) & (actions[2] == 0)
            shares = np.bincount(seen.shared[chosen], minlength=6) / chosen.sum()
            np.testing.assert_allclose(shares, game.transition.to_dense()[3, 1, 2, 0], atol=0.05)
        total, discount = total + discount * reward, discount * game.gamma
    error = total.std() / math.sqrt(lanes)
    assert abs(total.mean() - evaluate(game, pi).value) < 5 * error


def test_80_agents_train_to_the_same_bits_again_and_resumed(lamps):
    asked = [
        "lamps:row",
        "--dag",
        "line",
        "--rounds",
        "4",
        "--lanes",
        "16",
        "--launcher",
        "memory",
        "-q",
        "--save-policy",
        "--no-fsync",
    ]
    for out in ("first", "second"):
        assert main(["train", *asked, "--out", out]) == 0
    first, second = (bnpg.load_run(out) for out in ("first", "second"))
    assert len(first.thetas) == 80
    assert first.summary["policy_digest"] == second.summary["policy_digest"]
    assert first.summary["value"] is None
    assert main(["resume", "first", "-q"]) == 0


def test_they_learn_to_choose_alike(lamps):
    learns = [
        "--rounds",
        "40",
        "--lanes",
        "128",
        "--learning-rate",
        "2",
        "--launcher",
        "memory",
        "-q",
        "--out",
        "run",
    ]
    assert main(["train", "lamps:row", "--world", "agents=4", "--dag", "line", *learns]) == 0
    lines = bnpg.load_run("run").lines[:-1]
    start, end = (np.mean([line["return_mean"] for line in part]) for part in (lines[:1], lines[-5:]))
    # Alike by chance half of the time; three pairs for five steps on average.
    assert abs(start - 7.5) < 2.5
    assert end > 10.5


def test_what_they_are_worth_is_their_discounted_return():
    world = row(80)
    thetas = [np.zeros((2, 2))] * 80
    found = evaluate_by_playing(world, bnpg.Dag(80), scores_of_tables(thetas), seed=3, steps=100)
    # Everybody chooses 0 for ever: 79 pairs that are alike.
    assert found.mean == pytest.approx(79 / (1 - 0.8), rel=1e-5)
    assert (found.episodes, found.cut) == (100, 0)


def test_processes_play_what_memory_plays(lamps):
    for launcher in ("memory", "local"):
        asked = ["--world", "agents=3", "--rounds", "2", "--lanes", "8", "-q", "--save-policy"]
        assert main(["train", "lamps:row", *asked, "--launcher", launcher, "--out", launcher]) == 0
    digests = {bnpg.load_run(launcher).summary["policy_digest"] for launcher in ("memory", "local")}
    assert len(digests) == 1


def test_a_round_of_200_agents_takes_memory_of_its_lanes_alone():
    lanes, steps = 64, 10
    actions = [np.zeros(lanes, dtype=np.uint8)] * 200
    tracemalloc.start()
    try:
        world = row(200)
        play = world.begin(0, 0, lanes)
        seen = play.first
        for time in range(steps):
            seen = play.step(time, 0, seen, actions, lanes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(seen.of) == 200
    assert peak < 30e6


def test_200_agents_train(lamps):
    asked = [
        "--world",
        "agents=200,gamma=0.3",
        "--dag",
        "line",
        "--rounds",
        "2",
        "--lanes",
        "8",
        "--launcher",
        "memory",
        "-q",
    ]
    assert main(["train", "lamps:row", *asked, "--out", "run", "--save-policy"]) == 0
    assert len(bnpg.load_policy("run/policy.npz").thetas) == 200


def test_exact_mode_is_refused_in_one_line(lamps, refused):
    assert "mode exact needs a game, whose model is known" in refused("train", "lamps:row", "--mode", "exact")
    assert "evaluate-every needs a game" in refused("train", "lamps:row", "--evaluate-every", "5")


def test_a_game_of_many_agents_says_what_to_do_instead():
    press = [bnpg.Component(np.full((2, 2), 0.5), agents=(agent,)) for agent in range(80)]
    with pytest.raises(GameError, match=r"sampled in a bnpg\.FactoredWorld"):
        bnpg.product_game("many", (2,) * 80, (2,) * 80, press, np.zeros(1), np.ones(1), 0.5)
    with pytest.raises(GameError, match="expected at most 62 agents"):
        row(80).game()
    with pytest.raises(GameError, match="every agent must see all components"):
        coupled(sees=[(0,), (), (0, 1)]).game()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": ()}, "must be at least 1, and not empty"),
        ({"sizes": (3,)}, "components must be 1, one for each size, got 2"),
        ({"initial": [0]}, "initial must be 2, one for each size, got 1"),
        ({"initial": [3, 0]}, r"initial 0 must be a value in 0..2, got 3"),
        ({"initial": [np.ones(2), 0]}, r"initial 0 must be a value or have shape \(3,\)"),
        ({"initial": [np.full(3, 0.5), 0]}, "initial 0 must sum to 1, got 1.5"),
        ({"gamma": 1.0}, r"gamma must be in \[0, 1\), got 1"),
        (
            {"rewards": [bnpg.RewardTerm(np.ones(3), agents=(0,))]},
            r"table of reward 0 must have shape \(2,\), got \(3,\)",
        ),
        ({"rewards": [bnpg.RewardTerm(np.ones(2), agents=(7,))]}, "must name ascending agents in 0..2"),
        ({"rewards": [bnpg.RewardTerm(np.full(2, np.nan), agents=(0,))]}, "must be finite"),
        ({"rewards": [bnpg.RewardTerm(1e300)]}, "rewards of up to 1e\\+300 overflow"),
        ({"sees": [(0,)]}, "sees must be 3, one for each agent, got 1"),
        ({"sees": [(1, 0), (), ()]}, "what agent 0 sees must name ascending components"),
    ],
)
def test_what_does_not_fit_is_one_line(changes, message):
    with pytest.raises(GameError, match=message) as error:
        coupled(**changes)
    assert "\n" not in str(error.value)


def test_whoever_sees_too_much_is_told_to_see_less():
    with pytest.raises(GameError, match="say in sees which of them it sees"):
        row(80, blind=False)
    assert row(80).spaces[3] == Discrete(2)


def test_a_lane_is_paid_alike_whether_others_are_in_its_turn_or_not():
    """Its terms are added one after the other: numpy would add those of one lane in pairs."""
    rng = np.random.default_rng(0)
    agents, lanes = 20, 5
    each = range(agents)
    world = bnpg.FactoredWorld(
        (2,) * agents,
        (2,) * agents,
        [bnpg.Component(np.array([[0.7, 0.3], [0.2, 0.8]]), agents=(agent,)) for agent in each],
        [bnpg.RewardTerm(rng.random((2, 2)), components=(agent,), agents=(agent,)) for agent in each],
        (0,) * agents,
        0.9,
    )
    for round_ in range(20):
        actions = [rng.integers(2, size=lanes).astype(np.uint8) for _ in each]
        together, apart = world.begin(1, round_, lanes), world.begin(1, round_, lanes)
        together.step(0, 0, together.first, actions, 0)
        for lane in range(lanes):
            here = slice(lane, lane + 1)
            apart.step(0, lane, apart.first.part(lane, lane + 1), [chosen[here] for chosen in actions], 0)
        assert np.concatenate(apart.rewards()).tobytes() == together.rewards()[0].tobytes()
