"""A run goes on as what it was, or one line says what was changed."""

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_agents.checkpoint import CheckpointFolder, load_latest
from bnpg_coordinator.line import GENESIS, Line, check_chain, decode_line, encode_line
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode
from hypothesis import given
from hypothesis import strategies as st

from bnpg.resumption import completed
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError

RUN = (
    "climbing",
    "--learning-rate",
    "0.1",
    "--baseline",
    "cross-fit",
    "--rounds",
    "3",
    "--lanes",
    "4",
    "--launcher",
    "memory",
    "--quiet",
    "--no-fsync",
)
CLIMB = ("climbing", "--mode", "exact", "--rounds", "6", "--momentum", "nesterov", "--evaluate-every", "2",
         "--regularization", "0.01", "--launcher", "memory", "--quiet", "--no-fsync")  # fmt: skip


@pytest.fixture
def folder(run: Callable[..., Any]) -> Path:
    assert run("train", *RUN, "--out", "run").code == 0
    return Path("run")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("rounds", ["3", "5"], ids=["all rounds done", "more rounds"])
@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("seed", "seed = 0", "seed = 1"),
        ("learning-rate", "learning-rate = 0.1", "learning-rate = 0.2"),
        ("lanes", "lanes = 4", "lanes = 8"),
        ("dag", 'dag = "line"', 'dag = "empty"'),
        ("baseline", 'baseline = "cross-fit"', 'baseline = "none"'),
    ],
)
def test_another_experiment_is_refused_at_once(
    folder: Path, run: Callable[..., Any], field: str, old: str, new: str, rounds: str
) -> None:
    edit(folder / "experiment.toml", old, new)
    edit(folder / "experiment.toml", "rounds = 3", f"rounds = {rounds}")
    before = contents(folder)
    ended = run("resume", folder, "--quiet")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert f"experiment.toml: {field} is " in ended.err
    assert "but the run began with" in ended.err
    assert contents(folder) == before


def test_it_may_be_given_more_rounds_but_not_fewer_than_are_done(
    folder: Path, run: Callable[..., Any]
) -> None:
    edit(folder / "experiment.toml", "rounds = 3", "rounds = 5")
    ended = run("resume", folder, "--quiet", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["rounds"] == 5
    edit(folder / "experiment.toml", "rounds = 5", "rounds = 4")
    ended = run("resume", folder)
    assert ended.code == 2
    assert "rounds is 4, but 5 are done" in ended.err


def test_another_game_is_refused(run: Callable[..., Any], game_file: Path) -> None:
    assert run("train", game_file, *RUN[1:], "--out", "run").code == 0
    arrays = dict(np.load("run/game.npz"))
    arrays["reward"] = arrays["reward"] + 1.0
    np.savez("run/game.npz", **arrays)
    ended = run("resume", "run")
    assert ended.code == 2
    assert "run/game.npz was changed" in ended.err


def test_a_folder_of_an_older_version_goes_on(folder: Path, run: Callable[..., Any]) -> None:
    identity = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({k: identity[k] for k in ("run", "game", "game_digest")}))
    record = folder / "metrics.jsonl"
    record.write_text(re.sub(r',"chain":"[0-9a-f]+"', "", record.read_text()))
    edit(folder / "experiment.toml", "rounds = 3", "rounds = 5")
    assert run("train", *RUN, "--rounds", "5", "--out", "whole").code == 0
    ended = run("resume", folder, "--quiet", "--json")
    assert ended.code == 0, ended.err
    whole = json.loads(Path("whole/summary.json").read_text())
    assert json.loads(ended.out)["policy_digest"] == whole["policy_digest"]
    edit(folder / "experiment.toml", "seed = 0", "seed = 1")
    ended = run("resume", folder)
    assert ended.code == 2
    assert "experiment.toml was changed since the run began: agent 0 belongs to" in ended.err


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from bnpg.__main__ import main

    folder = tmp_path_factory.mktemp("climbed") / "run"
    assert main(["train", *CLIMB, "--out", str(folder)]) == 0
    return folder


def test_any_digit_of_the_record_that_was_changed_is_found(
    climbed: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    lines = (climbed / "metrics.jsonl").read_text().splitlines()
    draw = random.Random(7)
    for number, line in enumerate(lines, 1):
        # The wall time is the one thing that may differ between two runs of one experiment.
        text = line[: line.index(',"seconds":')]
        place = draw.choice([at for at, sign in enumerate(text) if sign.isdigit()])
        folder = tmp_path / f"line-{number}"
        shutil.copytree(climbed, folder)
        changed = line[:place] + str((int(line[place]) + 1) % 10) + line[place + 1 :]
        (folder / "metrics.jsonl").write_text("\n".join([*lines[: number - 1], changed, *lines[number:], ""]))
        ended = run("resume", folder)
        assert ended.code == 2, (number, place)
        assert ended.err.count("\n") == 1
        assert "metrics.jsonl" in ended.err
        assert f"line {number}" in ended.err


@pytest.mark.parametrize("line", ["[1]", "null", "{}", "text", '{"round": "a"}', "[" * 100_000])
@pytest.mark.parametrize("command", ["resume", "report"])
def test_what_is_no_line_of_a_record_is_one_line(
    folder: Path, run: Callable[..., Any], line: str, command: str
) -> None:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    (folder / "metrics.jsonl").write_text("\n".join([lines[0], line, *lines[2:], ""]))
    ended = run(command, folder)
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert "metrics.jsonl" in ended.err


@pytest.mark.parametrize("name", ["/../../tmp/victim", "", "0" * 31, "0" * 33, "G" * 32, None, ["0"] * 32])
def test_a_run_has_a_name_of_32_hexadecimal_digits(
    folder: Path, run: Callable[..., Any], name: object
) -> None:
    identity = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(identity | {"run": name}))
    ended = run("resume", folder)
    assert ended.code == 2
    assert "run.json cannot be read: Expected `str`" in ended.err
    assert "at `$.run`" in ended.err


fields = st.fixed_dictionaries(
    {"value": st.floats(), "nash_gap": st.floats(), "momentum_rounds": st.integers(0, 9)}
)


@given(st.lists(fields, min_size=1, max_size=5), st.data())
def test_the_chain_holds_for_what_was_written_and_for_nothing_else(
    written: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines, chain = [], GENESIS
    for round_, numbers in enumerate(written):
        raw, line = encode_line(Line(round_).holding(**numbers), 0.5, chain)
        chain = line.chain
        assert decode_line(raw) == line
        lines.append(raw.removesuffix(b"\n"))
    check_chain(lines)
    assert [decode_line(raw).round for raw in lines] == list(range(len(lines)))
    lost = data.draw(st.integers(0, len(lines) - 1))
    if lost < len(lines) - 1:
        with pytest.raises(InputError, match=f"line {lost + 1} was changed"):
            check_chain(lines[:lost] + lines[lost + 1 :])


def test_the_chains_of_two_runs_of_one_experiment_are_equal(folder: Path, run: Callable[..., Any]) -> None:
    assert run("train", *RUN, "--out", "again").code == 0
    chains = [
        re.findall(r'"chain":"([0-9a-f]+)"', (one / "metrics.jsonl").read_text())
        for one in (folder, Path("again"))
    ]
    assert chains[0] == chains[1]
    assert len(set(chains[0])) == 4


def test_thetas_that_were_lost_end_a_run_in_memory_too(folder: Path, run: Callable[..., Any]) -> None:
    shutil.rmtree(folder / "agents" / "agent-0")
    ended = run("resume", str(folder), "--rounds", "9", "--quiet")
    assert ended.code == 6
    assert "an agent's state folder was lost" in ended.err
    assert load_latest(folder / "agents" / "agent-1")


@pytest.mark.parametrize("name", ["agents", "agents/agent-1", "trace", "sealed", "logs"])
def test_a_folder_that_is_a_link_is_refused(
    folder: Path, run: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """Two runs would write the same thetas; and what is elsewhere may be anybody's."""
    elsewhere, place = tmp_path / "elsewhere", folder / name
    if place.exists():
        shutil.move(place, elsewhere)
    else:
        elsewhere.mkdir()
    (elsewhere / "mine.jsonl").write_text("{}\n")
    place.symlink_to(elsewhere)

    def there() -> dict[Path, Any]:
        files = [path for path in elsewhere.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_ino, path.stat().st_mode) for path in files}

    before = there()
    ended = run("resume", folder, "--rounds", "5", "--quiet")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert f"{place}: expected a folder of this run, got a link to " in ended.err
    assert there() == before


def test_a_link_to_nothing_among_the_traces_is_refused(
    folder: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    link = folder / "trace" / "agent-0.99.jsonl"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "nothing")
    ended = run("resume", folder, "--rounds", "9", "--quiet")
    assert ended.code == 2
    assert f"{link}: expected a file that this run has written, got a link to what is no file" in ended.err
    link.unlink()
    assert run("resume", folder, "--rounds", "9", "--quiet").code == 0


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_what_a_run_came_to_is_kept_where_it_cannot_go_on(
    run: Callable[..., Any], tmp_path: Path, launcher: str
) -> None:
    folder = Path("run")
    for rounds in ("1", "8"):
        shutil.rmtree(folder, ignore_errors=True)
        assert run("train", *RUN, "--rounds", rounds, "--save-policy", "--out", "run").code == 0
        if rounds == "1":
            shutil.move(folder / "agents" / "agent-0", tmp_path / "early")
    shutil.rmtree(folder / "agents" / "agent-0")
    shutil.move(tmp_path / "early", folder / "agents" / "agent-0")
    before = contents(folder)
    ended = run("resume", folder, "--launcher", launcher, "--quiet")
    assert (ended.code, contents(folder)) == (6, before)
    assert "agent 0 holds theta of 0, 1 only: an agent's state folder was lost" in ended.err
    again = run("resume", folder, "--launcher", launcher, "--on-lost-state", "restart", "--quiet")
    assert again.code == 0, again.err
    assert (folder / "policy.npz").read_bytes() == before[folder / "policy.npz"]


def test_what_a_run_with_a_critic_came_to_is_kept_where_it_cannot_go_on(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    critic = ("--policy", "mlp:4", "--critic", "mlp:4", "--update", "a2c")
    folder, short = Path("run"), ("relay", *critic, *RUN[1:3], "--steps", "3", *RUN[7:])
    for rounds in ("2", "8"):
        shutil.rmtree(folder, ignore_errors=True)
        begun = run("train", *short, "--rounds", rounds, "--save-policy", "--out", "run")
        assert begun.code == 0, begun.err
        if rounds == "2":
            shutil.move(folder / "agents", tmp_path / "early")
    shutil.rmtree(folder / "agents")
    shutil.move(tmp_path / "early", folder / "agents")
    before = contents(folder)
    ended = run("resume", folder, "--quiet")
    assert (ended.code, contents(folder)) == (6, before), ended.err
    assert "the run goes on at round 2, but the critics that are stored are those of" in ended.err


def test_thetas_that_are_put_back_are_gone_on_from_and_what_says_the_end_is_made_again(
    folder: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    of_agent, aside = folder / "agents" / "agent-0", tmp_path / "aside"
    shutil.move(of_agent, aside)
    before = contents(folder)
    assert run("resume", folder, "--rounds", "4", "--quiet").code == 6
    assert contents(folder) == before
    shutil.rmtree(of_agent, ignore_errors=True)
    shutil.move(aside, of_agent)
    assert run("resume", folder, "--rounds", "4", "--quiet").code == 0
    summary, certificate = (
        json.loads((folder / file).read_text()) for file in ("summary.json", "certificate.json")
    )
    assert (summary["state"], summary["rounds"]) == ("done", 4)
    assert certificate["policy_digest"] == summary["policy_digest"]


@pytest.mark.parametrize("late", [(), ("metrics.jsonl",)], ids=["early record", "late record"])
def test_a_copy_that_was_made_while_the_run_ended_goes_on(
    run: Callable[..., Any], late: tuple[str, ...]
) -> None:
    assert run("train", *RUN, "--rounds", "1", "--out", "run").code == 0
    shutil.copytree("run", "copy")
    assert run("resume", "run", "--rounds", "8", "--quiet").code == 0
    ended = ("experiment.toml", "summary.json", "certificate.json", "certificate.npz", "curves.png")
    for name in (*ended, *late):
        shutil.copy2(Path("run") / name, Path("copy") / name)
    assert run("resume", "copy", "--quiet").code == 0
    found, whole = (json.loads(Path(at, "summary.json").read_text()) for at in ("copy", "run"))
    assert found["policy_digest"] == whole["policy_digest"] is not None
    assert max(load_latest(Path("copy/agents/agent-0"))) == 8
    assert "is finished already" in run("resume", "copy").err


def test_a_run_that_is_done_needs_no_thetas(folder: Path, run: Callable[..., Any]) -> None:
    shutil.rmtree(folder / "agents/agent-1")
    summary = (folder / "summary.json").read_bytes()
    assert "is finished already" in run("resume", folder).err
    assert (folder / "summary.json").read_bytes() == summary


def test_a_run_that_is_done_and_has_lost_its_record_stays_done(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "metrics.jsonl").unlink()
    summary = (folder / "summary.json").read_bytes()
    ended = run("resume", folder)
    assert (ended.code, "is finished already" in ended.err) == (0, True)
    assert "metrics.jsonl holds nothing: lines were lost" in ended.err
    assert (folder / "summary.json").read_bytes() == summary


def test_of_a_run_that_is_done_it_is_said_that_its_record_was_cut_off(
    folder: Path, run: Callable[..., Any]
) -> None:
    record = folder / "metrics.jsonl"
    record.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[:2]))
    ended = run("resume", folder)
    assert (ended.code, "metrics.jsonl ends at round 1: lines were lost" in ended.err) == (0, True)


def test_vectors_that_a_certificate_rests_on_are_made_again(folder: Path, run: Callable[..., Any]) -> None:
    before = contents(folder)
    (folder / "certificate.npz").unlink()
    assert run("resume", folder, "--quiet").code == 0
    assert (folder / "certificate.npz").read_bytes() == before[folder / "certificate.npz"]


@pytest.mark.parametrize("launcher", ["memory", "local"])
@pytest.mark.parametrize("begun", ["memory", "local"])
@pytest.mark.parametrize("first", [(), ("agent-0",), ("agent-1",)], ids=["none", "agent-0", "agent-1"])
def test_one_process_is_killed_as_it_first_stores_what_processes_began(
    folder: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, ...], begun: str, launcher: str,
) -> None:  # fmt: skip
    expected = _killed_as_it_first_stores(folder, run, monkeypatch, first, begun)
    ended = run("resume", folder, "--launcher", launcher, "--quiet")
    assert ended.code == 0, ended.err
    assert json.loads((folder / "summary.json").read_text())["policy_digest"] == expected
    assert not (folder / "storing").exists()


def _killed_as_it_first_stores(
    folder: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, first: tuple[str, ...], begun: str
) -> str:
    """Kill one process as it stores for the first time what others began; return what the run comes to.

    These were killed when `first` had stored the theta that all begin with.
    """
    expected: str = json.loads((folder / "summary.json").read_text())["policy_digest"]
    assert run("train", *RUN, "--rounds", "0", "--out", "begun").code == 0
    for path in (*folder.glob("agents/*/theta.slots"), *folder.glob("certificate.*"), folder / "curves.png"):
        path.unlink(missing_ok=True)
    for name in ("metrics.jsonl", "summary.json"):
        (folder / name).unlink()
    for name in first:
        shutil.copy2(Path("begun/agents") / name / "theta.slots", folder / "agents" / name)
    edit(folder / "launch.toml", 'launcher = "memory"', f'launcher = "{begun}"')

    write = CheckpointFolder.write

    def killed(checkpoint: CheckpointFolder, *arguments: Any) -> None:
        if checkpoint.path.name == "agent-1":
            raise StorageFailed("killed")
        write(checkpoint, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFolder, "write", killed)
        assert run("resume", folder, "--launcher", "memory", "--quiet").code == ExitCode.STORAGE
    held = [sorted(load_latest(folder / "agents" / name)) for name in ("agent-0", "agent-1")]
    assert (max(held[0]) > 1, held[1]) == (True, [0] if "agent-1" in first else [])
    return expected


def test_a_note_of_an_earlier_life_removes_nothing(
    folder: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents that were started by hand have gone on since, and one of them has lost its folder."""
    _killed_as_it_first_stores(folder, run, monkeypatch, (), "local")
    generation = folder / "generation"
    generation.write_text(f"{int(generation.read_text()) + 1}\n")
    held = load_latest(folder / "agents/agent-0").keys()
    assert run("resume", folder, "--quiet").code == ExitCode.PROTOCOL
    assert load_latest(folder / "agents/agent-0").keys() == held


def test_a_sweep_that_finds_a_run_done_does_not_look_into_its_record(folder: Path) -> None:
    record = folder / "metrics.jsonl"
    record.write_bytes(record.read_bytes().replace(b'"round"', b'"mound"'))
    assert completed(RunFolder(folder), curves=False)
