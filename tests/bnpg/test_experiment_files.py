"""An experiment file and flags say the same; relative paths and resolved files."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from bnpg_coordinator.experiment import Experiment, experiment_toml, read_experiment, read_fields
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bnpg.cli import options as cli_options
from bnpg.cli.train import train
from bnpg.experiment_plan import ExperimentPlan, plan_experiment
from bnpg.lab.testing.settings import structs
from bnpg_math.errors import InputError

NOT_ALWAYS = {
    "optimizer",
    "schedule",
    "sure-steps",
    "step-size",
    "direction",
    "momentum",
    "stop-at-epsilon",
    "stop-gap",
    "certify-samples",
    "policy",
    "steps",
    "discount",
    "world",
    "encoder",
    "team-reward",
    "instances",
    "update",
    "epochs",
    "minibatches",
    "clip",
    "entropy",
    "gae-lambda",
    "longest-gradient",
    "critic",
    "critic-learning-rate",
}
"""What not every experiment may have; a test of its own tries it."""


def go_together(fields: dict[str, Any]) -> bool:
    """Say whether values that are drawn one by one may stand in one experiment (`check_horizon`)."""
    return (fields.get("baseline"), fields.get("horizon")) != ("td", "geometric-visit")


FIELDS = structs(
    Experiment,
    {
        "dag": st.sampled_from(["empty", "line", "star", "complete", "0-1", "2-0, 2-1", "1->0"]),
        "learning-rate": st.floats(1e-6, 1e3) | st.just("certified"),
        "regularization": st.just(0) | st.floats(1e-6, 1e3),
        "lanes": st.integers(1, 5000),
        "horizon": st.integers(1, 1000) | st.sampled_from(["geometric", "geometric-visit"]),
        "initial": st.sampled_from(["zeros", "normal"]),
    },
    but=frozenset(NOT_ALWAYS | {"game"}),
).filter(go_together)


def from_flags(arguments: list[str], base: dict[str, Any] | None = None) -> ExperimentPlan:
    parameters = train.make_context("train", arguments).params
    fields = base or {"game": parameters["subject"]}
    return plan_experiment(fields | cli_options.given(parameters, Experiment))


def as_flags(fields: dict[str, Any]) -> list[str]:
    flags = []
    for name, value in fields.items():
        if isinstance(value, bool):
            flags.append(f"--{name}" if value else f"--no-{name}")
        else:
            flags.append(f"--{name}={value!r}" if isinstance(value, float) else f"--{name}={value}")
    return flags


def from_file(fields: dict[str, Any]) -> ExperimentPlan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.toml"
        path.write_text(tomli_w.dumps(fields))
        return plan_experiment(read_fields(path), path.parent)


@settings(deadline=None)
@given(FIELDS)
def test_a_file_equals_the_same_flags(fields: dict[str, Any]) -> None:
    by_flags = from_flags(["coordination", *as_flags(fields)])
    assert from_file({"game": "coordination"} | fields).experiment == by_flags.experiment


@settings(deadline=None)
@given(FIELDS, FIELDS)
def test_flags_override_a_file(fields: dict[str, Any], flags: dict[str, Any]) -> None:
    assume(go_together(fields | flags))
    overridden = from_flags(["x.toml", *as_flags(flags)], {"game": "coordination"} | fields)
    assert overridden.experiment == from_file({"game": "coordination"} | fields | flags).experiment


@settings(deadline=None)
@given(FIELDS)
def test_the_resolved_file_reads_back(fields: dict[str, Any]) -> None:
    experiment = from_file({"game": "coordination"} | fields).experiment
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.toml"
        path.write_text(experiment_toml(experiment))
        assert read_experiment(path) == experiment
        assert plan_experiment(read_fields(path), path.parent).experiment == experiment


@pytest.mark.parametrize("step_size", ["fixed", "backtracking", "barzilai-borwein"])
@pytest.mark.parametrize("direction", ["gradient", "natural"])
@pytest.mark.parametrize("momentum", ["none", "nesterov"])
def test_ways_of_climbing_are_the_same_as_flags_and_in_a_file(
    step_size: str, direction: str, momentum: str
) -> None:
    fields: dict[str, Any] = {"mode": "exact", "learning-rate": 0.1}
    fields |= {"step-size": step_size, "direction": direction, "momentum": momentum}
    if (step_size, momentum) == ("barzilai-borwein", "nesterov"):
        with pytest.raises(InputError, match="expected momentum none, got nesterov"):
            from_file({"game": "coordination"} | fields)
        return
    experiment = from_file({"game": "coordination"} | fields).experiment
    assert experiment == from_flags(["coordination", *as_flags(fields)]).experiment
    assert (experiment.step_size, experiment.direction, experiment.momentum) == (
        step_size,
        direction,
        momentum,
    )


def test_the_help_names_the_defaults() -> None:
    fields = Experiment(game="x")
    shown = {option.name: option.help for option in train.params if hasattr(option, "help")}
    for name in set(Experiment.__struct_fields__) - {"game"}:
        value = getattr(fields, name)
        default = (
            f"no-{name.replace('_', '-')}"
            if value is False
            else f"{value:g}"
            if isinstance(value, float)
            else value
        )
        assert f"[{default}" in (shown[name] or ""), name


@pytest.mark.parametrize("where", ["beside the file", "in the present folder"])
def test_relative_paths_start_from_the_file_s_folder(
    here: Path, game_arrays: dict[str, Any], policy_arrays: dict[str, Any], where: str
) -> None:
    folder = here / "experiments"
    folder.mkdir()
    files = folder if where == "beside the file" else here
    np.savez(files / "mine.npz", **game_arrays)
    np.savez(files / "start.npz", **policy_arrays)
    (files / "team.edges").write_text("# who leads\n1 0\n")
    path = folder / "experiment.toml"
    path.write_text('game = "mine.npz"\ninitial = "start.npz"\ndag = "team.edges"\n')
    plan = plan_experiment(read_fields(path), path.parent)
    experiment = plan.experiment
    assert (experiment.game, experiment.initial, experiment.dag) == ("game.npz", "initial.npz", "1-0")
    assert plan.game_file is not None
    assert plan.game_file.resolve() == files / "mine.npz"


def test_the_dag_is_that_of_the_initial_policy_unless_given(game_file: Path, policy_file: Path) -> None:
    fields = {"game": str(game_file), "initial": str(policy_file)}
    assert plan_experiment(fields).experiment.dag == "1-0"
    assert plan_experiment(fields | {"dag": str(policy_file)}).experiment.dag == "1-0"
    with pytest.raises(InputError, match="1-0"):
        plan_experiment(fields | {"dag": "line"})


def test_a_policy_without_edges_has_the_empty_dag(here: Path, game_file: Path) -> None:
    np.savez(
        here / "alone.npz", edges=np.zeros((0, 2), int), theta_0=np.zeros((2, 2)), theta_1=np.zeros((2, 3))
    )
    assert plan_experiment({"game": str(game_file), "initial": "alone.npz"}).experiment.dag == "empty"


@pytest.mark.parametrize("name", ["coordination", "line", "zeros"])
def test_files_never_hide_what_is_built_in(here: Path, name: str) -> None:
    (here / name).write_text("not what is meant")
    plan = plan_experiment({"game": "coordination", "dag": "line", "initial": "zeros"})
    assert (plan.experiment.game, plan.experiment.dag, plan.initial) == ("coordination", "line", None)


def test_a_game_file_may_have_any_name(here: Path, game_file: Path) -> None:
    game_file.rename("my game")
    assert plan_experiment({"game": "my game"}).experiment.game == "game.npz"
    assert os.listdir(here) == ["my game"]
