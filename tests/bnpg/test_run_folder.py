"""A run folder appears whole or not at all, holds all the run needs, and has one user at a time."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bnpg_coordinator.experiment import Experiment, experiment_toml, read_experiment
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

import bnpg
from bnpg import run_folder
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.lease import lease
from bnpg.run_creation import create_run_folder
from bnpg.run_documents import read_document
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError

Refused = Callable[..., str]
SETTINGS = LaunchSettings(launcher="memory", patience=7.5, fsync=False)


def test_it_holds_the_experiment_the_launch_and_the_identity(here: Path) -> None:
    plan = plan_experiment({"game": "climbing", "dag": "0-1", "seed": 5})
    folder = create_run_folder(plan, SETTINGS, Path("a/b/run")).path
    assert folder == Path("a/b/run")
    assert sorted(path.name for path in folder.iterdir()) == ["experiment.toml", "launch.toml", "run.json"]
    assert read_experiment(folder / "experiment.toml") == plan.experiment
    run = RunFolder(folder)
    assert run.settings == SETTINGS
    identity = run.identity
    assert identity["game"] == "climbing"
    assert identity["game_digest"] == plan.game.digest
    assert len(bytes.fromhex(identity["run"])) == 16
    assert {"bnpg", "python", "numpy", "created"} <= set(identity)
    assert sorted(path.name for path in Path("a/b").iterdir()) == ["run"]


def test_it_holds_copies_of_the_files(game_file: Path, policy_file: Path) -> None:
    plan = plan_experiment({"game": str(game_file), "initial": str(policy_file)})
    folder = create_run_folder(plan, SETTINGS, Path("run")).path
    content = game_file.read_bytes()
    game_file.unlink()
    policy_file.unlink()
    assert (folder / "game.npz").read_bytes() == content
    again = plan_experiment({"game": "game.npz", "initial": "initial.npz"}, folder)
    assert again.game.digest == plan.game.digest
    assert again.initial is not None
    assert plan.initial is not None
    assert again.initial.digest == plan.initial.digest
    assert RunFolder(folder).game.digest == plan.game.digest


def test_a_path_that_no_document_can_say_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of other bytes than UTF-8 would be in summary.json, which nobody could read then."""
    plan = plan_experiment({"game": "climbing"})
    with pytest.raises(InputError, match=r"path of a run folder must be text in UTF-8, got '.*bad.udcff'"):
        create_run_folder(plan, SETTINGS, Path("bad\udcff"))
    Path("at\udcfe").mkdir()
    monkeypatch.chdir("at\udcfe")
    for out in (Path("run"), None):
        with pytest.raises(InputError, match="must be text in UTF-8"):
            create_run_folder(plan, SETTINGS, out)
    assert list(Path().iterdir()) == []


def test_names_are_unique_within_a_second(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpg.run_creation.time.strftime", lambda form: "20260101-120000")
    plan = plan_experiment({"game": "climbing"})
    names = [create_run_folder(plan, SETTINGS, None).path.name for _ in range(3)]
    assert names == ["climbing-20260101-120000", "climbing-20260101-120000-2", "climbing-20260101-120000-3"]
    assert len({RunFolder(Path("runs") / name).identity["run"] for name in names}) == 3


def test_odd_game_names_make_plain_folder_names(here: Path, game_file: Path) -> None:
    game_file.rename("..my game; rm -rf $HOME.npz")
    folder = create_run_folder(plan_experiment({"game": "..my game; rm -rf $HOME.npz"}), SETTINGS, None).path
    assert folder.name.startswith("my-game-rm--rf-HOME-")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(13, "Permission denied")])
def test_nothing_is_left_behind_when_it_cannot_be_made(
    here: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("bnpg.run_creation.experiment_toml", fail)
    kind = StorageFailed if error.errno == 28 else InputError
    with pytest.raises(kind, match=str(error.strerror)):
        create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("a/b/run"))
    assert list(here.iterdir()) == []


def test_nothing_is_left_behind_when_interrupted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bnpg.run_creation.experiment_toml", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, None)
    assert list(here.iterdir()) == []


def test_a_folder_that_appears_meanwhile_is_never_replaced(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = experiment_toml

    def slowly(experiment: Experiment) -> str:
        (here / "run").mkdir()
        (here / "run" / "precious").touch()
        return write(experiment)

    monkeypatch.setattr("bnpg.run_creation.experiment_toml", slowly)
    with pytest.raises(InputError, match="exists"):
        create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run"))
    assert [path.name for path in here.rglob("*")] == ["run", "precious"]


def test_only_one_process_uses_it(here: Path) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path
    with lease(folder), pytest.raises(InputError, match="in use"), lease(folder):
        pass
    with lease(folder):
        pass


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EROFS, ExitCode.STORAGE), (errno.EMFILE, ExitCode.STORAGE), (errno.EACCES, ExitCode.USAGE)],
)
def test_why_a_folder_cannot_be_taken_over_is_told_apart(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, number: int, code: ExitCode
) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path

    def opened(path: Path, change: bool) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("bnpg.lease.opened", opened)
    ended = run("resume", folder, "--quiet")
    why = f"bnpg: error: run/run.json cannot be opened: {os.strerror(number)}\n"
    assert (ended.code, ended.out, ended.err) == (code, "", why)


@pytest.mark.parametrize("name", ["experiment.toml", "run.json"])
def test_a_damaged_folder_is_recognised(here: Path, name: str) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path
    for content in ("", "{", "[]", '{"run": 3}', "\0"):
        (folder / name).write_text(content)
        with pytest.raises(InputError, match=name):
            RunFolder(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        RunFolder(folder)


def test_a_file_that_goes_while_it_is_read_is_not_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path
    (folder / "summary.json").write_text('{"state": "done", "why": "", "rounds": 1}')

    def late(path: Path, kind: object) -> object:
        path.unlink()
        return read_document(path, kind)

    run = RunFolder(folder)
    monkeypatch.setattr(run_folder, "read_document", late)
    assert run.summary is None


def test_a_folder_may_move(here: Path) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path
    shutil.move(folder, "elsewhere")
    RunFolder(Path("elsewhere"))
    assert json.loads(Path("elsewhere/run.json").read_text())["game"] == "climbing"


def test_what_was_edited_into_a_launch_is_refused_by_the_words_of_its_declaration(here: Path) -> None:
    folder = create_run_folder(plan_experiment({"game": "climbing"}), SETTINGS, Path("run")).path
    (folder / "launch.toml").write_text('transport = "ip"\n')
    with pytest.raises(InputError, match=r"launch.toml: transport: expected 'ipc', .* did you mean 'ipc'\?"):
        RunFolder(folder)
    (folder / "launch.toml").write_text('launcher = "a b"\n')
    with pytest.raises(InputError, match=r"launch.toml: launcher: expected a text like .*, got 'a b'"):
        RunFolder(folder)


def test_a_fault_plan_from_elsewhere_is_told_with_the_file_that_names_it(here: Path) -> None:
    settings = LaunchSettings(launcher="memory", faults="/dev/zero")
    run = create_run_folder(plan_experiment({"game": "climbing"}), settings, Path("run"))
    with pytest.raises(InputError, match=r"^run/launch.toml: /dev/zero cannot be read: expected a regular"):
        execute(run, settings, find_launcher("memory"), lambda _line: None)


FOREIGN = r"run/agents: theta of agent 0 must have shape \(8, 2\), got \(1, 3\)"


@pytest.mark.parametrize("command", [("report",), ("export", "--to", "safetensors"), ("edges",), ("play",)])
def test_a_theta_of_another_game_is_refused(here: Path, command: tuple[str, ...], refused: Refused) -> None:
    bnpg.train("coordination(agents=3)", rounds=2, lanes=4, out="run")
    bnpg.train("climbing", rounds=2, lanes=4, out="other")
    slots = Path("agents") / "agent-0" / "theta.slots"
    shutil.copy("other" / slots, "run" / slots)
    name, *options = command
    assert re.fullmatch(FOREIGN, refused(name, "run", *options))
    with pytest.raises(InputError, match=FOREIGN):
        _ = bnpg.load_run("run").policy


def test_a_table_among_networks_is_not_exported(here: Path, refused: Refused) -> None:
    bnpg.train("climbing", policy="mlp:8", update="ppo", rounds=2, lanes=4, out="run")
    bnpg.train("climbing", rounds=2, lanes=4, out="other")
    slots = Path("agents") / "agent-0" / "theta.slots"
    shutil.copy("other" / slots, "run" / slots)
    assert refused("export", "run", "--to", "safetensors").startswith("run/agents: theta of a network: ")
