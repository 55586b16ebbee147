"""The command that a report prints gives its run again, whatever was set."""

import shlex
from typing import Any

from bnpg_coordinator.experiment import Experiment, experiment_from, experiment_settings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bnpg.cli import options as cli_options
from bnpg.cli.train import train
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.settings import structs
from bnpg.report.reproduction import options
from bnpg_math.errors import InputError

FIELDS = structs(
    Experiment,
    {
        "game": st.sampled_from(["climbing", "penalty(k=-10)", "coordination(agents=3)"]),
        "dag": st.sampled_from(["empty", "line", "star", "complete", "0-1", "1->0"]),
        "lanes": st.integers(1, 1000),
        "horizon": st.integers(1, 1000) | st.sampled_from(["geometric", "geometric-visit"]),
        "initial": st.sampled_from(["zeros", "normal"]),
        "stop-at-epsilon": st.just(0) | st.floats(1e-3, 10),
    },
)


def planned(fields: dict[str, Any]) -> Experiment:
    """The resolved experiment, as a run folder has it; fields that cannot stand together are passed over."""
    needed = [one for one in experiment_settings() if one.setting.needs and one.key in fields]
    if any(fields[one.key] != one.default for one in needed):
        fields = fields | {"mode": "exact"}
    if fields.get("stop-at-epsilon"):
        fields = {key: value for key, value in fields.items() if key != "regularization"}
    try:
        return plan_experiment(fields).experiment
    except InputError:
        assume(False)
        raise


def typed(command: list[str]) -> Experiment:
    """The resolved experiment that a command line makes."""
    parameters = train.make_context("train", command).params
    asked = cli_options.given(parameters, Experiment)
    return plan_experiment({"game": parameters["subject"]} | asked).experiment


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(FIELDS)
def test_the_command_makes_the_very_experiment_again(fields: dict[str, Any]) -> None:
    experiment = planned(fields)
    words = shlex.split(shlex.join([experiment.game, *options(experiment)]))
    assert typed(words) == experiment


@settings(deadline=None)
@given(FIELDS)
def test_every_setting_that_is_not_the_default_is_in_the_command(fields: dict[str, Any]) -> None:
    experiment = experiment_from(fields)
    words = {word.partition("=")[0] for word in options(experiment)}
    for one in experiment_settings():
        if one.key != "game" and getattr(experiment, one.name) != one.default:
            assert words & {f"--{one.key}", f"--no-{one.key}"}, one.key
