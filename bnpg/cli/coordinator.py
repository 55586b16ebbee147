"""`bnpg coordinator`: the coordinator of a run by hand, for agents on other hosts or in containers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_protocol.process.settings import convert

from bnpg.cli.options import debug_option, given, json_option, options_of

if TYPE_CHECKING:
    from bnpg_protocol.process.fence import Fence

    from bnpg.launchers.launch import OnLine
    from bnpg.launchers.settings import LaunchSettings, Outcome
    from bnpg.run_folder import RunFolder

_path = click.Path(path_type=Path)


@click.command(short_help="Start the coordinator of a run on this host.")
@click.argument("subject", metavar="GAME|EXPERIMENT.toml|DIR")
@click.option(
    "--out", type=_path, metavar="DIR", help="Run folder, never overwritten.  [runs/GAME-TIMESTAMP]"
)
@click.option(
    "--go-on",
    is_flag=True,
    help="If --out holds an unfinished run, go on with it; if a finished one, add a number to the name.",
)
@options_of(CoordinatorOptions)
@options_of(Experiment, but=("game",))
@json_option
@debug_option
def coordinator(subject: str, out: Path | None, go_on: bool, as_json: bool, **options: Any) -> int:
    """Start the coordinator and wait for its agents (`bnpg agent`), who may come in any order.

    Given a run folder, it goes on with that run.

    \b
    Example:
      bnpg coordinator examples/coordination.toml --listen tcp://0.0.0.0:7000 \\
          --key keys/coordinator.key --roster keys/roster.toml --out runs/first
    """  # noqa: D301 (\b keeps click from wrapping)
    import msgspec
    from bnpg_coordinator.shell import run_coordinator, try_to_listen
    from bnpg_protocol.process.security.credentials import BINDINGS_FILE, coordinator_security
    from bnpg_protocol.process.security.endpoints import require_key

    from bnpg.cli.launching import launch_run, show_finished
    from bnpg.launchers.settings import Outcome
    from bnpg.named_place import check_place
    from bnpg.resumption import completed

    asked = convert({"folder": out or Path(), **given(options, CoordinatorOptions)}, CoordinatorOptions)
    # Everything that can be wrong with the deployment is said before a folder is made.
    security = coordinator_security(asked.key, asked.roster, asked.folder / BINDINGS_FILE, asked.key_group)
    require_key(asked.listen, "--listen", security is not None)
    if asked.endpoint_file is not None:
        check_place(asked.endpoint_file, "--endpoint-file")

    def ready() -> None:
        try_to_listen(asked.listen, security)

    run = _run_folder(subject, out, go_on, given(options, Experiment), ready)
    if completed(run):
        return show_finished(run, as_json=as_json)

    def launch(run: "RunFolder", _settings: "LaunchSettings", fence: "Fence", on_line: "OnLine") -> "Outcome":
        trace = run.trace if run.experiment.trace else None
        mine = {"folder": run.path, "fence": fence.path, "trace": trace, "faults_since": time.time()}
        refusals: list[str] = []
        code = run_coordinator(msgspec.structs.replace(asked, **mine), on_line, refusals.append)
        return Outcome(code, "".join(refusals), 1 + run.agents)

    # Its log says how it goes on.
    return launch_run(run, run.settings, as_json=as_json, quiet=True, launch=launch, children="coordinator.*")


def _run_folder(
    subject: str, out: Path | None, go_on: bool, fields: dict[str, Any], ready: Callable[[], None]
) -> "RunFolder":
    """Return the folder of the run that is asked for, made, once all is ready for it, if it is a new one."""
    from bnpg_coordinator.experiment import experiment_toml

    from bnpg.asked_experiment import asked_for
    from bnpg.launchers.settings import LaunchSettings
    from bnpg.resumption import check_resumable, completed
    from bnpg.run_creation import create_run_folder
    from bnpg.run_folder import RunFolder
    from bnpg_math.errors import InputError

    if Path(subject).is_dir():
        if fields or out is not None:
            what = next(iter(fields), "out")
            raise InputError(f"{subject} is a run that goes on as it began: --{what} cannot be given")
        run = RunFolder(Path(subject))
        check_resumable(run)
        return run
    plan = asked_for(subject).with_options(fields).plan(quiet=False)
    number = 1
    target = out
    while go_on and out is not None and target is not None and target.is_dir():
        run = RunFolder(target)
        if not completed(run):
            if experiment_toml(run.experiment) != experiment_toml(plan.experiment):
                raise InputError(
                    f"{target} holds an unfinished run of another experiment; choose another --out"
                )
            check_resumable(run)
            return run
        number += 1
        target = out.with_name(f"{out.name}-{number}")
    ready()
    return create_run_folder(plan, LaunchSettings(), target)
