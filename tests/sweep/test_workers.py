"""Workers that die or fall silent, played by stand-ins."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from bnpg_protocol.process.awake import Awake
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.sweeps import workers
from bnpg.sweeps.pool import Ending, Task
from bnpg.sweeps.workers import Workers

DIES = "import sys; sys.stdin.readline(); sys.exit(9)"
HANGS = "import sys; sys.stdin.readline(); sys.stdin.read()"
FIRST_DIES = """
import json, os, pathlib, sys
for line in sys.stdin:
    mark = pathlib.Path(json.loads(line)["mark"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    print(json.dumps({"round": 1}), flush=True)
    print(json.dumps({"ended": {"code": 0, "why": ""}}), flush=True)
"""
LEAVES_A_CHILD = """
import json, os, pathlib, signal, sys
for line in sys.stdin:
    mark = pathlib.Path(json.loads(line)["mark"])
    if not mark.exists():
        child = os.fork()
        if child == 0:
            signal.pause()
        mark.write_text(str(child))
        os.kill(os.getpid(), 9)
    print(json.dumps({"ended": {"code": 0, "why": ""}}), flush=True)
"""
INTERRUPTED = json.dumps({"ended": {"code": int(ExitCode.INTERRUPTED), "why": "interrupted"}})
ALWAYS_INTERRUPTED = f"""
import sys
for line in sys.stdin:
    print({INTERRUPTED!r}, flush=True)
"""
FIRST_INTERRUPTED = f"""
import json, pathlib, sys
for line in sys.stdin:
    mark = pathlib.Path(json.loads(line)["mark"])
    print('{{"ended": {{"code": 0, "why": ""}}}}' if mark.exists() else {INTERRUPTED!r}, flush=True)
    mark.touch()
"""
IS_SILENT = """
import json, pathlib, sys, time
for line in sys.stdin:
    while not pathlib.Path(json.loads(line)["mark"]).exists():
        time.sleep(0.01)
    print('{"ended": {"code": 0, "why": ""}}', flush=True)
"""
GARBLES = """
import sys
for line in sys.stdin:
    sys.stdout.buffer.write(b"a module was loaded\\n\\xff\\n5\\n" + b"[" * 100_000 + b"\\n")
    print('{"ended": {"code": 0, "why": ""}}', flush=True)
"""


class Heard:
    def __init__(self) -> None:
        self.rounds: list[tuple[int, int]] = []
        self.endings: dict[int, Ending] = {}

    def round_done(self, number: int, round_: int) -> None:
        self.rounds.append((number, round_))

    def run_ended(self, number: int, ending: Ending) -> None:
        assert number not in self.endings
        self.endings[number] = ending


def play(program: str, *tasks: Task, jobs: int = 2) -> Heard:
    heard = Heard()
    interrupted = Workers(jobs, heard, [sys.executable, "-c", program]).run(tasks)
    assert not interrupted
    return heard


def test_a_run_whose_workers_always_die_is_given_up_and_the_others_go_on() -> None:
    heard = play(DIES, Task(0, {}), Task(1, {}))
    assert {number: ending.code for number, ending in heard.endings.items()} == dict.fromkeys(
        (0, 1), ExitCode.PEER_FAILED
    )
    assert heard.endings[0].why == "its process ended with code 9, as did 2 before it"


def test_a_worker_that_dies_is_replaced(tmp_path: object) -> None:
    tasks = [Task(number, {"mark": f"{tmp_path}/{number}"}) for number in range(3)]
    heard = play(FIRST_DIES, *tasks)
    assert heard.endings == dict.fromkeys(range(3), Ending(ExitCode.DONE, ""))
    assert sorted(heard.rounds) == [(0, 1), (1, 1), (2, 1)]


def test_a_worker_that_dies_is_replaced_though_a_child_of_its_run_holds_its_output(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    heard = play(LEAVES_A_CHILD, Task(0, {"mark": str(mark)}))
    os.kill(int(mark.read_text()), signal.SIGKILL)
    assert heard.endings == {0: Ending(ExitCode.DONE, "")}


def test_lines_of_a_worker_that_are_no_reports_are_passed_over() -> None:
    assert play(GARBLES, Task(0, {})).endings == {0: Ending(ExitCode.DONE, "")}


def test_a_worker_that_cannot_be_heard_is_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_line: str) -> None:
        raise MemoryError

    monkeypatch.setattr(workers.json, "loads", fails)
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)
    heard = play(ALWAYS_INTERRUPTED, Task(0, {}))
    assert heard.endings[0].code == ExitCode.PEER_FAILED


def test_a_run_that_somebody_else_interrupts_goes_on(tmp_path: object) -> None:
    heard = play(FIRST_INTERRUPTED, Task(0, {"mark": f"{tmp_path}/0"}))
    assert heard.endings == {0: Ending(ExitCode.DONE, "")}


def test_a_run_that_somebody_else_always_interrupts_is_given_up() -> None:
    heard = play(ALWAYS_INTERRUPTED, Task(0, {}), Task(1, {}))
    why = "its process was interrupted by somebody else, as did 2 before it"
    assert heard.endings == dict.fromkeys((0, 1), Ending(ExitCode.PEER_FAILED, why))


def test_a_worker_that_gives_no_sign_of_life_is_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SILENCE", 0.3)
    heard = play(HANGS, Task(0, {}))
    assert "was killed by signal 9" in heard.endings[0].why


def test_a_worker_that_was_stopped_like_everybody_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark, looks = tmp_path / "mark", 0

    def hours() -> float:
        nonlocal looks
        looks += 1
        if looks == 30:
            mark.touch()
        return 3600.0 * looks

    monkeypatch.setattr(workers, "Awake", lambda: Awake(hours))
    heard = play(IS_SILENT, Task(0, {"mark": str(mark)}))
    assert heard.endings == {0: Ending(ExitCode.DONE, "")}
