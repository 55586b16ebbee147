"""Whole runs of networks: one result under any launcher and transport, resumed too; refusals in a line."""

import json

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.automatic import ACTOR_STEP
from click.testing import CliRunner

import bnpg
from bnpg.__main__ import main
from bnpg.cli.root import bnpg as bnpg_command
from bnpg.experiment_plan import plan_experiment
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError
from tests.simulation.networks import Counter

NETWORK = {"policy": "mlp:8,8", "update": "ppo", "lanes": 64, "learning_rate": 0.01, "rounds": 4}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(bnpg_command, arguments)
    return done.exit_code, done.output


def more_rounds(folder, before: int, after: int) -> None:
    file = folder / "experiment.toml"
    file.write_text(file.read_text().replace(f"rounds = {before}", f"rounds = {after}"))


def test_one_result_in_memory_and_over_every_transport_and_the_traces_prove_it():
    memory = bnpg.train("climbing", **NETWORK, evaluate_every=2)
    for transport in ("ipc", "tcp", "unix"):
        settings = {"launcher": "local", "transport": transport, "trace": True, "out": transport}
        run = bnpg.train("climbing", **NETWORK, evaluate_every=2, **settings)
        for key in ("policy_digest", "value", "nash_gap"):
            assert run.summary[key] == memory.summary[key]
        code, output = said("trace", "check", transport)
        assert code == 0
        assert "recomputed in memory, bit for bit" in output


def test_a_simulator_gives_one_result_in_memory_and_as_processes():
    fields = NETWORK | {"steps": 7, "minibatches": 2, "entropy": 0.01}
    memory = bnpg.train("spread(T=5)", **fields)
    local = bnpg.train("spread(T=5)", **fields, launcher="local", parts=2)
    kept = ("policy_digest", "return_mean", "return_low", "drawn_return_mean", "sampled_return_mean")
    assert memory.summary["drawn_return_low"] < memory.summary["drawn_return_mean"]
    assert [memory.summary[key] for key in kept] == [local.summary[key] for key in kept]
    assert memory.summary["nash_gap"] is None


def test_a_run_that_is_given_more_rounds_is_the_one_that_had_them_at_once():
    whole = bnpg.train("coordination(agents=3)", **NETWORK | {"rounds": 6})
    short = bnpg.train("coordination(agents=3)", **NETWORK | {"rounds": 2}, out="short")
    more_rounds(short.folder, 2, 6)
    longer = bnpg.resume(short.folder)
    assert longer.summary["policy_digest"] == whole.summary["policy_digest"]
    assert longer.lines[-1]["nash_gap"] == whole.lines[-1]["nash_gap"]
    assert longer.lines[3]["kl"] == whole.lines[3]["kl"]


def test_a_run_whose_critic_was_lost_says_so(capfd):
    short = bnpg.train("climbing", **NETWORK | {"rounds": 2}, out="short")
    (short.folder / "critic.slots").unlink()
    more_rounds(short.folder, 2, 4)
    assert main(["resume", "short", "--quiet"]) == 2
    assert "critic.slots is missing or holds nothing" in capfd.readouterr().err


def test_networks_show_the_tables_that_they_come_to():
    run = bnpg.train("climbing", **NETWORK, evaluate_every=4)
    assert [table.shape for table in run.policy.tables] == [(1, 3), (1, 3, 3)]
    assert run.evaluate().nash_gap == pytest.approx(run.summary["nash_gap"], rel=1e-9)
    code, output = said("report", str(run.folder))
    assert code == 0, output
    assert run.summary["certificate"] is None
    assert "measured, not proved" in run.summary["certificate_reason"]


@pytest.mark.parametrize("command", ["play", "edges", "best-response"])
def test_a_simulator_that_is_none_is_told_with_the_file_that_names_it(here, capfd, command):
    run = bnpg.train(env="relay", policy="mlp:4", lanes=4, steps=4, rounds=1, out="run")
    file = run.folder / "experiment.toml"
    file.write_text(file.read_text().replace('game = "relay"', 'game = "a\\nb"'))
    capfd.readouterr()
    assert main([command, str(run.folder)]) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"bnpg: error: {file}: game ")
    assert told.count("\n") == 1


def test_what_is_counted_is_one_hot_for_a_network():
    run = bnpg.train("relay(agents=3)", **NETWORK | {"rounds": 1, "steps": 2})
    folder = RunFolder(run.folder)
    assert [policy.encoding.width for policy in folder.team()] == [4, 1, 1]
    with pytest.raises(InputError, match="no tables that show them"):
        _ = run.policy
    assert said("report", str(run.folder))[0] == 0
    page = (run.folder / "report.html").read_text()
    assert "3 agents, which see numbers" in page
    assert "dashed line" not in page


def test_a_step_size_fits_adam_where_none_is_given():
    fields = {"game": "climbing", "policy": "mlp:8", "update": "a2c"}
    assert plan_experiment(fields).experiment.learning_rate == ACTOR_STEP
    again = msgspec.to_builtins(plan_experiment(fields).experiment)
    assert plan_experiment(again).experiment.learning_rate == ACTOR_STEP
    assert plan_experiment(fields | {"learning-rate": 0.5}).experiment.learning_rate == 0.5


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"policy": "table"}, "update ppo needs a network"),
        ({"policy": "mlp:"}, "a network must be written mlp:"),
        ({"policy": "mlp:5000"}, "each 1 to 1024 wide"),
        ({"critic": "table"}, "a network must be written mlp:"),
        ({"update": "gradient", "entropy": 0.1}, "entropy is of update a2c and ppo"),
        (
            {"mode": "exact", "update": "gradient"},
            "cannot have mode exact: networks learn from what is played",
        ),
        ({"initial": "normal"}, "cannot have initial normal: networks begin at weights drawn"),
        ({"learning-rate": "certified"}, "no curvature of a network is known"),
        ({"stop-at-epsilon": 0.1}, "no theorem certifies a network"),
        ({"certify-samples": 0.1}, "no theorem certifies a network"),
        ({"barrier": "weighted"}, "its theorem is about tables"),
        ({"horizon": "geometric-visit"}, "needs horizon geometric or a number of steps"),
        ({"optimizer": "ascent"}, "steps by adam"),
        ({"baseline": "none"}, "has a critic for a baseline"),
        ({"clip": 0.0}, "clip: expected a finite number greater than 0"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(fields, told):
    usual = {"game": "climbing", "policy": "mlp:8", "update": "ppo"}
    with pytest.raises(InputError, match=told) as refused:
        plan_experiment(usual | fields)
    assert "\n" not in str(refused.value)


def test_a_world_that_does_not_say_what_came_after_a_last_step_is_refused():
    usual = {"policy": "mlp:8", "update": "ppo", "game": "object:counter"}
    with pytest.raises(InputError, match="says what came after a last step"):
        plan_experiment(usual, env=Counter())
    assert plan_experiment(usual | {"update": "gradient"}, env=Counter()).agents == 2


def test_the_record_is_plain_json_with_finite_numbers():
    run = bnpg.train("relay(agents=2, goals=1)", **NETWORK | {"steps": 1})
    for raw in (run.folder / "metrics.jsonl").read_text().splitlines():
        line = json.loads(raw)
        assert all(np.isfinite(one) for one in line.values() if isinstance(one, float))
    # All returns are 1: there is no variance to explain.
    first = json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[0])
    assert first["explained_variance"] is None
    assert first["explained_variance_reason"] == "the returns of the round do not vary"


def test_episodes_of_networks_are_shown():
    run = bnpg.train("relay(agents=2)", **NETWORK | {"rounds": 2, "steps": 2})
    for how in ((), ("--sampled",)):
        code, output = said("play", str(run.folder), *how)
        assert code == 0, output
