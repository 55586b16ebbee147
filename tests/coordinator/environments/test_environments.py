"""Environments of others behind the seam: what they see, may do and are paid, and how they fail."""

import importlib
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")

from bnpg_coordinator.central_critic import CentralCritic
from bnpg_coordinator.environments.opening import (
    Playing,
    arguments_text,
    is_simulator,
    load_encoder,
    open_world,
    parse_arguments,
)
from bnpg_coordinator.environments.probe import carried_over, keyed_actions, play
from bnpg_coordinator.environments.teams import team
from bnpg_coordinator.environments.versions import versions
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_coordinator.experiment import experiment_from
from bnpg_coordinator.simulator import open_simulator
from bnpg_coordinator.worlds.indexed import indexed
from bnpg_coordinator.worlds.interface import Box, Discrete, End, WorldFailed
from bnpg_coordinator.worlds.one_hot import one_hot

from bnpg.conformance import check_world
from bnpg_math.errors import InputError

HERE = Path(__file__).parent
PLAYING = Playing(gamma=0.9, steps=20, folder=HERE)
sys.path.append(str(HERE))
strange = importlib.import_module("strange")


def world_of(kind, **options):
    return EnvironmentWorld(lambda: team(kind(), kind.__name__), kind.__name__, 0.9, 20, **options)


def walk(world, steps=20, lanes=8):
    """Yield what is seen, the actions, and what is seen next, step by step."""
    round_ = world.begin(4, 0, lanes)
    seen = round_.first
    for time in range(steps):
        actions = keyed_actions(world.actions, seen, 1, time, 0)
        then = round_.step(time, 0, seen, actions, lanes if time + 1 < steps else 0)
        yield round_, seen, actions
        seen = then


def test_an_environment_is_a_world():
    check_world(world_of(strange.Meeting))
    check_world(world_of(strange.Pair))


def test_observations_are_flattened_and_counted():
    world = world_of(strange.Meeting)
    assert world.actions == (3, 3)
    assert world.spaces == (Box(2, (5, 5)), Box(2, (5, 5)))
    pair = world_of(strange.Pair)
    assert pair.spaces == (Box(1, (5,)), Box(1, (5,)))
    assert pair.begin(0, 0, 4).first.by(0).min() >= 0, "counted from the lowest value"


def test_masks_are_handed_on_and_keyed_actions_keep_to_them():
    masked = 0
    for _, seen, actions in walk(world_of(strange.Meeting)):  # which asserts it too
        for agent, chosen in enumerate(actions):
            assert seen.legal[agent][np.arange(8), chosen].all()
        masked += int((seen.legal[1] == 0).sum())
    assert masked
    list(walk(world_of(strange.Pair)))


def test_who_is_dead_is_said_and_takes_no_part_until_the_next_episode():
    world = world_of(strange.Meeting)
    dead = 0
    for round_, seen, _ in walk(world):
        if not seen.alive:
            continue
        gone = seen.alive[1] == 0
        dead += int(gone.sum())
        assert (seen.by(1)[gone] == 0).all()
        assert seen.legal[1][gone].all()
        # b was paid half a point more for as long as it lived; alone, a is paid nothing.
        assert (round_.rewards()[-1][gone] == 0.0).all()
    assert dead


def test_episodes_end_within_a_round_and_the_next_begins_with_a_seed_of_its_own():
    *_, (round_, _, _) = walk(world_of(strange.Meeting))
    ends = np.stack(round_.ends())
    assert (ends[[7, 15]] == End.TRUNCATED).all(), "eight steps, then it is cut"
    assert not ends[[0, 6, 8]].any()
    strata = np.stack(round_.strata())
    assert (strata[:, 0] == np.arange(20) % 8).all()
    *_, (pair, _, _) = walk(world_of(strange.Pair))
    assert (np.stack(pair.ends())[5] == End.TERMINATED).all()


def test_the_team_gets_the_mean_or_the_sum_and_it_is_known_that_they_differ():
    mean, both = world_of(strange.Meeting), world_of(strange.Meeting, reward="sum")
    paid = [np.stack(list(walk(world))[-1][0].rewards()) for world in (mean, both)]
    assert np.array_equal(2 * paid[0], paid[1])
    assert mean.rewards_differ
    pair = world_of(strange.Pair)
    list(walk(pair))
    assert not pair.rewards_differ


def test_finite_observations_are_states_of_a_table():
    world = indexed(world_of(strange.Meeting))
    assert world.spaces == (Discrete(25), Discrete(25))
    check_world(world)
    first = world_of(strange.Meeting).begin(4, 0, 8).first
    digits = first.by(0).astype(int)
    assert np.array_equal(world.begin(4, 0, 8).first.by(0), 5 * digits[:, 0] + digits[:, 1])


def test_an_encoder_makes_states_of_anything():
    def near(observation):
        return int(observation[0] == observation[1])

    near.states = 2
    world = indexed(world_of(strange.Meeting), near)
    assert world.spaces == (Discrete(2), Discrete(2))
    check_world(world)
    near.states = 1
    with pytest.raises(WorldFailed, match=r"lane \d, step \d, agent 0: the state must be in 0..0, got 1"):
        list(walk(indexed(world_of(strange.Meeting), near)))
    del near.states

    def leaves(number):
        sys.exit(3)

    leaves.states = 4
    with pytest.raises(WorldFailed, match="the encoder failed: SystemExit: 3"):
        indexed(world_of(strange.OwnBuffers), leaves).begin(0, 0, 4)
    with pytest.raises(InputError, match="the encoder must have an attribute states"):
        indexed(world_of(strange.Meeting), near)


def test_a_table_of_numbers_that_may_be_any_is_refused():
    world = open_world("spread", {}, PLAYING).world
    with pytest.raises(InputError, match="agent 0 sees 18 numbers that may be any: give an encoder"):
        indexed(world)


@pytest.mark.parametrize("kind", ["Meeting", "Pair"])
def test_what_is_drawn_from_the_seed_alone_plays_the_same_again(kind):
    assert carried_over(lambda: world_of(getattr(strange, kind)), 0) == []


@pytest.mark.parametrize("kind", ["Unseeded", "CarriesOver", "SharedChance"])
def test_what_carries_anything_over_is_found_out(kind):
    found = carried_over(lambda: world_of(getattr(strange, kind)), 0)
    assert found
    assert all("differs in" in one for one in found)


@pytest.mark.parametrize(
    ("kind", "where"), [("Unseeded", "in other instances"), ("CarriesOver", "after other")]
)
def test_what_is_no_function_of_its_seed_is_told_from_what_carries_over(kind, where):
    assert where in carried_over(lambda: world_of(getattr(strange, kind)), 0)[0]


def test_an_instance_for_every_episode_helps_what_carries_over():
    assert carried_over(lambda: world_of(strange.CarriesOver, fresh=True), 0) == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Raises", "lane 0, step 3, all agents: the environment raised RuntimeError: the motor broke"),
        ("PaysNothingFinite", "lane 0, step 1, agent b: the reward must be finite, got inf"),
        ("SeesWrong", r"lane 0, step 2, agent a: the observation must hold what its space allows, got \[7"),
        ("SeesMore", r"lane 0, step 1, agent a: the observation must have shape \(2,\)"),
    ],
)
def test_what_goes_wrong_is_named_with_lane_step_and_agent(kind, why):
    with pytest.raises(WorldFailed, match=why) as failed:
        list(walk(world_of(getattr(strange, kind), patience=30.0)))
    assert "\n" not in str(failed.value)
    assert not failed.value.hung


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("exits", "step 0, all agents: the environment raised SystemExit: 3"),
        ("cancelled", "step 0, all agents: the environment raised CancelledError$"),
        ("skips", "step 0, all agents: the environment raised BaseException: x$"),
        ("unspeakable", "step 0, all agents: the environment raised Unspeakable$"),
        ("exits as it speaks", "step 0, all agents: the environment raised ExitsAsItSpeaks$"),
        ("colours", r"the environment raised ValueError: a \[31mred \[0m line"),
        ("nobody", r"step 0, all agents: nobody takes part after reset\(\), agents is empty"),
        ("none", "step 0, agent a: the reward must be a number, got None"),
        ("word", "step 0, agent a: the reward must be a number, got 'much'"),
        ("arrays", "step 0, agent a: the reward must be a number, got array"),
        ("huge", "step 0, all agents: the sum of the rewards must be finite"),
        ("unpaid", "step 0, agent b: there is no reward"),
        ("unseen", "step 0, agent b: there is no observation"),
        (
            "old reset",
            r"step 0, all agents: reset\(\) must return \(observations, infos\), both by agent",
        ),
        (
            "four",
            r"step 0, all agents: step\(\) must return \(observations, rewards, term.* got \(",
        ),
        ("flag", "step 0, all agents: terminations must be by agent, got False"),
        ("unended", r"step 0, agent b: truncations must have every agent, got \['a'\]"),
        ("joins", r"step 0, all agents: \['c'\] takes part and is not in possible_agents"),
        ("beyond", r"step 2, agent a: the observation must hold what its space allows, got \["),
        ("half", r"step 0, agent a: the observation must be a whole number, got .*\.5"),
    ],
)
def test_what_is_odd_is_one_line_with_lane_step_and_agent(how, why):
    world = EnvironmentWorld(lambda: team(strange.Odd(how), "odd"), "odd", 0.9, 20)
    with pytest.raises(WorldFailed, match=why) as failed:
        list(walk(world))
    assert str(failed.value).startswith("lane 0, ")
    assert str(failed.value).isprintable()


@pytest.mark.parametrize(
    ("how", "why"),
    [("twice", "names an agent twice"), ("actions", "must have at most 65536 actions, got 1099511627776")],
)
def test_agents_and_actions_that_cannot_be_are_refused(how, why):
    with pytest.raises(InputError, match=why):
        EnvironmentWorld(lambda: team(strange.Odd(how), "odd"), "odd", 0.9, 20)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("kind", ["OneBuffer", "ChangesKind"])
def test_what_is_seen_is_read_at_once_and_whatever_numbers_it_is_made_of(kind, counted):
    def shown(kind):
        world = EnvironmentWorld(lambda: team(kind(counted), "shown"), "shown", 0.9, 20)
        return [one.by(agent).tobytes() for _, one, _ in list(walk(world))[:-1] for agent in (0, 1)]

    assert shown(getattr(strange, kind)) == shown(strange.OwnBuffers)


@pytest.mark.parametrize("start", [-1, 254, 1000, -(2**40)])
def test_actions_may_be_numbered_from_anywhere(start):
    from_zero = [one.by(0).tolist() for _, one, _ in walk(world_of(strange.Starts))]
    world = world_of(type("Elsewhere", (strange.Starts,), {"start": start}))
    assert [one.by(0).tolist() for _, one, _ in walk(world)] == from_zero


def test_what_an_environment_prints_is_kept_off_stdout(capsys):
    list(walk(EnvironmentWorld(lambda: team(strange.Odd("prints"), "odd"), "odd", 0.9, 20)))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "a line that nobody asked for" in printed.err


CATCHES = ["CatchesOnce", "CatchesLate", "Explains"]
ASIDE = ["HangsAside", "HangsInReference", "HangsInCollection"]


@pytest.mark.parametrize("kind", ["Hangs", *CATCHES, *ASIDE])
def test_what_hangs_is_given_up(kind, capfd, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with pytest.raises(WorldFailed, match="lane 0, step 3, all agents: the environment hangs") as failed:
        list(walk(world_of(getattr(strange, kind), patience=1.0)))
    assert failed.value.hung
    assert sys.unraisablehook is sys.__unraisablehook__
    assert capfd.readouterr() == ("", ""), (
        "nobody is told of an alarm that went off where nothing can be raised"
    )


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Continuous", "agent 'a' must act in a Discrete space, got Box"),
        ("Pictures", r"agent 'a' observes a picture of shape \(64, 64, 3\)"),
    ],
)
def test_spaces_that_cannot_be_used_are_refused(kind, why):
    with pytest.raises(InputError, match=why):
        world_of(getattr(strange, kind))


def test_the_whole_state_is_there_for_a_critic_that_wants_it():
    assert world_of(strange.Stated).begin(4, 0, 8).first.state is None
    assert world_of(strange.Meeting, with_state=True).begin(4, 0, 8).first.state is None
    world = world_of(strange.Stated, with_state=True)
    check_world(world)
    *steps, (round_, *_) = walk(world)
    for _, seen, _ in steps:
        assert seen.state.shape == (8, 3)
        living = seen.alive[0] != 0 if seen.alive else np.ones(8, dtype=bool)
        assert np.array_equal(seen.state[living][:, :2], seen.by(0)[living])
    over = np.stack(round_.ends()) == End.TRUNCATED
    followed = [one for one in round_.following() if one is not None]
    assert over.any()
    assert all(one.state.shape == (8, 3) and one.state.any() for one in followed)


def test_a_state_that_is_not_drawn_from_the_seed_is_found_out():
    found = carried_over(lambda: world_of(strange.StatesUnseeded, with_state=True), 0)
    assert found
    assert "what is seen (state())" in found[0]
    assert carried_over(lambda: world_of(strange.StatesUnseeded), 0) == [], "nobody asks"


def test_a_state_that_is_not_finite_is_named():
    with pytest.raises(WorldFailed, match=r"lane 0, step 2, all agents: state\(\) must hold finite numbers"):
        list(walk(world_of(strange.StatesNothingFinite, with_state=True)))


def test_the_critic_sees_the_state_where_there_is_one_and_else_what_everybody_sees():
    experiment = experiment_from(
        {"game": "strange:Stated", "policy": "mlp:4", "update": "ppo", "steps": 10, "lanes": 8}
    )
    opened = open_simulator(experiment, folder=HERE)
    widths = []
    for world in (opened.world, one_hot(world_of(strange.Meeting))):
        critic = CentralCritic(experiment, world.spaces, 0.9, {})
        widths.append(critic._inputs([world.begin(0, 0, 8).first], np.zeros(8, dtype=np.int64)).shape)
    assert widths == [(8, 3 + 1), (8, 4 * 5 + 1)], "two numbers of five values each, one-hot"


def test_what_a_person_types():
    names = ("relay", "spread(agents=2)", "coordination(T=25)", "pettingzoo:x", "gymnasium:a/b", "own:make")
    assert all(is_simulator(name, {}) for name in names)
    games = ("coordination", "coordination(agents=2)", "climbing", "game.npz", "nothing", "examples/a.toml")
    assert not any(is_simulator(name, {}) for name in games)
    assert is_simulator("coordination", {"T": 25})
    assert parse_arguments("length=3, name=x,flag=True") == {"length": 3, "name": "x", "flag": True}
    assert parse_arguments("size=(2, 3),name='a,b'") == {"size": (2, 3), "name": "a,b"}
    assert parse_arguments("") == {}
    with pytest.raises(InputError, match="world must be key=value, got 'length'"):
        parse_arguments("length")
    given = {"size": [1, 2], "name": "a,b=c", "x": None}
    assert parse_arguments(arguments_text(given)) == given
    with pytest.raises(InputError, match="values that can be written as text"):
        arguments_text({"x": object()})


def test_a_function_of_ones_own_is_found_in_the_folder():
    opened = open_world("strange:Meeting", {"length": 3}, PLAYING)
    assert opened.name == "strange:Meeting(length=3)"
    assert versions(opened.modules) == {}
    check_world(opened.world)
    assert play(opened.world, 0).digest == play(opened.again(), 0).digest
    assert play(opened.world, 0).digest != play(opened.world, 1).digest
    assert load_encoder("strange:Meeting", HERE) is strange.Meeting


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere:make", "nowhere:make: there is no module nowhere in"),
        ("strange:nothing", "strange:nothing: the module strange has no function nothing"),
        ("strange:np", "strange:np: the module strange has no function np"),
        ("strange:len:gth", "must be module:function"),
        ("relay(goals=0)", "relay: goals must be in"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(text, why):
    with pytest.raises(InputError, match=why):
        open_world(text, {}, PLAYING)


@pytest.mark.parametrize(
    ("missing", "how"), [("gymnasium", r": pip install 'bnpg\[gymnasium\]'$"), ("nosuchthing", "$")]
)
def test_a_module_of_ones_own_that_lacks_an_extra_says_which(tmp_path, monkeypatch, missing, how):
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / f"lacks_{missing}.py").write_text(f"import {missing}\n")
    playing = Playing(gamma=0.9, steps=20, folder=tmp_path)
    with pytest.raises(InputError, match=f"needs the module {missing}, which is not installed{how}"):
        open_world(f"lacks_{missing}:make", {}, playing)


def test_what_cannot_be_made_is_said_in_a_line():
    with pytest.raises(InputError, match="strange:Meeting cannot be made: TypeError"):
        open_world("strange:Meeting", {"lenght": 3}, PLAYING)


def test_what_hangs_as_it_is_made_is_given_up():
    playing = msgspec.structs.replace(PLAYING, patience=0.2)
    with pytest.raises(
        InputError, match=r"strange:HangsAsItIsMade cannot be made: it hangs, no answer for 0\.2 s"
    ):
        open_world("strange:HangsAsItIsMade", {}, playing)


@pytest.mark.parametrize("peer", ["pettingzoo", "gymnasium"])
def test_a_missing_extra_is_named(peer):
    code = (
        f"import sys; sys.modules['{peer}'] = None\n"
        "from bnpg_coordinator.environments.opening import Playing, open_world\n"
        "from bnpg_math.errors import InputError\n"
        f"try: open_world('{peer}:x', {{}}, Playing(0.9, 5))\n"
        "except InputError as error: print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == f"{peer}: environments need the extra {peer}: pip install 'bnpg[{peer}]'\n"


def test_pettingzoo_parallel_and_turn_based():
    pytest.importorskip("mpe2", reason="needs mpe2: requirements/dev.txt")
    world = open_world("pettingzoo:mpe2.simple_spread_v3", {"N": 2, "max_cycles": 5}, PLAYING).world
    assert world.actions == (5, 5)
    check_world(world)
    turns = open_world("pettingzoo:classic.tictactoe_v3", {}, PLAYING)
    check_world(turns.world)
    assert set(versions(turns.modules)) == {"pettingzoo", "python"}


def test_gymnasium_with_tuples_and_a_team_of_one():
    assert open_world("gymnasium:CartPole-v1", {}, PLAYING).world.actions == (2,)
    check_world(open_world("gymnasium:CartPole-v1", {}, PLAYING).world)
    pytest.importorskip("lbforaging", reason="needs lbforaging: requirements/dev.txt")
    text = "gymnasium:lbforaging:Foraging-5x5-2p-1f-v3"
    assert open_world(text, {}, PLAYING).world.actions == (6, 6)
    # A reset there looks where the players of the last episode stood.
    assert carried_over(open_world(text, {}, PLAYING).again, 3)
    fresh = Playing(gamma=0.9, steps=20, fresh=True)
    assert carried_over(open_world(text, {}, fresh).again, 3) == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("NoAgentsYet", "ValueError: no agents yet"),
        ("NoNames", "TypeError: unhashable type"),
        ("NoCount", "AttributeError: 'Discrete' object has no attribute 'n'"),
        ("Leaves", "SystemExit: 3"),
        ("NoStateSpace", "RuntimeError: no state"),
        ("NoActionSpace", "RuntimeError: no space yet"),
        ("Turns", "AttributeError: 'NoneType' object has no attribute 'get'"),
    ],
)
def test_what_raises_where_it_is_read_is_refused_in_one_line(kind, why):
    with pytest.raises(InputError, match=f"^unreadable:{kind} cannot be used: {why}"):
        open_world(f"unreadable:{kind}", {}, Playing(gamma=0.9, steps=20, folder=HERE, with_state=True))


def test_a_later_instance_that_cannot_be_made_is_a_failure_of_its_lane():
    def make():
        if len(made) == 5:
            raise InputError("odd cannot be made: ValueError: no more of them")
        made.append(strange.Meeting())
        return team(made[-1], "odd")

    made = []
    world = EnvironmentWorld(make, "odd", 0.9, 20)
    world.begin(0, 0, 5)
    with pytest.raises(
        WorldFailed, match=r"^lane 5, step 0: odd cannot be made: ValueError: no more of them$"
    ):
        world.begin(0, 1, 8)
