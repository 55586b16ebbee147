"""The traces of real processes agree with each other, whatever was killed in between."""

from collections.abc import Callable

import psutil
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.proof.check import Proof, check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.lab.testing.run import Run
from bnpg.trace.reading import Violation, read_trace

CASE = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 60,
    "lanes": 8,
    "horizon": 3,
    "evaluate_every": 20,
    "save_policy": True,
    "trace": True,
}
SETTINGS = {"fsync": False}
NEWLINE = b"\n"
StartRun = Callable[..., Run]


def proof_of(run: Run, done: bool = True) -> Proof:
    proof = check_trace(read_trace(run.trace_folder), done)
    check_reference(run.folder, proof)
    return proof


@pytest.mark.parametrize("transport", ["ipc", "tcp", "unix"])
def test_killed_agents_and_a_killed_coordinator(transport: str, start_run: StartRun) -> None:
    run = start_run(**CASE, settings=SETTINGS | {"transport": transport})
    for victim, round_ in [("agent-2", 8), ("coordinator", 20), ("agent-0", 32)]:
        run.until_round(round_)
        run.kill(victim)
    assert run.wait() == ExitCode.DONE, run.log
    proof = proof_of(run)
    assert (proof.state, proof.lives, proof.updates) == ("done", 7, 180)


def test_everything_killed_at_once_and_resumed(start_run: StartRun) -> None:
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(30)
    run.kill_everything()
    assert proof_of(run, done=False).state == "interrupted"
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    proof = proof_of(run)
    assert (proof.state, proof.lives, proof.updates) == ("done", 8, 180)


def test_an_interrupted_run_is_in_order_as_far_as_it_went(start_run: StartRun) -> None:
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(20)
    run.interrupt()
    assert run.wait() == ExitCode.INTERRUPTED
    proof = proof_of(run, done=False)
    assert proof.state == "interrupted"
    assert proof.rounds >= 20
    with pytest.raises(Violation, match="the run is done, but the trace of its coordinator"):
        check_trace(read_trace(run.trace_folder), done=True)


def test_a_last_word_is_missed_where_no_disk_was_full(start_run: StartRun) -> None:
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(5)
    run.interrupt()
    assert run.wait() == ExitCode.INTERRUPTED
    file = run.trace_folder / "agent-0.1.jsonl"
    *lines, farewell, end, nothing = file.read_bytes().split(NEWLINE)
    assert b'"Farewell"' in farewell
    assert b'"k":"end"' in end
    file.write_bytes(NEWLINE.join([*lines, nothing]))
    with pytest.raises(Violation, match="coordinator received what agent-0 never sent"):
        proof_of(run, done=False)


def test_what_a_killed_process_told_others_is_in_its_file(start_run: StartRun) -> None:
    """Half a line at the end of a killed process is no violation; the loss of what its peers have seen is."""
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(20)
    run.kill("agent-0")
    assert run.wait() == ExitCode.DONE, run.log
    file = run.trace_folder / "agent-0.1.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"n":99')
    proof_of(run)
    lines = whole.splitlines(keepends=True)
    sends = [
        place for place, line in enumerate(lines) if b'"k":"send"' in line and b'"peer":"agent-2"' in line
    ]
    file.write_bytes(b"".join(lines[: sends[-2]]))
    with pytest.raises(Violation, match="received what agent-0 never sent"):
        proof_of(run)


@pytest.mark.parametrize("victim", ["agent-0", "coordinator"])
def test_a_trace_that_breaks_off_at_a_full_disk_says_where_and_goes_on(
    victim: str, start_run: StartRun
) -> None:
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(15)
    file = run.trace_folder / f"{victim}.1.jsonl"
    most = file.stat().st_size + 2000
    run.process(victim).rlimit(psutil.RLIMIT_FSIZE, (most, most))
    assert run.wait() == ExitCode.STORAGE, run.log
    assert f"cannot write {file}" in run.summary["why"]
    broken = proof_of(run, done=False)
    assert broken.state in ("failed", "interrupted")
    [place] = broken.broken_off
    assert place == f"{victim}.1.jsonl:{file.read_bytes().count(NEWLINE)}"
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    proof = proof_of(run)
    assert (proof.state, proof.lives, proof.updates) == ("done", 8, 180)
    assert proof.broken_off == (place,)
