"""Real processes over ipc and tcp come to the same bytes as the machines in memory."""

import numpy as np
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

COMMON = {"rounds": 5, "evaluate_every": 2, "initial": "normal", "learning_rate": 0.5, "regularization": 0.01}


@pytest.fixture
def mixed_game(tmp_path):
    """Three agents with two, three and four actions."""
    generator = np.random.default_rng(3)
    shape = (3, 2, 3, 4)
    path = tmp_path / "mixed.npz"
    np.savez(
        path,
        transition=generator.dirichlet(np.ones(3), size=shape),
        reward=generator.normal(size=shape),
        initial=np.array([0.5, 0.25, 0.25]),
        gamma=0.8,
    )
    return str(path)


@pytest.mark.parametrize("transport", ["ipc", "tcp", "unix"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            {"game": "coordination(agents=3)", "dag": "2-0,0-1", "lanes": 1, "horizon": 4, "seed": 7},
            id="one-lane-and-an-order-that-is-not-012",
        ),
        pytest.param(
            {"game": "coordination(agents=3)", "dag": "complete", "mode": "exact"}, id="exact-and-correlated"
        ),
    ],
)
def test_every_transport_gives_the_bytes_of_memory(case, transport, start_run, play):
    run = start_run(**COMMON, **case, settings={"transport": transport, "fsync": False})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**COMMON, **case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


@pytest.mark.parametrize("transport", ["ipc", "tcp", "unix"])
def test_a_relay_gives_the_bytes_of_memory_on_every_transport(transport, start_run, play):
    case = {"game": "coordination(agents=4)", "dag": "complete", "lanes": 3, "horizon": "geometric"}
    run = start_run(**COMMON, **case, settings={"transport": transport, "fsync": False, "relay": "on"})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**COMMON, **case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


@pytest.mark.parametrize(
    ("transport", "case"),
    [
        pytest.param(
            "tcp",
            {"game": "random(agents=1, states=4)", "dag": "empty", "lanes": 7, "horizon": "geometric"},
            id="one-agent",
        ),
        pytest.param(
            "ipc",
            {"game": "coordination(agents=5)", "dag": "star", "lanes": 256, "horizon": "geometric"},
            id="five-agents-and-many-lanes",
        ),
        pytest.param(
            "ipc",
            {
                "game": "coordination(agents=3)",
                "dag": "line",
                "lanes": 90,
                "parts": 3,
                "horizon": "geometric",
            },
            id="lanes-that-are-stepped-in-parts",
        ),
        pytest.param(
            "ipc",
            {"game": "random(agents=2)", "dag": "1-0", "mode": "exact", "save_policy": True},
            id="exact-and-backwards",
        ),
    ],
)
def test_other_sizes_give_the_bytes_of_memory(case, transport, start_run, play):
    run = start_run(**COMMON, **case, settings={"transport": transport, "fsync": False})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**COMMON, **case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


WAYS = [
    {"step_size": "backtracking"},
    {"step_size": "barzilai-borwein", "direction": "natural"},
    {"step_size": "backtracking", "momentum": "nesterov", "direction": "natural"},
    {"momentum": "nesterov"},
]


@pytest.mark.parametrize(
    ("transport", "way"), [("ipc", WAYS[0]), ("tcp", WAYS[1]), ("tcp", WAYS[2]), ("ipc", WAYS[3])]
)
def test_every_way_of_climbing_gives_the_bytes_of_memory(way, transport, start_run, play):
    case = {"game": "coordination(agents=3)", "dag": "2-0,0-1", "mode": "exact", "save_policy": True}
    case |= COMMON | way | {"rounds": 40}
    run = start_run(**case, settings={"transport": transport, "fsync": False})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines
    gathered = np.load(run.folder / "policy.npz")
    assert all(np.array_equal(gathered[f"theta_{i}"], theta) for i, theta in enumerate(run.thetas))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way.values()))
def test_any_order_of_delivery_climbs_the_same_way(way, play):
    case = {"game": "coordination(agents=4)", "dag": "3-0,0-2,1-2", "mode": "exact"} | COMMON | way
    case |= {"rounds": 12}
    expected = play(**case)
    assert len({line.step_size for line in expected.lines[:-1]}) > 1 or "step_size" not in way
    for order in (1, 2):
        shuffled = play(**case, order=order)
        assert shuffled.digest == expected.digest
        assert shuffled.lines == expected.lines


def test_agents_with_different_numbers_of_actions_give_the_bytes_of_memory(mixed_game, start_run, play):
    case = {"game": mixed_game, "dag": "1-0,1-2,0-2", "lanes": 33, "horizon": "geometric-visit"}
    run = start_run(**COMMON, **case, save_policy=True, settings={"fsync": False})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**COMMON, **case, save_policy=True)
    assert [theta.shape for theta in run.thetas] == [(3, 3, 2), (3, 3), (3, 2, 3, 4)]
    assert run.digest == expected.digest
    assert run.lines == expected.lines
    gathered = np.load(run.folder / "policy.npz")
    assert all(np.array_equal(gathered[f"theta_{i}"], theta) for i, theta in enumerate(run.thetas))
    assert gathered["edges"].tolist() == [[0, 2], [1, 0], [1, 2]]


def test_the_memory_launcher_gives_the_bytes_of_memory(start_run, play):
    case = {"game": "coordination(agents=3)", "dag": "0-2,1-2", "lanes": 3, "horizon": "geometric"}
    run = start_run(**COMMON, **case, settings={"launcher": "memory"})
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**COMMON, **case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


@pytest.mark.parametrize(("mode", "lanes"), [("exact", 1), ("sampled", 1), ("sampled", 13), ("sampled", 64)])
@pytest.mark.parametrize("dag", ["empty", "line", "star", "complete", "3-0,0-2,1-2"])
def test_any_order_of_delivery_gives_the_same_run(mode, dag, lanes, play):
    case = {"game": "coordination(agents=5)", "dag": dag, "mode": mode, "lanes": lanes, "horizon": 2}
    case |= COMMON | {"rounds": 2}
    expected = play(**case)
    assert len(expected.lines) == 3
    for order in (1, 2):
        shuffled = play(**case, order=order)
        assert shuffled.digest == expected.digest
        assert shuffled.lines == expected.lines


def test_another_seed_is_another_run(play):
    case = {"game": "coordination(agents=3)", "rounds": 2, "lanes": 4, "horizon": 2}
    digests = {play(**case, seed=seed).digest for seed in range(4)}
    assert len(digests) == 4


def test_what_is_measured_never_changes_what_is_learned(play):
    case = {"game": "coordination(agents=3)", "rounds": 3, "lanes": 4, "horizon": 2}
    digests = {
        play(**case, evaluate_every=every, save_policy=save).digest
        for every, save in [(0, False), (1, False), (2, True)]
    }
    assert len(digests) == 1
