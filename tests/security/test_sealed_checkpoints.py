"""Real processes: what agents seal the coordinator keeps and cannot read, and it brings back lost folders."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from bnpg_agents.checkpoint import load_snapshots
from bnpg_agents.sealing import Seal
from bnpg_agents.snapshot import of_table
from bnpg_coordinator.sealed_folder import read_sealed
from bnpg_protocol.process.security.seal_key import read_seal_key, write_seal_key
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import CheckpointsRequested, CheckpointsReturned, Hello
from bnpg_protocol.wire.sealed import LARGEST

from bnpg.lab.proof.check import check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.lab.testing.run import Run
from bnpg.trace.reading import read_trace

CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 60,
    "lanes": 4,
    "horizon": 3,
    "initial": "normal",
}
AGENTS = ("agent-0", "agent-1", "agent-2")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "team.seal"
    write_seal_key(file)
    return file


@pytest.fixture
def sealing(start_run, key):
    def start(transport: str = "tcp", **case: Any) -> Run:
        return start_run(**CASE | case, settings={"transport": transport, "fsync": False, "seal": str(key)})

    return start


def lose(run: Run, name: str, lost: Path) -> None:
    """Take a folder away from under its agent: whatever it still writes is not found again."""
    shutil.move(run.folder / "agents" / name, lost / f"{name}-{len(list(lost.iterdir()))}")


def test_an_agent_that_dies_with_its_disk_goes_on_with_the_same_bits(sealing, play, tmp_path) -> None:
    lost = tmp_path / "lost"
    lost.mkdir()
    run = sealing(trace=True)
    for name, round_ in (("agent-0", 5), ("agent-2", 15), ("agent-2", 30)):
        run.until_round(round_)
        lose(run, name, lost)
        run.kill(name)
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**CASE)
    assert (run.digest, run.lines) == (expected.digest, expected.lines)
    proof = check_trace(read_trace(run.trace_folder), done=True)
    check_reference(run.folder, proof)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_run_is_resumed_when_all_disks_of_agents_are_lost(sealing, play, tmp_path, transport) -> None:
    lost = tmp_path / "lost"
    lost.mkdir()
    run = sealing(transport)
    run.until_round(20)
    run.kill_everything()
    for name in AGENTS:
        lose(run, name, lost)
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**CASE)
    assert (run.digest, run.lines) == (expected.digest, expected.lines)


def test_the_coordinator_has_neither_a_theta_nor_the_key(sealing, key, tmp_path) -> None:
    run = sealing(trace=True)
    run.until_round(10)
    words = run.process("coordinator").cmdline()
    files = {Path(one.path) for one in run.process("coordinator").open_files()}
    assert run.wait() == ExitCode.DONE, run.log
    assert not any("seal" in word and "keep" not in word for word in words), "not even where the key is"
    assert key not in files
    thetas = [
        number.tobytes()
        for name in AGENTS
        for held in load_snapshots(run.folder / "agents" / name).values()
        for number in held.table.ravel()
    ]
    secret = read_seal_key(key)
    seen = [file for file in run.folder.rglob("*") if file.is_file() and "agents" not in file.parts]
    assert {file.name for file in seen} > {"agent-0.0", "agent-0.1", "metrics.jsonl", "status.json"}
    for file in seen:
        content = file.read_bytes()
        assert not any(theta in content for theta in thetas), file
        assert secret not in content, file
    for agent, kept in read_sealed(run.folder, LARGEST).items():
        assert sorted(kept) == [59, 60]
        identity = run.folder.joinpath("run.json").read_text().split('"run": "')[1][:32]
        for round_, sealed in kept.items():
            opened = Seal(secret).unseal(identity, agent, sealed)
            held = load_snapshots(run.folder / "agents" / AGENTS[agent])[round_]
            assert opened[1].table.tobytes() == held.table.tobytes()


def changed(content: bytes) -> bytes:
    """Return the same with another last byte."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda of: of(1, 0).write_bytes(changed(of(1, 0).read_bytes())), "does not open"),
        (lambda of: [shutil.copy(of(0, parity), of(1, parity)) for parity in (0, 1)], "does not open"),
        (lambda of: [of(1, parity).unlink() for parity in (0, 1)], "got none: an old one"),
    ],
    ids=["changed", "of another agent", "gone"],
)
def test_what_was_changed_swapped_or_taken_away_meanwhile_is_refused(sealing, tmp_path, wrong, why) -> None:
    lost = tmp_path / "lost"
    lost.mkdir()
    run = sealing("ipc")
    run.until_round(20)
    run.kill_everything()
    lose(run, "agent-1", lost)
    wrong(lambda agent, parity: run.folder / "sealed" / f"agent-{agent}.{parity}")
    run.start()
    assert run.wait() == ExitCode.PROTOCOL
    [line] = [one for one in run.log.splitlines() if "stopped" in one and "agent 1: " in one]
    assert why in line
    assert "Traceback" not in run.log


def test_an_older_one_that_was_put_back_is_refused(sealing, tmp_path) -> None:
    lost, old = tmp_path / "lost", tmp_path / "old"
    lost.mkdir()
    run = sealing("ipc")
    run.until_round(5)
    shutil.copytree(run.folder / "sealed", old)
    run.until_round(20)
    run.kill_everything()
    lose(run, "agent-1", lost)
    shutil.rmtree(run.folder / "sealed")
    shutil.copytree(old, run.folder / "sealed")
    run.start()
    assert run.wait() == ExitCode.PROTOCOL
    assert "or later, got round" in run.log
    assert "an old one" in run.log


def test_without_the_copies_it_begins_again_if_asked_to(sealing, play, tmp_path) -> None:
    """As the page on sealed checkpoints says: what cannot be opened is removed, and the run goes on."""
    run = sealing("unix")
    run.until_round(20)
    run.kill_everything()
    shutil.rmtree(run.folder / "agents")
    shutil.rmtree(run.folder / "sealed")
    run.start()
    assert run.wait() == ExitCode.PROTOCOL
    assert "got none: an old one" in run.log
    run.settings = msgspec.structs.replace(run.settings, on_lost_state="restart")
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**CASE)
    assert (run.digest, run.lines) == (expected.digest, expected.lines)


async def test_an_agent_started_by_hand_takes_nothing_from_another_run_or_moment(
    fake_coordinator, start_agent, key
) -> None:
    seal = Seal(read_seal_key(key))

    def back(run: str, round_: int) -> CheckpointsReturned:
        sealed = seal.seal(run, 1, ("experiment-digest", 2), round_, of_table(np.ones((4, 2))))
        whole = np.frombuffer(sealed, dtype=np.uint8)
        return CheckpointsReturned(1, 0, (round_,), (len(sealed),), whole)

    options = ("--seal", str(key), "--sealed-from", "8")
    for run, round_, why in (("another-run", 9, "does not open"), ("test-run", 7, "an old one")):
        agent = start_agent(fake_coordinator.endpoint, 1, options=options)
        channel = await fake_coordinator.channel(1)
        assert await channel.expect(CheckpointsRequested) == CheckpointsRequested(1)
        await channel.send(back(run, round_))
        assert await agent.ended() == ExitCode.PROTOCOL, agent.log
        assert why in agent.log
        del fake_coordinator.channels[1]


async def test_an_agent_without_a_folder_greets_with_what_came_back_as_a_later_life(
    fake_coordinator, start_agent, key, tmp_path
) -> None:
    seal = Seal(read_seal_key(key))
    sealed = seal.seal("test-run", 1, ("experiment-digest", 2), 8, of_table(np.ones((4, 2))))
    start_agent(fake_coordinator.endpoint, 1, options=("--seal", str(key)))
    channel = await fake_coordinator.channel(1)
    await channel.expect(CheckpointsRequested)
    whole = np.frombuffer(sealed, dtype=np.uint8)
    await channel.send(CheckpointsReturned(1, 4, (8,), (len(sealed),), whole))
    hello = await channel.expect(Hello)
    assert (hello.held, hello.experiment) == ((8,), "experiment-digest")
    greeting = next(one for one in channel.arrivals if isinstance(one.message, Hello))
    assert greeting.incarnation == 5


def test_an_agent_that_is_nobody_yet_cannot_seal(start_agent, key) -> None:
    agent = start_agent("ipc:///nowhere", -2, options=("--seal", str(key)))
    assert agent.wait() == ExitCode.USAGE
    assert "--seal needs --agent" in agent.log
