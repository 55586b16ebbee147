"""Whenever a run is killed, from its first file to after its last word, it is brought to its end."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bnpg.__main__ import main
from bnpg.lab.testing.killed_anywhere import content


@pytest.mark.parametrize(
    "steps",
    [("--every", "16"), ("--begin", "-9")],
    ids=["from the first file on", "the last, one by one"],
)
def test_killed_at_a_step_and_resumed_it_leaves_what_an_undisturbed_run_leaves(
    steps: tuple[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-P", "-m", "bnpg.lab.testing.killed_anywhere", str(tmp_path), *steps]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["steps"] > 60
    assert told["wrong"] == [], done.stderr


PLAN = '[[pause]]\nprocess = "coordinator"\nphase = "concluded"\nseconds = 600\n'
OPTIONS = ("coordination(agents=2)", "--rounds", "3", "--lanes", "2", "--horizon", "2", "--trace", "--quiet")


def test_everything_killed_after_the_coordinators_last_word(scratch: Any, tmp_path: Path) -> None:
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
    processes = scratch.processes()
    for process in processes:
        process.kill()
    launcher.communicate()
    scratch.excuse_files()
    assert "processes" not in json.loads((folder / "summary.json").read_text())
    assert main(["status", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    (folder / "report.html").unlink()
    assert main(["resume", str(folder), "--quiet"]) == 0
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
