"""All processes of a run are forked from one that is gone at once, and are this launcher's own children."""

import ctypes
import errno
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg.lab.testing.imports import loaded_by
from bnpg.launchers import adoption, local_place
from bnpg.launchers.adoption import Adopted, adopt
from bnpg.launchers.place import Order

CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "line",
    "rounds": 3,
    "lanes": 4,
    "horizon": 3,
}
PATIENCE = 30.0
HELP = Order(name="agent-1", package="bnpg_agents", arguments=("--help",))
linux = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux hands orphans to an ancestor")


def waiting(folder: Path, agent: int) -> Order:
    """Return the order of an agent whose coordinator never comes."""
    state = ("--state", str(folder / str(agent)), "--agent", str(agent), "--lifeline")
    sockets = ("--connect", f"ipc://{folder}/nobody", "--inbox", f"ipc://{inbox(folder, agent)}")
    return Order(name=f"agent-{agent}", package="bnpg_agents", arguments=(*state, *sockets))


def inbox(folder: Path, agent: int) -> Path:
    return folder / f"inbox-{agent}"


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pipes(pid: int) -> list[int]:
    """Return the file descriptors of a process that are pipes, but for what it writes to."""
    found = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it has closed that meanwhile
            found.append((int(one.name), os.readlink(one)))
    return sorted(number for number, what in found if what.startswith("pipe:") and number not in (1, 2))


def is_subreaper() -> bool:
    found = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(37, ctypes.byref(found), 0, 0, 0)
    return bool(found.value)


def open_files() -> int:
    gc.collect()  # what earlier runs in this process held open counts in no test
    return psutil.Process().num_fds()


@linux
def test_they_are_children_of_the_launcher_in_sessions_of_their_own(scratch) -> None:
    before = open_files()
    started = adopt([waiting(scratch.path, agent) for agent in range(3)], os.environ)
    assert len({one.pid for one in started}) == 3
    for agent, one in enumerate(started):
        until(inbox(scratch.path, agent).exists)
        process = psutil.Process(one.pid)
        assert process.ppid() == os.getpid()
        assert os.getsid(one.pid) == one.pid
        assert one.poll() is None
        assert pipes(one.pid) == [0], "its own lifeline, and nobody else's"
    assert not is_subreaper()
    assert all("nursery" not in " ".join(child.cmdline()) for child in psutil.Process().children())
    for one in started:
        one.kill()
        assert one.wait(PATIENCE) == -9
        assert one.poll() == -9
        one.kill()  # which is nobody any more
        one.stdin.close()
    for agent in range(3):
        inbox(scratch.path, agent).unlink()  # which who is killed cannot do
    assert open_files() == before


@linux
def test_the_lifeline_and_signals_reach_the_one_they_are_meant_for(scratch) -> None:
    first, second = adopt([waiting(scratch.path, agent) for agent in range(2)], os.environ)
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0)
    first.stdin.close()
    assert first.wait(PATIENCE) == ExitCode.INTERRUPTED
    assert second.poll() is None
    second.terminate()
    # By its own decision, or by the kernel's if it was not listening yet.
    assert second.wait(PATIENCE) in {ExitCode.INTERRUPTED, -signal.SIGTERM}
    second.stdin.close()
    inbox(scratch.path, 1).unlink(missing_ok=True)  # which the kernel does not


@linux
def test_exit_codes_are_those_of_the_processes(capfd) -> None:
    helped, wrong, other = adopt(
        [
            HELP,
            Order(name="agent-0", package="bnpg_agents", arguments=("--no-such",)),
            Order(name="coordinator", package="bnpg_coordinator", arguments=("--help",)),
        ],
        os.environ,
    )
    assert [one.wait(PATIENCE) for one in (helped, wrong, other)] == [0, 2, 0]
    for one in (helped, wrong, other):
        one.stdin.close()
    out, err = capfd.readouterr()
    assert out == "", "standard output is the launcher's own"
    assert "bnpg-agent: error: " in err
    assert "usage: bnpg-coordinator" in err


@linux
@pytest.mark.parametrize("interpreter", ["/bin/false", "/bin/echo"])
def test_a_nursery_that_fails_leaves_nothing_open(monkeypatch, interpreter: str) -> None:
    before = open_files()
    monkeypatch.setattr(sys, "executable", interpreter)
    assert adopt([HELP], os.environ) == []
    assert open_files() == before
    assert not is_subreaper()


@linux
def test_a_kernel_that_does_not_tell_of_ends_has_them_started_one_by_one(monkeypatch) -> None:
    """Those before 5.3 do not, and a filter of system calls may not let them."""

    def unknown(_pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "pidfd_open", unknown)
    assert adopt([HELP], os.environ) == []


@linux
def test_who_has_no_descriptor_left_to_wait_with_looks_again_and_again(monkeypatch) -> None:
    (one,) = adopt([HELP], os.environ)

    def none_left(_pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", none_left)
    assert one.wait(PATIENCE) == 0
    one.stdin.close()


@linux
def test_a_nursery_that_hangs_is_given_up(monkeypatch, tmp_path) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(adoption, "NURSERY_PATIENCE", 0.1)
    monkeypatch.setattr(adoption, "FORK_PATIENCE", 0.0)
    assert adopt([HELP], os.environ) == []


@pytest.mark.parametrize(("orders", "code"), [(b"", 1), (b'[{"pack', 1), (b"[]", 0)])
def test_a_nursery_whose_launcher_was_killed_ends_without_a_word(orders: bytes, code: int) -> None:
    command = [sys.executable, "-P", "-m", "bnpg.launchers.nursery"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        assert one.stderr is not None
        one.stdout.close()
        one.stdin.write(orders)
        one.stdin.close()
        assert one.stderr.read() == b""
        assert one.wait(PATIENCE) == code


@pytest.mark.parametrize("scheme", ["unix", "ipc"])
def test_a_nursery_loads_the_transport_of_the_run_and_no_other(scheme: str) -> None:
    orders = [{"arguments": ["--connect", f"{scheme}:///nowhere"]}]
    transports = [f"bnpg_protocol.process.transport.{name}" for name in ("unix", "zeromq")]
    loaded = loaded_by(f"from bnpg.launchers.nursery import _share; _share({orders!r})", transports)
    assert loaded == [transports[scheme != "unix"]]


@linux
def test_a_nursery_that_may_not_fork_any_more_leaves_nobody_and_says_nothing(tmp_path: Path) -> None:
    """As where a user or a container may have no more processes."""
    first = [os.pipe(), os.pipe()]
    orders = [
        {"package": "bnpg_agents", "arguments": list(waiting(tmp_path, at).arguments), "stdin": first[at][0]}
        for at in range(2)
    ]
    program = (
        "import os, runpy\n"
        "fork, forked = os.fork, []\n"
        "def once():\n"
        "    if forked: raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "    forked.append(1)\n"
        "    return fork()\n"
        "os.fork = once\n"
        "runpy.run_module('bnpg.launchers.nursery', run_name='__main__')\n"
    )
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", program], input=json.dumps(orders).encode(), capture_output=True,
            pass_fds=[reading for reading, _ in first], timeout=PATIENCE, check=False,
        )  # fmt: skip
    finally:
        for pair in first:
            for end in pair:
                os.close(end)
    # Whoever held the streams is gone: otherwise this would have waited for its agent to give up.
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")


def test_that_there_may_be_no_more_processes_is_one_line(monkeypatch, tmp_path, capfd) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(local_place, "adopt", lambda *_: [])
    monkeypatch.setattr(local_place.subprocess, "Popen", refused)
    monkeypatch.chdir(tmp_path)
    code = main(["train", CASE["game"], "--rounds", "1", "--lanes", "2", "--horizon", "2", "--quiet"])
    assert code == ExitCode.STORAGE
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        "bnpg: error: no more processes: as many run as this user or container may have (ulimit -u, pids.max)"
    )


def test_an_agent_whose_launcher_is_gone_before_the_coordinator_came_says_so(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "state"), "--agent", "0", "--lifeline"]
    where = ["--connect", f"@{tmp_path}/nobody", "--inbox", f"ipc://{inbox(tmp_path, 0)}"]
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "bnpg_agents", *state, *where],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == ExitCode.INTERRUPTED
    assert 'stopped why="its launcher is gone"' in ran.stderr


@pytest.mark.parametrize("package", ["bnpg_agents", "bnpg_coordinator"])
def test_a_start_that_is_a_mistake_takes_nothing_from_whoever_is_at_work_there(
    tmp_path: Path, package: str
) -> None:
    """Here it is one without the key that an address on another machine needs."""
    at_work = Fence.raise_in(tmp_path)
    asked = {
        "bnpg_agents": ["--state", str(tmp_path), "--agent", "0", "--connect", "tcp://10.0.0.1:7000"],
        "bnpg_coordinator": ["--folder", str(tmp_path), "--listen", "tcp://10.0.0.1:7000"],
    }
    ran = subprocess.run(
        [sys.executable, "-P", "-m", package, *asked[package]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == ExitCode.USAGE
    assert "needs a key" in ran.stderr
    assert not at_work.torn
    assert list(tmp_path.iterdir()) == [at_work.path]


def test_where_there_is_no_such_thing_they_are_started_one_by_one(monkeypatch, tmp_path, play) -> None:
    asked: list[int] = []

    def nobody(orders: Sequence[Order], environment: Mapping[str, str]) -> list[Adopted]:
        asked.append(len(orders))
        return []

    monkeypatch.setattr(local_place, "adopt", nobody)
    train = ["train", CASE["game"], "--dag", "line", "--rounds", "3", "--lanes", "4", "--horizon", "3"]
    assert main([*train, "--out", str(tmp_path / "run"), "--quiet", "--save-policy"]) == 0
    assert asked == [4]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["processes"] == 4
    assert summary["policy_digest"] == play(**CASE, save_policy=True).digest
