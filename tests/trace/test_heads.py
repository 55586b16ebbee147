"""The heads of a trace speak of the processes that had ended when they were written, and of no others."""

import json
import os
from pathlib import Path

import pytest
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.recorder import TraceRecorder
from bnpg_protocol.wire.events import Begun, Started

from bnpg.trace.heads import HEADS_FILE, check_heads, write_heads
from bnpg.trace.reading import Violation, read_trace


@pytest.fixture
def agent(tmp_path: Path) -> TraceRecorder:
    """Return the recorder of an agent that goes on, beside a coordinator that has ended."""
    coordinator = TraceRecorder(tmp_path / "trace", 1)
    coordinator(Started({"run": "r", "experiment": "e", "agents": 1}))
    coordinator.close(0, "")
    agent = TraceRecorder(tmp_path / "trace", 1)
    agent(Started({"run": "r", "experiment": "e", "agent": 0, "held": {}}))
    agent.flush()
    return agent


def test_agents_started_by_hand_may_write_more(agent: TraceRecorder, tmp_path: Path) -> None:
    write_heads(tmp_path, tmp_path / "trace", Fence.raise_in(tmp_path), "coordinator.*")
    agent(Begun(0))
    agent.close(0, "")
    assert check_heads(tmp_path, read_trace(tmp_path / "trace"))


def test_a_process_that_had_ended_has_nothing_to_add(agent: TraceRecorder, tmp_path: Path) -> None:
    write_heads(tmp_path, tmp_path / "trace", Fence.raise_in(tmp_path))
    agent.close(0, "")
    with pytest.raises(Violation, match=r"agent-0.1.jsonl was cut or changed"):
        check_heads(tmp_path, read_trace(tmp_path / "trace"))


@pytest.mark.parametrize(
    "content", ["[1]", '{"agent-0.1.jsonl": 3}', '{"agent-0.1.jsonl": ["3"]}', "no", "[" * 9999]
)
def test_heads_that_are_none_are_refused(agent: TraceRecorder, tmp_path: Path, content: str) -> None:
    agent.close(0, "")
    (tmp_path / HEADS_FILE).write_text(content)
    with pytest.raises(Violation, match=r"trace-heads.json cannot be read: "):
        check_heads(tmp_path, read_trace(tmp_path / "trace"))


def test_what_is_no_file_of_a_process_has_no_head(agent: TraceRecorder, tmp_path: Path) -> None:
    agent.close(0, "")
    others = [tmp_path / "trace" / os.fsdecode(name) for name in (b"\xff.jsonl", b"agent-0.jsonl")]
    for other in others:
        other.touch()
    write_heads(tmp_path, tmp_path / "trace", Fence.raise_in(tmp_path))
    assert set(json.loads((tmp_path / HEADS_FILE).read_text())) == {"agent-0.1.jsonl", "coordinator.1.jsonl"}
    with pytest.raises(Violation, match="is no file of a trace") as caught:
        read_trace(tmp_path / "trace")
    assert caught.value.why.isprintable()
    for other in others:
        other.unlink()
    assert check_heads(tmp_path, read_trace(tmp_path / "trace"))
