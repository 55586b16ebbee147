"""Steps of a trace: the slowest are never left out, waiting adds up, a broken trace is said and not drawn."""

import shutil
from pathlib import Path

import msgspec
import pytest
from bnpg_protocol.process.trace_line import ActLine, ReceiveLine, SendLine, StartLine, TraceLine

from bnpg.report.events import observed_events
from bnpg.report.messages import MOST_STEPS, message_view, read_lives
from bnpg.trace.reading import Life, TraceEvent


def life(process: str, lines: list[TraceLine], number: int = 1) -> Life:
    numbered = [msgspec.structs.replace(line, number=k) for k, line in enumerate(lines)]
    return Life(process, number, tuple(TraceEvent(process, number, line) for line in numbered), "")


def send(t: float, peer: str, seq: int, r: int, s: int | None, kind: str) -> SendLine:
    return SendLine(0, t, 0, 1, 1, peer, seq, kind, r, s, "0" * 8)


def receive(t: float, peer: str, seq: int, r: int, s: int | None, kind: str) -> ReceiveLine:
    return ReceiveLine(0, t, 0, 1, 1, peer, seq, kind, r, s, "0" * 8, 0)


def start(t: float) -> StartLine:
    return StartLine(0, t, 0, 1, "agent-0", 1, "run", "experiment")


def pair(steps: int, slow: int) -> list[Life]:
    """A coordinator and an agent; step `slow` takes ten times as long."""
    coordinator, agent = [], []
    for step in range(steps):
        t, took = float(step), 0.1 if step == slow else 0.01
        coordinator.append(send(t, "agent-0", step, 0, step, "StatesAnnounced"))
        agent.append(receive(t + 0.3 * took, "coordinator", step, 0, step, "StatesAnnounced"))
        agent.append(ActLine(0, t + 0.4 * took, 0, 1, 1, 0, step, "0" * 8))
        agent.append(send(t + 0.5 * took, "coordinator", step, 0, step, "ActionsChosen"))
        coordinator.append(receive(t + took, "agent-0", step, 0, step, "ActionsChosen"))
    return [life("coordinator", coordinator), life("agent-0", agent)]


def test_the_slowest_step_is_shown_first_and_never_left_out() -> None:
    view = message_view(pair(500, slow=333), "")
    assert view.recorded == 500
    assert len(view.steps) <= MOST_STEPS
    assert view.chosen == "0.333"
    keys = [one.key for one in view.steps]
    assert {"0.0", "0.333", "0.499"} <= set(keys)
    assert keys == sorted(keys, key=lambda key: int(key.split(".")[1]))


def test_waiting_and_working_fill_the_time_and_say_for_whom() -> None:
    (step,) = message_view(pair(1, slow=0), "").steps
    coordinator, agent = step.lanes
    assert [(span.kind, span.words) for span in coordinator.spans] == [
        ("work", "sends, 0 s"),
        ("wait", "waits for agent-0, 100 ms"),
    ]
    assert [(span.kind, round(span.left), round(span.width)) for span in agent.spans] == [
        ("wait", 0, 30),
        ("work", 30, 10),
        ("work", 40, 10),
    ]
    assert step.path == "coordinator → agent-0 → coordinator"
    assert all(hop.critical for hop in step.hops)


def test_a_round_without_steps_is_drawn_as_one() -> None:
    coordinator = [send(0.0, "agent-0", 1, 3, None, "FlowBroadcast")]
    agent = [receive(0.2, "coordinator", 1, 3, None, "FlowBroadcast")]
    view = message_view([life("coordinator", coordinator), life("agent-0", agent)], "")
    assert [one.title for one in view.steps] == ["round 3"]


def test_nothing_recorded_is_one_sentence(exact_run: Path) -> None:
    lives, missing = read_lives(exact_run)
    assert lives == []
    assert message_view(lives, missing).missing == (
        "No message was recorded: train with --trace to see who waited for whom."
    )


def test_a_tampered_trace_is_not_drawn(sampled_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(sampled_run, folder)
    file = folder / "trace" / "agent-0.1.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:5] + lines[6:]))
    lives, missing = read_lives(folder)
    assert lives == []
    assert missing.startswith("The trace cannot be shown: agent-0.1.jsonl:6 ")


def test_a_recorded_run_has_every_step(sampled_run: Path) -> None:
    lives, missing = read_lives(sampled_run)
    view = message_view(lives, missing)
    assert missing == ""
    assert view.recorded == 6 * 3
    assert all(len(one.lanes) == 3 for one in view.steps)
    assert all("<style>" not in one.svg for one in view.steps)


def test_deaths_and_returns_are_seen_in_the_trace(sampled_run: Path) -> None:
    what = [one.what for one in observed_events(read_lives(sampled_run)[0])]
    assert "agent-1 died in life 1" in what
    assert "agent-1 came back for life 2" in what


@pytest.mark.parametrize("life_number", [1, 2])
def test_a_life_that_was_never_followed_is_no_death(life_number: int) -> None:
    lives = [
        life("coordinator", [start(0.0)]),
        life("agent-0", [start(1.0)], life_number),
    ]
    assert all(one.style == "return" for one in observed_events(lives))
