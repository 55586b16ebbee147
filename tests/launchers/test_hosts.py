"""Agents on several hosts: whatever happens to a host, the result is the one of the memory launcher."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from bnpg_coordinator.line import Line
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.security.keys import read_key_file
from bnpg_protocol.process.security.seal_key import read_seal_key, write_seal_key
from bnpg_protocol.process.transport.curve import new_key_pair
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.scratch import kill_all, title
from bnpg.launchers import network
from bnpg.launchers.host import Host
from bnpg.launchers.hosts import CommandPlace
from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.network import ENDPOINT_FILE, launch_on
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import FAULTS_FILE, create_run_folder, read_faults
from bnpg.run_folder import RunFolder

CASE: dict[str, Any] = {
    "game": "coordination(agents=4)",
    "dag": "line",
    "rounds": 30,
    "lanes": 4,
    "horizon": 3,
    "learning-rate": 0.5,
}
HOST = [sys.executable, "-P", "-m", "bnpg.launchers.host"]


def processes(what: str) -> list[psutil.Process]:
    """Return the children of this process, and theirs, that are called so."""
    return [one for one in psutil.Process().children(recursive=True) if what in title(one)]


def agents_on(host: psutil.Process) -> list[psutil.Process]:
    return [one for one in host.children(recursive=True) if "bnpg-agent" in title(one)]


@pytest.fixture
def run_on_hosts(tmp_path: Path) -> Callable[..., Any]:
    def run(
        at: int = -1,
        strike: Callable[[RunFolder], None] = lambda _run: None,
        trace: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        """Run on three hosts, and strike as soon as a round is recorded; return the summary.

        The next round takes a second, so that no machine is too fast for what a test does meanwhile.
        """
        faults = None
        if at >= 0:
            plan = tmp_path / "plan.toml"
            moment = f'process = "coordinator"\nphase = "recorded"\nround = {at + 1}\n'
            plan.write_text(f"[[pause]]\n{moment}seconds = 1.0\n")
            faults, settings["faults"] = read_faults(plan), FAULTS_FILE
        chosen = LaunchSettings(fsync=False, advertise="127.0.0.1", **settings)
        asked = plan_experiment(CASE | {"trace": trace}, Path())
        folder = create_run_folder(asked, chosen, tmp_path / "run", faults)
        struck, before = [], set(psutil.Process().children(recursive=True))

        def on_line(line: Line) -> None:
            if line.round >= at >= 0 and not struck:
                struck.append(True)
                strike(folder)

        def launch(*given: Any) -> Any:
            commands = dict.fromkeys(("a", "b", "c"), HOST)
            return launch_on(lambda public: CommandPlace(commands, public), *given)

        ended = execute(folder, chosen, launch, on_line, curves=False)
        assert bool(struck) == (at >= 0)
        left = set(psutil.Process().children(recursive=True)) - before
        assert not left, "nobody of this run is left"
        with Host():
            pass  # the next one on a machine clears up after one that was killed
        assert not list(Path(tempfile.gettempdir()).glob("bnpg-host-*")), "no key is left"
        return {"code": ended.outcome.code, "why": ended.outcome.why} | ended.summary

    return run


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = LaunchSettings(launcher="memory", fsync=False)
    folder = tmp_path_factory.mktemp("memory") / "run"
    run = create_run_folder(plan_experiment(CASE, Path()), settings, folder)
    from bnpg.launchers.memory import launch

    return str(execute(run, settings, launch, lambda _line: None, curves=False).summary["policy_digest"])


def test_the_result_is_that_of_the_memory_launcher(run_on_hosts, digest: str) -> None:
    ended = run_on_hosts()
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)
    assert ended["processes"] == 5


def test_an_agent_that_is_killed_is_started_again(run_on_hosts, digest: str) -> None:
    ended = run_on_hosts(5, lambda _run: processes("bnpg-agent-2")[0].kill())
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)


def test_a_host_that_is_lost_is_done_without(run_on_hosts, digest: str) -> None:
    def strike(_run: RunFolder) -> None:
        host = next(one for one in processes("bnpg.launchers.host") if agents_on(one))
        kill_all([host, *agents_on(host)])

    ended = run_on_hosts(5, strike)
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)


def test_a_silent_host_is_done_without(run_on_hosts, digest: str) -> None:
    stopped: list[psutil.Process] = []

    def strike(_run: RunFolder) -> None:
        """Stop a host and all on it, as a pulled cable does for everybody else."""
        host = next(one for one in processes("bnpg.launchers.host") if agents_on(one))
        stopped.extend([*agents_on(host), host])
        for one in stopped:
            one.suspend()

    try:
        ended = run_on_hosts(5, strike, replace_after=2.0)
    finally:
        for one in stopped:
            if one.is_running():
                one.send_signal(signal.SIGCONT)
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)


def lose_state(run: RunFolder) -> None:
    """Kill an agent, and lose its folder before it is started again."""
    [agent] = processes("bnpg-agent-1")
    agent.kill()
    agent.wait(20)
    shutil.rmtree(run.agent(1))


def test_a_lost_state_folder_is_named(run_on_hosts) -> None:
    ended = run_on_hosts(5, lose_state)
    assert ended["code"] == ExitCode.PROTOCOL
    assert "an agent's state folder was lost" in ended["why"]


def test_on_request_the_run_begins_again_to_the_same_result(run_on_hosts, digest: str) -> None:
    ended = run_on_hosts(5, lose_state, on_lost_state="restart")
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)
    rounds = [line.round for line in RunFolder(Path(ended["run_dir"])).lines]
    assert rounds == list(range(CASE["rounds"] + 1))


def test_private_keys_stay_on_their_hosts(
    run_on_hosts, digest: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = new_key_pair()
    monkeypatch.setattr(network, "new_key_pair", lambda: own)
    secrets = [own.secret]
    told: list[bytes] = []

    def look(_run: RunFolder) -> None:
        for file in Path(tempfile.gettempdir()).rglob("*.key"):
            assert file.stat().st_mode & 0o077 == 0
            assert file.parent.stat().st_mode & 0o077 == 0
            secrets.append(read_key_file(file).secret)
        for one in psutil.Process().children(recursive=True):
            told.extend(Path(f"/proc/{one.pid}/{what}").read_bytes() for what in ("cmdline", "environ"))

    ended = run_on_hosts(5, look)
    assert ended["policy_digest"] == digest
    assert len(secrets) == 5, "the coordinator's and those of four agents"
    told += [one.read_bytes() for one in Path(ended["run_dir"]).rglob("*") if one.is_file()]
    told += [text.encode() for text in capfd.readouterr()]
    assert not [secret for secret in secrets if any(secret.encode() in text for text in told)]


def test_a_folder_that_is_lost_loses_nothing_where_checkpoints_are_sealed(
    run_on_hosts, digest: str, tmp_path: Path
) -> None:
    key = tmp_path / "team.seal"
    write_seal_key(key)
    ended = run_on_hosts(5, lose_state, seal=str(key))
    assert (ended["code"], ended["policy_digest"]) == (ExitCode.DONE, digest)
    content = read_seal_key(key)
    assert not any(content in one.read_bytes() for one in Path(ended["run_dir"]).rglob("*") if one.is_file())


def test_what_happened_on_other_hosts_is_in_the_run_folder(
    run_on_hosts, digest: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def strike(run: RunFolder) -> None:
        processes("bnpg-agent-2")[0].kill()
        assert main(["status", str(run.path), "--json"]) == 0

    ended = run_on_hosts(5, strike, trace=True)
    assert ended["policy_digest"] == digest
    folder = Path(ended["run_dir"])
    assert '"agents"' in capfd.readouterr().out
    logs = {file.stem: file.read_text() for file in (folder / "logs").iterdir()}
    assert set(logs) == {"coordinator", *(f"agent-{agent}" for agent in range(4))}
    assert logs["agent-2"].count("welcomed") > logs["agent-1"].count("welcomed") == 1, "of both its lives"
    assert "all rounds are done" in logs["agent-3"]
    assert main(["trace", "check", str(folder)]) == 0
    assert "5 processes, 6 lives" in capfd.readouterr().out
    assert main(["report", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    assert "agent-2" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_has_lost_the_run_folder_leaves_the_address_of_its_next_coordinator(
    tmp_path: Path, when: str
) -> None:
    settings = LaunchSettings(fsync=False, advertise="127.0.0.1")
    run = create_run_folder(plan_experiment(CASE, Path()), settings, tmp_path / "run")
    address = run.path / ENDPOINT_FILE
    fence = Fence.raise_in(run.path)

    def taken_over(_public: str) -> LocalPlace:
        Fence.raise_in(run.path)
        address.write_text("tcp://127.0.0.1:7000")
        return LocalPlace()

    if when == "before":
        taken_over("")
    with pytest.raises(StorageFailed, match="somebody else has taken the folder over"):
        launch_on(taken_over, run, settings, fence, lambda _line: None)
    assert address.read_text() == "tcp://127.0.0.1:7000"
