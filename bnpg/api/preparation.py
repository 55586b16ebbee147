"""From the arguments of `bnpg.train` to a run folder that is ready to run."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from bnpg_coordinator.environments.opening import arguments_text
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.settings import SettingError
from msgspec.structs import replace

from bnpg.api.environments import named_environment
from bnpg.api.games import named
from bnpg.api.graphs import edges_of
from bnpg.api.signature import Keywords, unexpected
from bnpg.asked_experiment import asked_for
from bnpg.experiment_plan import ExperimentPlan
from bnpg.launchers.registry import check_launcher
from bnpg.launchers.settings import ON_THIS_HOST, LaunchSettings, asked_settings
from bnpg.run_creation import FAULTS_FILE, chosen_folder, create_run_folder, read_faults
from bnpg.run_folder import RunFolder
from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_math.errors import DagError, InputError
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy

Pathlike = str | os.PathLike[str]

LAUNCHER = {"launcher": "memory"}
"""A program starts no processes unless it asks for them."""
TRAINING = Keywords((Experiment, LaunchSettings), but=("game",), defaults=LAUNCHER)
"""The settings that `bnpg.train` takes."""


@dataclass(frozen=True)
class Prepared:
    """A run that can begin, or go on.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    kept : bool
        Whether the folder stays when nobody needs it any more.
    """

    run: RunFolder
    settings: LaunchSettings
    kept: bool = True


def prepared(
    game: Pathlike | Game | None,
    asked: Mapping[str, Any],
    faults: Pathlike | None,
    out: Pathlike | None,
    env: Any = None,
    exist_ok: bool = False,
) -> Prepared:
    """Check everything, and make the run folder.

    Parameters
    ----------
    game : str, path, Game or None
    asked : mapping from name to value
        The settings that were given; None counts as left out.
    faults : path or None
        A fault plan.
    out : path or None
        Where the run folder goes; into a temporary folder if None, where no other host needs it.
    env : object, optional
        A simulator, instead of a game.
    exist_ok : bool
        Whether the run may be in its folder already.

    Raises
    ------
    InputError
        If something cannot be used; nothing is left behind.
    TypeError
        If there is no such setting.
    """
    if (game is None) == (env is None):
        raise InputError("give either a game or env, what is to be played")
    base, at_hand, own_game = Path(), None, None
    if game is not None:
        subject, own_game = named(game)
    else:
        subject, base, at_hand = named_environment(env)
    policy = asked.get("initial")
    own_policy = policy if isinstance(policy, Policy) else None
    given = settings_of(asked if own_policy is None else {**asked, "initial": None})
    launch_keys = set(LaunchSettings.__struct_encode_fields__)
    experiment = asked_for(subject, base).with_options(
        {key: value for key, value in given.items() if key not in launch_keys}
    )
    launch = LAUNCHER | {key: value for key, value in given.items() if key in launch_keys}
    if at_hand is not None and launch["launcher"] != "memory":
        raise InputError(
            f"launcher {launch['launcher']} needs an environment that other processes find: expected a "
            "function of a module, or module:function"
        )
    settings = asked_settings(launch | ({} if faults is None else {"faults": FAULTS_FILE}))
    check_launcher(settings)
    plan = experiment.plan(game=own_game, initial=own_policy, env=at_hand, patience=settings.patience)
    _check_agents(asked.get("dag"), plan.agents)
    plan_of_faults = None if faults is None else read_faults(as_path(faults, "faults", InputError))
    place = None if out is None else as_path(out, "out", InputError)
    if place is None and settings.launcher in ON_THIS_HOST:
        # Nothing of it outlives this process, so nothing waits for the disk.
        passing = settings if "fsync" in given else replace(settings, fsync=False)
        target = Path(tempfile.mkdtemp(prefix="bnpg-")) / chosen_folder(plan.name, None).name
        try:
            return Prepared(create_run_folder(plan, passing, target, plan_of_faults), passing, False)
        except BaseException:
            shutil.rmtree(target.parent, ignore_errors=True)
            raise
    if exist_ok and place is not None and os.path.lexists(place):
        run = the_same_run(place, plan)
        return Prepared(run, run.settings)
    run = create_run_folder(plan, settings, place, plan_of_faults)
    return Prepared(run, settings)


def the_same_run(folder: Path, plan: ExperimentPlan) -> RunFolder:
    """Return the run in a folder, if it is one of this experiment.

    Raises
    ------
    InputError
        If it is another one, or none; the text names what differs.
    """
    run = RunFolder(folder)
    began = run.identity["experiment"]
    for name, value in msgspec.to_builtins(plan.experiment).items():
        if began.get(name) != value:
            raise InputError(
                f"{folder} holds another run: its {name} is {began.get(name)!r}, expected {value!r}"
            )
    initial = None if plan.initial is None else plan.initial.digest
    for what, key, digest in (
        ("game", "game_digest", plan.digest),
        ("initial policy", "initial_digest", initial),
    ):
        if run.identity.get(key) != digest:
            raise InputError(f"{folder} holds another run: its {what} has other numbers")
    if plan.simulator is not None:
        run.__dict__["opened"] = plan.simulator
    return run


LONGEST_LIST = 1_000_000
"""Values of one setting."""


def settings_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as Python has them by their keys, each as its declaration has it.

    Raises
    ------
    InputError
        If one has a value it cannot have; named as the argument that it is.
    TypeError
        If there is no such setting.
    """
    known = TRAINING.settings()
    found = {}
    for name, value in asked.items():
        if name not in known:
            raise unexpected("train", name, TRAINING)
        if value is None:
            continue
        convert = CONVERSIONS.get(name)
        plain = as_plain(value, name) if convert is None else convert(value)
        field = known[name]
        try:
            found[field.key] = (
                field.from_text(plain) if field.is_list and isinstance(plain, str) else field.checked(plain)
            )
        except SettingError as error:
            raise InputError(f"{name}: {error.why}") from None
    return found


def as_plain(value: Any, name: str) -> Any:
    """Return a value as settings have it: a scalar of numpy as Python's own, a path as text.

    Raises
    ------
    InputError
        If it goes on beyond what any setting can hold, as an endless iterator does.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return value
    values = list(itertools.islice(value, LONGEST_LIST + 1))
    if len(values) > LONGEST_LIST:
        raise InputError(f"{name} must hold at most {LONGEST_LIST} values, got more: {quoted(value)}")
    return values


def dag_text(dag: Any) -> str:
    """Return a DAG as an experiment names it: a name or a path as it is, a graph by its edges."""
    if isinstance(dag, str | os.PathLike):
        return os.fspath(dag)
    return ",".join(f"{parent}-{child}" for parent, child in edges_of(dag)[0]) or "empty"


def world_text(given: Any) -> Any:
    """Return what is passed on to a simulator as an experiment has it."""
    return arguments_text(given) if isinstance(given, Mapping) else as_plain(given, "world")


CONVERSIONS: dict[str, Callable[[Any], Any]] = {"dag": dag_text, "world": world_text}
"""How an object becomes what a setting has, by the setting's name; `as_plain` does for all others."""


def _check_agents(dag: Any, agents: int) -> None:
    """Refuse a graph that says of how many agents it is, if the game has another number of them."""
    if dag is not None and not isinstance(dag, str | os.PathLike):
        drawn = edges_of(dag)[1]
        if drawn not in (None, agents):
            raise DagError(f"dag must be one of {agents} agents as the game, got one of {drawn}")
