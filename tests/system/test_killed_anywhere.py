"""Whenever a run is killed, from its first file to after its last word, it is brought to its end."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_agents.checkpoint import CheckpointFolder, load_identity, load_latest
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator.line import Line
from bnpg_coordinator.run_record import RunRecord, check_record, read_lines
from bnpg_coordinator.sealed_folder import SealedFolder, read_sealed
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.security.seal_key import write_seal_key
from bnpg_protocol.wire.sealed import enclosed

from bnpg.__main__ import main
from bnpg.lab.testing.power import Disk
from bnpg.lab.testing.run_content import content
from bnpg.lab.testing.scratch import kill_all
from bnpg.lab.testing.system_calls import CUT_SHORT, traced

NETWORKS = (
    "climbing", "--policy", "mlp:2", "--update", "ppo", "--rounds", "2", "--lanes", "2", "--horizon", "2",
    "--evaluate-every", "2", "--launcher", "memory", "--trace", "--quiet",
)  # fmt: skip


@pytest.mark.parametrize(
    ("calls", "options"),
    [
        (("--every", "24"), ()),
        (("--begin", "-7"), ()),
        (("--every", "48"), NETWORKS),
        (("--every", "48"), (*NETWORKS, "--seal", "team.seal")),
    ],
    ids=[
        "from the first file on",
        "the last, one by one",
        "networks and a critic",
        "networks that are sealed",
    ],
)
def test_killed_at_a_system_call_and_resumed_it_leaves_what_an_undisturbed_run_leaves(
    calls: tuple[str, str], options: tuple[str, ...], tmp_path: Path
) -> None:
    write_seal_key(tmp_path / "team.seal")
    command = [sys.executable, "-P", "-m", "bnpg.lab.testing.killed_anywhere", *calls, str(tmp_path)]
    command += ["--", *options] if options else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["calls"] > 150
    assert told["torn"] > 0
    assert told["wrong"] == [], done.stderr


def snapshot(round_: int) -> Snapshot:
    return Snapshot({"theta": np.arange(600.0).reshape(30, 20) + round_})


def checkpoints(folder: Path, done: Path) -> int:
    """Store six rounds, and note each outside the folder when it is stored."""
    agent = CheckpointFolder(folder / "agent", fsync=True, fence=Fence.raise_in(folder))
    agent.next_incarnation()
    agent.adopt(0, "experiment")
    for round_ in range(6):
        agent.write(round_, snapshot(round_))
        done.write_text(str(round_))
    agent.close()
    return 0


def record(folder: Path, done: Path) -> int:
    """Write six lines, go back by one, write it again, and conclude."""
    kept = RunRecord(folder, fsync=True, fence=Fence.raise_in(folder))
    kept.next_generation()
    kept.rewind(0)
    for round_ in (0, 1, 2, 3, 4, 5):
        kept.append(Line(round_, value=round_ / 2))
        if round_ % 2:
            kept.sync()  # whoever does not, has it done before the next line
        done.write_text(str(round_))
    kept.rewind(5)
    kept.append(Line(5, value=5 / 2))
    kept.conclude("done", "", 6, {"value": 5 / 2})
    done.write_text("6")
    kept.close()
    return 0


def keeping(folder: Path, done: Path) -> int:
    """Keep six sealed checkpoints of an agent, and note each outside the folder when it is kept."""
    kept = SealedFolder(folder, fsync=True, fence=Fence.raise_in(folder))
    for round_ in range(6):
        kept.write(1, round_, enclosed(round_, bytes(5000)))
        done.write_text(str(round_))
    return 0


def killed(work: Callable[[Path, Path], int], folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the folder, and what was noted as done, after a death at every call and in every write."""
    whole = traced(lambda: work(folder, folder.parent / "done"), folder)
    assert whole.code == 0
    assert {"write", "rename", "fsync"} <= set(whole.calls)
    for last in range(1, len(whole.calls) + 1):
        for torn in (False, True)[: 1 + (whole.calls[last - 1] in CUT_SHORT)]:
            where, done = folder.parent / f"{last}-{torn}", folder.parent / f"done-{last}-{torn}"
            where.mkdir()
            assert traced(partial(work, where, done), where, last, torn).code == -signal.SIGKILL
            yield where, int(done.read_text()) if done.exists() else -1


def test_a_checkpoint_that_was_stored_survives_every_call_and_every_torn_write(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    kills = 0
    for folder, done in killed(checkpoints, tmp_path / "whole"):
        kills += 1
        held = load_latest(folder / "agent") if (folder / "agent").exists() else {}
        for round_, theta in held.items():
            assert theta.tobytes() == snapshot(round_).table.tobytes()
        # The last one and the one before: a round that not everybody has finished is played again.
        assert {round_ for round_ in (done - 1, done) if round_ >= 0} <= set(held)
        assert checkpoints(folder, tmp_path / "again") == 0
        assert max(load_latest(folder / "agent")) == 5
        assert not [left for left in folder.rglob("*.tmp") if not left.parent.name.startswith(".fence")]
    assert kills > 30


def test_a_sealed_checkpoint_that_was_kept_survives_every_call_and_every_torn_write(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    kills = 0
    for folder, done in killed(keeping, tmp_path / "whole"):
        kills += 1
        held = set(read_sealed(folder, 1 << 20).get(1, {}))
        # The last one, and the one before as long as there is none behind it.
        kept = {done - 1, done}, {done, done + 1}
        assert done < 0 or any({round_ for round_ in two if round_ >= 0} <= held for two in kept)
        assert keeping(folder, tmp_path / "again") == 0
        assert set(read_sealed(folder, 1 << 20)[1]) == {4, 5}
    assert kills > 30


def test_a_line_that_was_recorded_survives_every_call_and_every_torn_write(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    kills = 0
    for folder, done in killed(record, tmp_path / "whole"):
        kills += 1
        lines = [line.round for line in read_lines(folder / "metrics.jsonl")]
        assert lines == list(range(len(lines)))
        assert len(lines) >= min(done + 1, 5)
        summary = folder / "summary.json"
        assert not summary.exists() or json.loads(summary.read_text())["rounds"] == 6
        assert record(folder, tmp_path / "again") == 0
        check_record(folder / "metrics.jsonl")
        assert len(read_lines(folder / "metrics.jsonl")) == 6
    assert kills > 40


class Cuts:
    """In place of the file in which is noted what is done: looks what a power cut just then leaves."""

    def __init__(self, folder: Path, disk: Disk, check: Callable[[Path, int], None]) -> None:
        self._folder, self._disk, self._check, self.count = folder, disk, check, 0

    def write_text(self, text: str) -> None:
        for names_of_now in (False, True):
            target = self._folder.parent / f"cut-{self.count}"
            self.count += 1
            self._check(self._disk.left(self._folder, target, names_of_now), int(text))


def check_checkpoints(folder: Path, done: int) -> None:
    held = load_latest(folder / "agent")
    assert {round_ for round_ in (done - 1, done) if round_ >= 0} <= set(held)
    assert all(theta.tobytes() == snapshot(round_).table.tobytes() for round_, theta in held.items())
    assert (folder / "agent" / "incarnation").read_text() == "1\n"
    assert load_identity(folder / "agent") == (0, "experiment")


def check_sealed(folder: Path, done: int) -> None:
    assert {round_ for round_ in (done - 1, done) if round_ >= 0} <= set(read_sealed(folder, 1 << 20)[1])


def check_lines(folder: Path, done: int) -> None:
    # The latest line is durable when that was asked for; the ones before it are whenever there is another.
    synced = done + done % 2 if done < 6 else 6
    assert len(read_lines(folder / "metrics.jsonl")) == synced
    assert (folder / "generation").read_text() == "1\n"
    assert done < 6 or json.loads((folder / "summary.json").read_text())["rounds"] == 6


@pytest.mark.parametrize(
    ("work", "check"),
    [(checkpoints, check_checkpoints), (keeping, check_sealed), (record, check_lines)],
    ids=["checkpoints", "sealed checkpoints", "record"],
)
def test_what_was_said_to_be_kept_survives_a_power_cut(
    work: Callable[[Path, Any], int], check: Callable[[Path, int], None], tmp_path: Path
) -> None:
    disk, folder = Disk(), tmp_path / "whole"
    folder.mkdir()
    cuts = Cuts(folder, disk, check)
    with disk.watching():
        assert work(folder, cuts) == 0
    assert cuts.count >= 12


PLAN = '[[pause]]\nprocess = "coordinator"\nphase = "concluded"\nseconds = 600\n'
OPTIONS = ("coordination(agents=2)", "--rounds", "3", "--lanes", "2", "--horizon", "2", "--trace", "--quiet")


def test_everything_killed_after_the_coordinators_last_word(
    scratch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(scratch.path))
    plan, folder, whole = tmp_path / "plan.toml", tmp_path / "run", tmp_path / "whole"
    plan.write_text(PLAN)
    command = [
        sys.executable,
        "-P",
        "-m",
        "bnpg",
        "train",
        *OPTIONS,
        "--faults",
        str(plan),
        "--out",
        str(folder),
    ]
    launcher = subprocess.Popen(
        command, cwd=scratch.path, env=scratch.environment, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not (folder / "summary.json").exists():
        assert launcher.poll() is None, launcher.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    kill_all(scratch.processes())
    launcher.communicate()
    assert list(scratch.path.glob("bnpg-*")), "nobody was left to remove where they met"
    assert "processes" not in json.loads((folder / "summary.json").read_text())
    assert main(["status", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    (folder / "report.html").unlink()
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert list(scratch.path.glob("bnpg-*")) == []
    assert main(["train", *OPTIONS, "--out", str(whole)]) == 0
    left, expected = content(folder), content(whole)
    for one in (left, expected):
        for name in ("faults.toml", "launch.toml"):
            one.pop(name, None)
    assert left == expected
    assert main(["trace", "check", str(folder)]) == 0
    # Once all of it is there, nothing is written any more.
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_coordinator_killed_after_its_last_word_is_no_reason_to_lose_it(start_run: Any, play: Any) -> None:
    case: dict[str, Any] = {"game": "coordination(agents=2)", "rounds": 4, "lanes": 2, "horizon": 2}
    plan = '[[kill]]\nprocess = "coordinator"\nphase = "concluded"\n'

    def prepare(run: Any) -> None:
        (run.folder / "faults.toml").write_text(plan)

    run = start_run(**case, settings={"fsync": False, "faults": "faults.toml"}, prepare=prepare)
    assert run.wait() == 0, run.log
    assert run.summary["state"] == "done"
    assert run.digest == play(**case).digest
    assert int((run.folder / "generation").read_text()) == 2
