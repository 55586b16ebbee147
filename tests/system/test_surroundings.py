"""Odd parents: closed and full streams, ignored signals, few descriptors, no init, a clock that jumps."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BNPG = f"{shlex.quote(sys.executable)} -P -m bnpg"
TRAIN = "train climbing --rounds 2 --lanes 4 --horizon 2 --no-fsync --quiet --save-policy --out run"
IGNORING = "import os, signal as s, sys; s.signal(getattr(s, sys.argv[1]), s.SIG_IGN); " + (
    "os.execv(sys.argv[2], sys.argv[2:])"
)

WAITS = re.compile(r" warning \S+: waiting ")

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(scratch: Any) -> Shell:
    def shell(line: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["bash", "-c", line], cwd=scratch.path, env=scratch.environment, capture_output=True, text=True,
            timeout=250, check=False,
        )  # fmt: skip
        # On a machine that is busy for seconds the coordinator says for whom it waits.
        done.stderr = "".join(one for one in done.stderr.splitlines(True) if not WAITS.search(one))
        return done

    return shell


@pytest.fixture(scope="session")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The policy digest of the run, started as usual, all in one process."""
    folder = tmp_path_factory.mktemp("usual")
    subprocess.run(
        [*shlex.split(BNPG), *TRAIN.split(), "--launcher", "memory"], cwd=folder, check=True, timeout=60
    )
    return _digest(folder)


def _digest(folder: Path) -> str:
    return str(json.loads((folder / "run" / "summary.json").read_text())["policy_digest"])


@pytest.mark.parametrize(("closed", "code"), [("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 7)])
def test_closed_and_full_streams_end_no_run(
    scratch: Any, shell: Shell, digest: str, closed: str, code: int
) -> None:
    done = shell(f"{BNPG} {TRAIN} --json {closed}")
    assert done.returncode == code
    assert _digest(scratch.path) == digest
    assert done.stderr.splitlines() == ["bnpg: error: output cannot be written: No space left on device"] * (
        code == 7
    )


def test_a_folder_that_is_there_no_more_is_one_line(shell: Shell) -> None:
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; {BNPG} {TRAIN}")
    assert (done.returncode, done.stderr) == (
        2,
        "bnpg: error: the current folder does not exist any more\n",
    )


@pytest.mark.parametrize("command", ["games", "train --help"])
def test_what_cannot_be_shown_is_one_line(shell: Shell, command: str) -> None:
    assert shell(f"{BNPG} {command} >&-").returncode == 0
    full = shell(f"{BNPG} {command} >/dev/full")
    assert (full.returncode, full.stderr.count("\n")) == (7, 1)
    assert "No space left on device" in full.stderr


def test_an_output_that_nobody_reads_any_more_is_one_line(shell: Shell) -> None:
    # The reader is gone before anything is written: it ends, and only then the writer starts.
    done = shell(f"mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; {BNPG} games >&4")
    assert (done.returncode, done.stderr.count("\n")) == (7, 1)
    assert "nobody reads it any more" in done.stderr


@pytest.mark.parametrize("descriptors", [9, 15])
def test_few_descriptors_are_one_line_or_enough(shell: Shell, scratch: Any, descriptors: int) -> None:
    done = shell(f"ulimit -n {descriptors}; {BNPG} {TRAIN}")
    last = done.stderr.splitlines()[-1:]
    assert done.returncode in (0, 2, 7), done.stderr
    assert done.returncode == 0 or "too many open files" in last[0].lower(), done.stderr
    assert "Traceback" not in done.stderr
    scratch.excuse_files()


def test_files_that_may_have_no_size_are_one_line(shell: Shell) -> None:
    done = shell(f"ulimit -f 0; {BNPG} {TRAIN} 2>&1 | cat; exit ${{PIPESTATUS[0]}}")
    assert done.returncode in (2, 7)
    assert (done.stdout.count("\n"), "File too large" in done.stdout) == (1, True)


def test_a_parent_that_ignores_its_children_is_a_parent_like_any_other(
    scratch: Any, shell: Shell, digest: str
) -> None:
    done = shell(f"{sys.executable} -c {shlex.quote(IGNORING)} SIGCHLD {BNPG} {TRAIN}")
    assert (done.returncode, done.stderr) == (0, "")
    assert _digest(scratch.path) == digest


def test_a_program_that_ignores_its_children_may_train_and_goes_on_ignoring_them(
    scratch: Any, shell: Shell
) -> None:
    program = scratch.path / "program.py"
    program.write_text(
        "import signal, threading, bnpg\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "def train():\n"
        "    print(bnpg.train('climbing', rounds=2, lanes=4, horizon=2, launcher='local').rounds)\n"
        "if __name__ == '__main__':\n"
        "    train()\n"
        "    thread = threading.Thread(target=train)\n"
        "    thread.start(); thread.join()\n"
        "    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN\n"
        "    print(int(open('/proc/self/status').read().split('SigIgn:')[1].split()[0], 16) >> 16 & 1)\n"
    )
    done = shell(f"{sys.executable} -P {program}")
    assert done.stdout.split() == ["2", "2", "1"], done.stderr


def test_the_first_process_of_a_container_is_a_parent_like_any_other(
    scratch: Any, shell: Shell, digest: str
) -> None:
    """As process 1 it has no init above it, gets every orphan, and signals do nothing that is not handled."""
    assert shutil.which("unshare"), "util-linux is part of every Linux"
    done = shell(f"unshare --user --map-root-user --pid --fork --mount-proc {BNPG} {TRAIN}")
    assert done.returncode == 0, done.stderr
    assert _digest(scratch.path) == digest


def test_ctrl_c_that_was_ignored_by_the_parent_ends_a_run_in_order(scratch: Any) -> None:
    """Shells start what runs in the background like that."""
    long = TRAIN.replace("--rounds 2", "--rounds 100000")
    process = subprocess.Popen(
        [sys.executable, "-c", IGNORING, "SIGINT", *shlex.split(BNPG), *long.split()],
        cwd=scratch.path, env=scratch.environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = scratch.path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said


JUMPS = """
import itertools, time
true, calls = time.time, itertools.count()
time.time = lambda: true() + {jump} * (next(calls) // 3 % 2)
"""
"""Imported by every Python process that finds it: the clock on the wall goes to and fro, every third look."""


@pytest.mark.parametrize("jump", [-86400.0, 1e7])
def test_a_clock_on_the_wall_that_jumps_does_no_harm(
    scratch: Any, shell: Shell, digest: str, jump: float
) -> None:
    shim = scratch.path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(JUMPS.format(jump=jump))
    plan = scratch.path / "plan.toml"
    plan.write_text(
        '[[kill]]\nprocess = "agent-1"\nphase = "states"\nround = 1\n'
        '[[kill]]\nprocess = "coordinator"\nphase = "signalling"\nround = 0\n'
    )
    done = shell(f"PYTHONPATH={shim} {BNPG} {TRAIN} --trace --faults {plan} && {BNPG} trace check run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("restarted") == 2, done.stderr
    assert _digest(scratch.path) == digest


POLITE = """
import os, signal
def make():
    os.kill(os.getpid(), signal.SIGTERM)
    raise SystemExit("still here")
"""


def test_a_polite_kill_is_an_interruption_whatever_a_command_does(shell: Shell, scratch: Any) -> None:
    (scratch.path / "polite.py").write_text(POLITE)
    done = shell(f"PYTHONPATH=. {BNPG} env check polite:make")
    assert (done.returncode, done.stderr.strip()) == (130, "bnpg: error: interrupted")


HANGUP = """
import signal, sys
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
from bnpg.__main__ import main
from bnpg.cli.root import bnpg
@bnpg.command()
def hang_up():
    signal.raise_signal(signal.SIGHUP)
    print("still here")
sys.argv[1:] = ["hang-up"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("found", "ended"),
    [("SIG_DFL", (130, "", "bnpg: error: interrupted")), ("SIG_IGN", (0, "still here\n", ""))],
)
def test_a_terminal_that_is_closed_interrupts_unless_nohup_was_asked_for(
    scratch: Any, shell: Shell, found: str, ended: tuple[int, str, str]
) -> None:
    (scratch.path / "hangup.py").write_text(HANGUP)
    done = shell(f"{shlex.quote(sys.executable)} hangup.py {found}")
    assert (done.returncode, done.stdout, done.stderr.strip()) == ended


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_process_that_is_interrupted_before_its_run_says_so_in_one_line(shell: Shell, number: str) -> None:
    program = (
        "import os, signal; from bnpg_protocol.process.surroundings import ended, settle; settle(); "
        # In the background of a script it is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"raise SystemExit(ended(lambda: os.kill(os.getpid(), signal.{number}), 'bnpg-agent'))"
    )
    done = shell(f'{shlex.quote(sys.executable)} -c "{program}"')
    assert (done.returncode, done.stderr) == (130, "bnpg-agent: error: interrupted\n")


ASKED = """
import atexit, os, signal, sys
from bnpg_protocol.process import endings
from bnpg_protocol.process.surroundings import ended, settle

def ask(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)

def run_and_tidy_up():
    try:
        ask(signal.SIGTERM)
    finally:
        ask(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        print("tidied up")

def asked_before_all_is_handled():
    handle = signal.signal
    def handle_and_ask(number, handler):
        handle(number, handler)
        ask(number)
    endings.signal.signal = handle_and_ask
    return lambda: 0

def asked_when_it_has_ended():
    atexit.register(ask, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return lambda: 0

settle()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # scripts ignore some in their background
    signal.signal(number, signal.SIG_DFL)
runs = {
    "twice": lambda: run_and_tidy_up,
    "early": asked_before_all_is_handled,
    "late": asked_when_it_has_ended,
}
code = ended(runs[sys.argv[1]](), "bnpg-agent")
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("twice", (130, "tidied up\n", "bnpg-agent: error: interrupted\n")),
        ("early", (130, "", "bnpg-agent: error: interrupted\n")),
        ("late", (0, "", "")),
    ],
)
def test_a_process_may_be_asked_to_end_at_any_instant_and_more_than_once(
    scratch: Any, shell: Shell, when: str, said: tuple[int, str, str]
) -> None:
    (scratch.path / "asked.py").write_text(ASKED)
    done = shell(f"{shlex.quote(sys.executable)} asked.py {when}")
    assert (done.returncode, done.stdout, done.stderr) == said


AGAIN = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
from bnpg import __main__ as program
def ask():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
tell = program.tell_error
program.tell_error = lambda why: (ask(), tell(why))
@program.bnpg.command()
def again():
    if sys.argv[2:]:
        ask()
    raise program.InputError("no such thing")
settle = program.settle
def settle_and_ask():
    settle()
    if sys.argv[3:]:
        os.kill(os.getpid(), signal.SIGINT)
program.settle = settle_and_ask
sys.exit(program.main())
"""


@pytest.mark.parametrize("asked", ["again", "again once", "again once early"])
def test_a_command_may_be_interrupted_at_any_instant_and_more_than_once(
    scratch: Any, shell: Shell, asked: str
) -> None:
    (scratch.path / "again.py").write_text(AGAIN)
    done = shell(f"{shlex.quote(sys.executable)} again.py {asked}")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[-1] == "bnpg: error: interrupted", done.stderr
