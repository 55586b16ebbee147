"""Runs of networks that begin where others ended: files of networks, `--from`, edges, learned graphs."""

import json
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.worlds.table import TableWorld

import bnpg
from bnpg.__main__ import main
from bnpg.edges.measuring import value_edges
from bnpg.edges.trained import TrainedNetworks
from bnpg.report.recorded_run import read_run
from bnpg_math.dag import Dag
from bnpg_math.games.builtin.random_game import random_game
from bnpg_math.networks.mlp import initial
from bnpg_math.policies.network_file import NetworkTeam, read_policy

NETWORK = {"policy": "mlp:8,8", "update": "ppo", "lanes": 64, "learning_rate": 0.01, "rounds": 2}
WORDS = ["--policy", "mlp:8,8", "--update", "ppo", "--lanes", "64", "--rounds", "2"]
MEMORY = ["--launcher", "memory", "--quiet", "--json"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capfd) -> dict:
    found: dict = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.parametrize("world", ["climbing", "spread(T=3)"])
def test_the_networks_are_gathered_and_another_run_begins_with_them(world, capfd):
    steps = {} if world == "climbing" else {"steps": 3}
    first = bnpg.train(world, **NETWORK, **steps, save_policy=True, dag="line", out="first")
    team = read_policy("first/policy.npz")
    assert isinstance(team, NetworkTeam)
    assert team.digest == first.summary["policy_digest"]
    held = read_run(first.folder).run.held()
    for agent, vector in enumerate(team.parameters):
        np.testing.assert_array_equal(vector, held[agent][2])
    # A step of nearly nothing shows where it began.
    still = NETWORK | {"learning_rate": 1e-300, "rounds": 1}
    on = bnpg.train(world, **still, **steps, initial="first/policy.npz", out="on")
    assert on.dag.edges == first.dag.edges
    assert on.summary["policy_digest"] == first.summary["policy_digest"]
    assert read_policy("on/initial.npz").digest == team.digest


def test_a_run_that_begins_with_networks_is_one_run_under_any_launcher_and_when_it_goes_on(capfd):
    bnpg.train("climbing", **NETWORK, save_policy=True, dag="line", out="first")
    fields = NETWORK | {"rounds": 3, "initial": "first/policy.npz"}
    memory = bnpg.train("climbing", **fields, out="memory")
    local = bnpg.train("climbing", **fields, launcher="local", trace=True, save_policy=True, out="local")
    assert local.summary["policy_digest"] == memory.summary["policy_digest"]
    assert main(["trace", "check", "local"]) == 0
    assert "recomputed in memory, bit for bit" in capfd.readouterr().out
    short = bnpg.train("climbing", **fields | {"rounds": 1}, out="short")
    file = short.folder / "experiment.toml"
    file.write_text(file.read_text().replace("rounds = 1", "rounds = 3"))
    assert bnpg.resume(short.folder).summary["policy_digest"] == memory.summary["policy_digest"]


def test_files_of_networks_are_judged_on_games(capfd):
    run = bnpg.train("climbing", **NETWORK, evaluate_every=2, save_policy=True, dag="line", out="first")
    assert main(["evaluate", "climbing", "--policy", "first/policy.npz", "--json"]) == 0
    found = printed(capfd)
    assert found["nash_gap"] == pytest.approx(run.summary["nash_gap"], rel=1e-12)
    assert found["policy_digest"] == run.summary["policy_digest"]
    assert bnpg.evaluate("climbing", "first/policy.npz").value == pytest.approx(
        run.summary["value"], rel=1e-12
    )
    assert main(["evaluate", "penalty", "--policy", "first/policy.npz"]) == 0
    assert main(["evaluate", "coordination(agents=2)", "--policy", "first/policy.npz"]) == 2
    assert "sees 1 inputs, expected the 4 states of the game" in capfd.readouterr().err


@pytest.mark.parametrize("world", ["climbing3", "spread(agents=3, T=3)"])
def test_edges_are_measured_and_the_run_goes_on_without_them(world, capfd):
    steps = [] if world == "climbing3" else ["--steps", "3"]
    dense = ["train", world, *WORDS, *steps, "--dag", "complete", *MEMORY, "--out", "dense"]
    assert main(dense) == 0
    capfd.readouterr()
    assert main(["edges", "dense", "--budget", "1", "--json", "--quiet", "--episodes", "128"]) == 0
    found = printed(capfd)
    assert [(one["parent"], one["child"]) for one in found["edges"]] == [(0, 1), (0, 2), (1, 2)]
    assert all(("exact" in one) == (world == "climbing3") for one in found["edges"])
    digests = []
    for name in ("once", "again"):
        words = ["train", "--from", "dense", "--dag", found["proposal"], *MEMORY, "--out", name]
        assert main(words) == 0
        digests.append(printed(capfd)["policy_digest"])
    assert digests[0] == digests[1]
    begun = read_policy("once/initial.npz")
    assert isinstance(begun, NetworkTeam)
    assert begun.dag == read_run(Path("once")).dag
    assert main(["train", "--from", "dense", *MEMORY, "--rounds", "1", "--out", "same"]) == 0
    thetas = read_run(Path("dense")).latest_thetas
    assert thetas is not None
    for one, other in zip(read_policy("same/initial.npz").parameters, thetas[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_learned_graph_of_networks_is_trained_pruned_and_trained_on(capfd):
    words = ["train", "relay(agents=3)", *WORDS, "--steps", "2", "--dag", "learned", "--budget", "1"]
    assert main([*words, *MEMORY, "--out", "learned"]) == 0
    assert len(read_run(Path("learned")).dag.edges) == 1
    assert read_run(Path("learned-dense")).dag.is_complete
    assert isinstance(read_policy("learned/initial.npz"), NetworkTeam)


def test_intervals_of_edges_of_networks_hold_the_exact_value_in_90_of_100_games():
    inside = 0
    for seed in range(100):
        game = random_game(states=3, agents=2, actions=3, gamma=0.7, seed=seed)
        dag = Dag(2, ((0, 1),))
        thetas = tuple(initial(seed, agent, 3 + 3 * agent, (8,), 3, 3.0) for agent in range(2))
        world = TableWorld(game)
        trained = TrainedNetworks(NetworkTeam(dag, thetas), world)
        (one,) = value_edges(world, trained, seed, episodes=300).values
        assert one.exact is not None
        inside += one.estimate.low <= one.exact <= one.estimate.high
    assert inside >= 90, inside


@pytest.fixture
def files(here):
    for name, policy in (("networks", "mlp:8,8"), ("tables", "table")):
        fields = NETWORK | {"policy": policy, "update": "ppo" if policy != "table" else "gradient"}
        bnpg.train("climbing", **fields, dag="line", save_policy=True, out=name)
    return here


def test_what_does_not_fit_is_one_line_and_makes_no_folder(files, capfd):
    capfd.readouterr()
    of_networks, of_tables = "networks/policy.npz", "tables/policy.npz"
    ppo = ["--update", "ppo"]
    for words, told in (
        (["climbing", "--initial", of_networks], "holds networks, but policy is table: give policy mlp:8,8"),
        (
            ["climbing", "--policy", "mlp:8,8", *ppo, "--initial", of_tables],
            "holds tables, but policy is mlp:8,8",
        ),
        (
            ["climbing", "--policy", "mlp:8", *ppo, "--initial", of_networks],
            "agent 0: 2.bias of a network must have shape (3,), got (8,)",
        ),
        (
            ["coordination(agents=2)", "--policy", "mlp:8,8", *ppo, "--initial", of_networks],
            "agent 0: 0.weight of a network must have shape (8, 4), got (8, 1)",
        ),
        (
            ["spread(agents=2)", "--policy", "mlp:8,8", *ppo, "--initial", of_networks],
            "does not fit spread(agents=2",
        ),
        (
            ["climbing3", "--policy", "mlp:8,8", *ppo, "--initial", of_networks],
            "policy must have 3 agents, got 2",
        ),
        (
            ["climbing", "--policy", "mlp:8,8", *ppo, "--initial", of_networks, "--dag", "empty"],
            "the initial policy has the edges 0-1, but dag is empty",
        ),
        (["climbing", "--from", "networks"], "holds networks, but policy is table: give policy mlp:8,8"),
        (["--from", "networks", "--policy", "mlp:9"], "agent 0: 0.bias of a network must have shape (9,)"),
    ):
        assert main(["train", *words, *MEMORY, "--out", "no"]) == 2, words
        said = capfd.readouterr().err
        assert told in said
        assert said.count("\n") == 1, said
        assert not (files / "no").exists()
