"""What must be so before a run goes on, and how far it has come.

A run has come to its end in two steps. The coordinator *concludes* it: all rounds are done and everybody's
theta is on the disk. Then whoever launched it *completes* it: record in other formats, heads of the trace,
curves, certificate, and last the summary. Whatever is killed in between, the next `bnpg resume` finds what is
missing and does that, and nothing else.
"""

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from bnpg_agents.checkpoint import SLOTS_FILE, load_identity, stored
from bnpg_coordinator import run_files
from bnpg_coordinator.critic_file import CRITIC_FILE, read_critics
from bnpg_coordinator.critic_state import check_held
from bnpg_coordinator.experiment import (
    Experiment,
    experiment_digest,
    experiment_settings,
    experiment_toml,
    read_experiment,
)
from bnpg_coordinator.membership import common_round
from bnpg_coordinator.run_record import check_record, recorded_rounds
from bnpg_coordinator.sealed_folder import FOLDER, read_sealed
from bnpg_coordinator.worlds.interface import WorldFailed
from bnpg_protocol.process.fence import Fence, fences
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.addresses import process_name
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.sealed import LARGEST

from bnpg.certificate import FILE as CERTIFICATE_FILE
from bnpg.certificate import FILES as CERTIFICATE_FILES
from bnpg.certified.exact_check import WITNESS
from bnpg.launchers.settings import LOGS_FOLDER, ON_THIS_HOST, TRACE_FOLDER, LaunchSettings
from bnpg.run_documents import COMPLETED, Identity, read_document
from bnpg.run_folder import RunFolder
from bnpg.trace.heads import HEADS_FILE
from bnpg.trace.reading import trace_files
from bnpg_files.reading import read_text
from bnpg_math.errors import InputError
from bnpg_math.policies.network_file import read_policy

_WRITTEN = (
    run_files.RECORD, run_files.STATUS, run_files.SUMMARY, run_files.POLICY, run_files.CURVES,
    run_files.GENERATION, run_files.STORING, "metrics.csv", CRITIC_FILE,
)  # fmt: skip


def check_resumable(run: RunFolder) -> None:
    """Check that a run can go on as what it was.

    Raises
    ------
    InputError
        Naming the field, file or line that was changed since it began.
    """
    _check_places(run)
    _check_experiment(run)
    check_record(run.path / run_files.RECORD)
    for agent in range(run.agents):
        load_identity(run.agent(agent))
    held, kept = run.held(), read_sealed(run.path, LARGEST)
    done = run.lines[-1].round if run.lines else 0
    # Where no agent holds a later theta than its first one all begin anew, and the critic with them.
    latest = max((round_ for rounds in (*held, *kept.values()) for round_ in rounds), default=0)
    if run.experiment.has_critic and latest and not read_critics(run.path):
        raise InputError(
            f"{run.path / CRITIC_FILE} is missing or holds nothing: a run whose agents learn from a critic "
            "cannot go on without it"
        )
    done = max(done, latest)  # an agent may be an update ahead of the record
    if run.experiment.rounds < done:
        raise InputError(
            f"{run.path}: rounds is {run.experiment.rounds}, but {done} are done: expected {done} or more"
        )


def resumable(run: RunFolder, rounds: int | None = None) -> RunFolder:
    """Check that a run can go on, with another number of rounds if one is given; nothing is written.

    Parameters
    ----------
    run : RunFolder
        Not used any more.
    rounds : int, optional
        At least 0; as many as it was given if left out.

    Returns
    -------
    RunFolder
        As if it had been begun with so many rounds.

    Raises
    ------
    InputError
        If it cannot go on as what it was, more rounds are done, or a schedule depends on their number.
    """
    run.experiment = _given(run.experiment, rounds)
    check_resumable(run)
    return run


def take_up(run: RunFolder, rounds: int | None, fence: Fence) -> None:
    """Make sure that a run is still what was read, and write down how many rounds it is to have.

    It was read before the folder was taken over: another launcher may have gone on with the run since, and
    have given it other rounds.

    Parameters
    ----------
    run : RunFolder
        As it was read, and is to go on.
    rounds : int or None
        As many as it was asked to have, whatever it had; None if it is to have as many as before.
    fence : Fence
        Of the run folder.

    Raises
    ------
    InputError
        If it was changed since, or cannot have so many rounds any more. Nothing is changed then.
    StorageFailed
        If the rounds cannot be written down.
    """
    if rounds is None and run.untouched:
        return
    file = run.path / run_files.EXPERIMENT
    if read_document(run.path / run_files.IDENTITY, Identity)["run"] != run.identity["run"]:
        raise InputError(f"{run.path} has become the folder of another run since it was read: start again")
    kept, wanted = read_experiment(file), experiment_toml(run.experiment)
    if experiment_toml(_given(kept, rounds)) != wanted:
        raise InputError(
            f"{file} was changed since it was read, by whoever ran this run meanwhile: it says rounds = "
            f"{kept.rounds}, and this command began with {run.experiment.rounds}: start again"
        )
    if rounds is not None:
        check_resumable(run)
    if experiment_toml(kept) != wanted:
        write_atomically(file, wanted.encode(), run.settings.fsync, fence)


def _given(experiment: Experiment, rounds: int | None) -> Experiment:
    """Return an experiment with so many rounds; with its own if that is None."""
    return experiment if rounds is None else msgspec.structs.replace(experiment, rounds=rounds)


def _is_kept(run: RunFolder) -> bool:
    """Whether the experiment that is to go on is the one in the folder."""
    kept = read_experiment(run.path / run_files.EXPERIMENT)
    return experiment_toml(kept) == experiment_toml(run.experiment)


def _check_places(run: RunFolder) -> None:
    """Check that where a run writes there are files or nothing, before it takes anything away.

    A link in the place of a file is replaced; what is written into a linked folder would be elsewhere.
    """
    folders = [run.path / name for name in ("agents", FOLDER, TRACE_FOLDER, LOGS_FOLDER)]
    for path in [*folders, *(run.agent(agent) for agent in range(run.agents))]:
        if path.is_symlink():
            raise InputError(
                f"{path}: expected a folder of this run, got a link to {str(path.readlink())!r:.80}: "
                "put what it leads to in its place"
            )
    written = [run.path / name for name in (*_WRITTEN, *CERTIFICATE_FILES, HEADS_FILE)]
    written += [
        run.agent(agent) / name for agent in range(run.agents) for name in ("incarnation", SLOTS_FILE)
    ]
    written += [
        run.path / FOLDER / f"{process_name(agent)}.{at}" for agent in range(run.agents) for at in (0, 1)
    ]
    for path in [*written, *run.trace.glob("*.jsonl")]:
        if os.path.lexists(path) and not path.is_symlink() and not path.is_file():
            what = "a folder" if path.is_dir() else "no file"
            raise InputError(f"{path}: expected a file that this run has written, got {what}")
    for path in run.trace.glob("*.jsonl"):
        if path.is_symlink() and not path.is_file():  # others are sealed, and with it become copies
            raise InputError(
                f"{path}: expected a file that this run has written, got a link to what is no file: remove it"
            )


def align(run: RunFolder, fence: Fence, done: bool) -> None:
    """Make the thetas in a folder such that the run can go on.

    A process that plays all agents stores their thetas one after the other. Killed at its first storing, it
    leaves those of the first agents, and of the others what they held before, which is their first theta at
    most: then all begin anew, unless they are sealed too. It has noted that it was storing (earlier versions
    did not: there the others hold nothing). If the run was done, or it is the others that hold theirs, some
    were lost, and nothing is removed.

    Parameters
    ----------
    run : RunFolder
    fence : Fence
        Of the run folder.
    done : bool
        Whether all rounds it had were done, so that everybody has stored.

    Raises
    ------
    OSError
        If a file cannot be removed.
    """
    held = [stored(run.agent(agent)) for agent in range(run.agents)]
    holding = list(map(bool, held))
    first = not all(holding) and holding == sorted(holding, reverse=True)
    storing = _was_storing(run) or (first and run.settings.launcher == "memory")
    if storing and not done and not run.settings.seal:
        for file in (file for files in held for file in files):
            fence.remove(file)
    fence.discard(run.path / run_files.STORING)


def _was_storing(run: RunFolder) -> bool:
    """Whether the last who went on with a run was one process, which was killed at its first storing."""
    noted, last = (run.path / name for name in (run_files.STORING, run_files.GENERATION))
    try:
        return read_text(noted, InputError) == read_text(last, InputError)
    except FileNotFoundError:
        return False


def concluded(run: RunFolder) -> bool:
    """Whether all rounds are done, or as many as the certificate needed, and the policy is on the disk."""
    summary, experiment = run.summary or {}, run.experiment
    # One that stopped early, or tried in vain, is done as long as it is not given another aim.
    tried = experiment.stop_at_epsilon > 0 and _aims_at(summary, experiment)
    if summary.get("state") != "done" or not (summary.get("rounds") == experiment.rounds or tried):
        return False
    if _is_behind(run, summary["rounds"]):
        return False
    if experiment.save_policy:
        return (run.path / run_files.POLICY).exists() and run.thetas(summary["rounds"]) is not None
    if "processes" in summary:
        return True
    # Agents on other hosts keep their thetas there, and then there is no such folder here.
    return not (run.path / "agents").is_dir() or run.thetas(summary["rounds"]) is not None


def _aims_at(summary: dict[str, Any], experiment: Experiment) -> bool:
    """Whether a summary is of a run that was to go as far as the experiment says now.

    Earlier versions wrote down the rounds only, and those at the very end.
    """
    return "rounds_total" in summary and all(
        summary.get(key, value) == value for key, value in experiment.aim.items()
    )


def _is_behind(run: RunFolder, rounds: int) -> bool:
    """Whether the thetas are of an earlier moment than the summary, as in a copy made meanwhile.

    Where an agent holds none they are elsewhere, or were removed: of a run that is done nobody needs them.
    """
    if not (run.path / "agents").is_dir():
        return False
    held = run.held()
    if all(rounds in history for history in held):
        return False
    known = _with_sealed(run, held)
    if not all(known):
        recorded = recorded_rounds(run.path / run_files.RECORD)
        if recorded is None or recorded > rounds:
            return False
    return not all(rounds in history for history in known)


def _with_sealed(run: RunFolder, held: Sequence[Collection[int]]) -> list[set[int]]:
    """Return of which rounds each agent holds its theta, or has left it sealed."""
    sealed = read_sealed(run.path, LARGEST)
    return [{*rounds, *sealed.get(agent, ())} for agent, rounds in enumerate(held)]


def lost_since(run: RunFolder, settings: LaunchSettings) -> str:
    """Say what keeps a run that was done from going on, as its coordinator would; empty if nothing is known.

    Whoever was to begin removes what the run came to, and that would be for nothing.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
        How it is to go on.
    """
    if settings.on_lost_state == "restart" or settings.launcher not in ON_THIS_HOST:
        return ""
    held: Sequence[Collection[int]] = run.held()
    known = _with_sealed(run, held) if settings.seal else held
    try:
        base = common_round([rounds or {0} for rounds in known], recorded_rounds(run.path / run_files.RECORD))
        if run.experiment.has_critic and base < run.experiment.rounds:
            check_held(read_critics(run.path).keys(), base)
    except OrderViolation as error:
        return str(error)
    return ""


def completed(run: RunFolder, curves: bool = True) -> bool:
    """Whether a run is concluded, its experiment written down, and everything that follows is done too.

    Parameters
    ----------
    run : RunFolder
    curves : bool
        Whether `curves.png` is one of those things.
    """
    summary = run.summary or {}
    promised = {
        run_files.CURVES: curves,
        CERTIFICATE_FILE: summary.get("certificate") is not None,
        HEADS_FILE: bool(trace_files(run.trace)),
        WITNESS: _is_proved(run),
    }
    return (
        concluded(run)
        and summary.keys() >= COMPLETED
        and _aims_at(summary, run.experiment)
        and all((run.path / name).exists() for name, so in promised.items() if so)
        and not fences(run.path)
        and _is_kept(run)
    )


def _is_proved(run: RunFolder) -> bool:
    """Whether the certificate rests on vectors that are kept beside it."""
    checked = (run.certificate or {}).get("exact_check")
    return isinstance(checked, dict) and checked.get("done") is True


def _check_experiment(run: RunFolder) -> None:
    where, began = run.path / run_files.EXPERIMENT, run.identity.get("experiment")
    if isinstance(began, dict):
        now = msgspec.to_builtins(run.experiment)
        settings = experiment_settings(type(run.experiment))
        may = ", ".join(field.key for field in settings if field.setting.decides != "result")
        if now["schedule"] != "constant" and now["rounds"] != began.get("rounds"):
            raise InputError(
                f"{run.path}: rounds is {now['rounds']}, but this run's learning rate goes down in a line "
                f"over the {began.get('rounds')} rounds that it began with: expected as many (what it came "
                f"to is a beginning for another run, by --from {run.path})"
            )
        for field in settings:
            before = began.get(field.key, field.default)
            if field.setting.decides == "result" and now[field.key] != before:
                raise InputError(
                    f"{where}: {field.key} is {now[field.key]!r:.80}, but the run began with {before!r:.80}: "
                    f"expected the same (only {may} may be changed)"
                )
    if run.simulator is not None:
        _check_simulator(run)
    _check_digest(run, run_files.GAME, run.identity.get("game_digest"), lambda: run.game.digest)
    initial = run.identity.get("initial_digest")
    _check_digest(run, run_files.INITIAL, initial, lambda: read_policy(run.path / run_files.INITIAL).digest)
    if not isinstance(began, dict):
        _check_agents(run)


def _check_simulator(run: RunFolder) -> None:
    """Check that the simulator plays as it did when the run began."""
    before = run.identity.get("probe")
    if before is None:
        run.opened.check()  # it failed when the run began, and may be mended now
        return
    now = run.opened.probed
    if isinstance(now, WorldFailed):
        raise now
    if before != now:
        raise InputError(
            f"the simulator {run.opened.name} plays differently than when the run began: its probe was "
            f"{before!s:.16}.., this is {now:.16}.."
        )


def _check_digest(run: RunFolder, name: str, before: Any, digest: Callable[[], str]) -> None:
    if before is None or not (run.path / name).exists():
        return
    now = digest()
    if now != before:
        raise InputError(
            f"{run.path / name} was changed: the run began with {before:.16}.., this is {now:.16}.."
        )


def _check_agents(run: RunFolder) -> None:
    """Check what an older version left: it did not write down how the run began, but each agent knows."""
    experiment = run.experiment
    initial = experiment.initial
    if initial.endswith(".npz"):
        initial = read_policy(run.path / initial).digest
    now = experiment_digest(experiment, run.world_digest, initial)
    for agent in range(run.agents):
        identity = load_identity(run.agent(agent))
        if identity is not None and identity[1] != now:
            raise InputError(
                f"{run.path / 'experiment.toml'} was changed since the run began: agent {agent} belongs to "
                f"experiment {identity[1]:.16}.., this is {now:.16}.."
            )
