"""The entry point: help, version, unexpected errors, a quick start."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol import core
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg import __version__
from bnpg.cli import launching
from bnpg.notices import warn
from bnpg_math.errors import InputError


def test_version_and_help(run: Any) -> None:
    assert run("--version").out == f"bnpg {__version__} (core: {core.name()})\n"
    text = run("--help").out
    for code in ExitCode:
        assert f"{int(code):>3}  " in text
    for command in ("train", "resume", "games"):
        assert f"  {command} " in text
    assert run().out == text


def test_a_defect_is_one_line_with_exit_code_1(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(f"two\nlines about {name}")

    monkeypatch.setattr(launching, "find_launcher", broken)
    ended = run("train", "climbing", "--quiet")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "report" in ended.err
    assert "RuntimeError: two lines about local" in ended.err


def test_what_leaves_the_program_is_not_taken_for_an_output_that_nobody_reads(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "find_launcher", lambda _name: sys.exit(3))
    ended = run("train", "climbing", "--quiet")
    assert (ended.code, ended.err.count("\n")) == (ExitCode.INTERNAL, 1)
    assert "SystemExit: 3" in ended.err


NO_THREAD = """
import resource, sys, threading
from bnpg_protocol.process.surroundings import ended, settle
settle()
threading.stack_size(1 << 32)
resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
sys.exit(ended(lambda: threading.Thread(target=print).start() or 0, "bnpg-agent"))
"""


def test_a_thread_that_is_not_given_is_no_defect(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run([sys.executable, "-c", NO_THREAD], capture_output=True, text=True, check=False)
    says = "error: no more threads: as many run as this user or container may have (ulimit -u, pids.max)"
    assert (done.returncode, done.stderr) == (ExitCode.STORAGE, f"bnpg-agent: {says}\n")

    def refused(_name: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(launching, "find_launcher", refused)
    ended = run("train", "climbing", "--quiet")
    assert (ended.code, ended.err) == (ExitCode.STORAGE, f"bnpg: {says}\n")


def test_a_warning_gives_no_order_to_the_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def warns(_name: str) -> None:
        warn("game a\x1b[2Jb\nc: odd")
        raise InputError("as well")

    monkeypatch.setattr(launching, "find_launcher", warns)
    ended = run("train", "climbing", "--quiet")
    assert ended.err == "bnpg: warning: game a\\x1b[2Jb c: odd\nbnpg: error: as well\n"


LONG = "n" * 300
"""A name that no file system has."""


@pytest.mark.parametrize(
    "words",
    [
        "status {}", "resume {}", "runs {}", "play {}", "edges {}", "export {} --to safetensors",
        "train --from {}", "trace check {}", "certificate check {}", "keys new {} --agents 2",
    ],
)  # fmt: skip
def test_a_path_that_is_none_is_no_defect(refused: Any, words: str) -> None:
    assert LONG in refused(*words.format(LONG).split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("agent", "Missing option '--connect'."),
        ("agent --connect tcp://127.0.0.1:9", "Missing option '--state'."),
        ("coordinator climbing", "Missing option '--listen'."),
        ("keys", "missing command of 'bnpg keys': expected one of "),
        ("trace", "missing command of 'bnpg trace': expected one of check, show"),
        ("certificate", "missing command of 'bnpg certificate': expected one of check"),
        ("trace chekc run", "unknown command 'chekc': did you mean 'check'?"),
    ],
)
def test_what_is_missing_is_named_in_one_line(refused: Any, words: str, says: str) -> None:
    assert says in refused(*words.split())


@pytest.mark.parametrize(
    "words", ["train clim\udcff", "keys new k\udcff --agents 2", "sweep --out s\udcff a.toml"]
)
def test_a_word_that_is_no_text_is_refused(refused: Any, words: str) -> None:
    assert "every word of a command line must be text in UTF-8, got '" in refused(*words.split())


def test_a_folder_that_may_not_be_entered_is_no_defect(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(name: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "run/agents/agent-0")

    monkeypatch.setattr(launching, "find_launcher", locked)
    ended = run("train", "climbing", "--quiet")
    assert (ended.code, ended.err) == (
        2, "bnpg: error: run/agents/agent-0 cannot be used: Permission denied\n"
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["--debug", "train", "climbing"], ["train", "climbing", "--debug"]])
def test_debug_shows_the_traceback(run: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr(launching, "find_launcher", broken)
    ended = run(*arguments)
    assert ended.code == 1
    assert "Traceback" in ended.err


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["train", "--help"], ["train", "--nope"]])
def test_it_starts_without_anything_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from bnpg.__main__ import main; main(sys.argv[1:]); "
        "heavy = {'numpy', 'scipy', 'matplotlib', 'rich', 'networkx', 'zmq'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_one_blas_thread() -> None:
    program = (
        "import os, bnpg.__main__; print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "8", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "1 1\n"


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_the_program_is_loaded_is_one_line(number: str) -> None:
    script = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a script
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "bnpg.cli.root":
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Interrupted())
import bnpg.__main__
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "bnpg: error: interrupted\n")


QUOTED = ["{}", "climbing({}=1)", "relay({}=1)", "{}.toml", "gymnasium:{}", "own:{}"]


@pytest.mark.parametrize("subject", QUOTED)
def test_an_error_that_quotes_something_long_is_short(run: Any, subject: str) -> None:
    ended = run("train", subject.format("x" * 100_000), "--dag", "y" * 100_000)
    [line] = ended.err.splitlines()
    assert (ended.code, line.startswith("bnpg: error: ")) == (2, True)
    assert len(line) < 1000


ARCHIVE = """
import os, signal, sys, zipfile
from bnpg import __main__ as program
from bnpg.cli import root

def command(**_):
    with zipfile.ZipFile("some.npz", "w") as archive:
        writing = archive.open("one", "w")
        os.kill(os.getpid(), signal.SIGTERM)

root.bnpg.main = command
sys.argv = ["bnpg"]
sys.exit(program.main())
"""


def test_ctrl_c_while_an_archive_is_written_is_no_defect(tmp_path: Path) -> None:
    """An archive refuses to close while something is written into it, and Ctrl-C gives way to that."""
    ended = python(ARCHIVE, tmp_path)
    assert (ended.returncode, ended.stderr) == (130, "bnpg: error: interrupted\n")


LEFT = """
import sys, threading
from bnpg_protocol.process.surroundings import ended, settle

def run():
    threading.Thread(target=threading.Event().wait, name="of others").start()
    {then}

settle()
sys.exit(ended(run, "bnpg-agent"))
"""


@pytest.mark.parametrize(("then", "code"), [("return 0", 0), ("return 4", 4), ("raise KeyError(3)", 1)])
def python(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=folder)


@pytest.mark.parametrize(("then", "code"), [("return 0", 0), ("return 4", 4), ("raise KeyError(3)", 1)])
def test_a_thread_that_somebody_has_left_at_work_puts_off_no_end(
    tmp_path: Path, then: str, code: int
) -> None:
    ended = python(LEFT.format(then=then), tmp_path)
    assert ended.returncode == code
    assert ended.stderr.endswith("bnpg-agent: warning: ended without the thread 'of others'\n")


RENDERER = """
import sys, threading
from bnpg import __main__ as program
from bnpg.cli import root

def command(**_):
    threading.Thread(target=threading.Event().wait, name="renderer").start()

root.bnpg.main = command
sys.argv = ["bnpg"]
sys.exit(program.main())
"""


def test_a_command_ends_though_its_environment_has_left_a_thread(tmp_path: Path) -> None:
    ended = python(RENDERER, tmp_path)
    said = "bnpg: warning: ended without the thread 'renderer'\n"
    assert (ended.returncode, ended.stderr) == (0, said)
