"""Of a run with a relay too, the trace alone shows that nobody acted on anything but what was chosen."""

from collections.abc import Callable

import pytest

from bnpg.lab.testing.liars import Lie, lying
from bnpg.report.messages import sequence_html
from bnpg.trace.reading import Violation, read_trace
from bnpg.trace.sequence import sequence, sequence_svg, sequence_text
from tests.trace.conftest import KILLS, Lines, Record, Recorded

RELAY = ("--dag", "complete", "--relay", "on")
Files = dict[str, Lines]


@pytest.mark.parametrize(
    ("options", "plan", "launcher"),
    [
        ((), "", "memory"),
        ((), KILLS, "memory"),
        (("--lanes", "9", "--parts", "2", "--horizon", "geometric"), KILLS, "memory"),
        (("--mode", "exact"), "", "memory"),
        ((), KILLS, "local"),
    ],
)
def test_what_happened_is_accepted(
    record: Record, options: tuple[str, ...], plan: str, launcher: str
) -> None:
    proof = record(*RELAY, *options, plan=plan, launcher=launcher).check(reference=True)
    assert (proof.rounds, proof.updates) == (5, 15)


@pytest.fixture
def relayed(record: Record) -> Recorded:
    return record(*RELAY)


def act(files: Files, agent: int, **wanted: int) -> dict[str, object]:
    """Return the line of an agent's first act of a round and turn."""
    lines = files[f"agent-{agent}.1.jsonl"]
    return next(line for line in lines if line["k"] == "act" and wanted.items() <= line.items())


def act_on_another_row(files: Files) -> None:
    act(files, 2, r=1, s=1)["rows"]["0"] = "00000000"  # type: ignore[index]


def act_on_another_row_of_the_sender(files: Files) -> None:
    act(files, 2, r=1, s=1)["rows"]["1"] = "00000000"  # type: ignore[index]


def act_without_a_parent(files: Files) -> None:
    del act(files, 2, r=1, s=1)["rows"]["0"]  # type: ignore[attr-defined]


def everybody_agrees_on_another_row(files: Files) -> None:
    for agent in range(3):
        act(files, agent, r=1, s=1)["rows"]["0"] = "00000000"  # type: ignore[index]


def forget_the_relay(files: Files) -> None:
    del files["coordinator.1.jsonl"][0]["relay"]


@pytest.mark.parametrize(
    ("tamper", "violation"),
    [
        (
            act_on_another_row,
            r"agent-2 acts at round 1, turn 1 on actions of agent-0 .*; agent-1 handed them",
        ),
        (act_on_another_row_of_the_sender, r"agent-2 acts at round 1, turn 1 on actions of agent-1 that it"),
        (act_without_a_parent, r"agent-2 acts on actions of \[1, 2\], expected \[0, 1, 2\]"),
        (everybody_agrees_on_another_row, r"ActionsChosen|ActionsAttested of agent-0, round 1, turn 1 acts"),
        (forget_the_relay, r"enters an epoch with other neighbours than the DAG gives it"),
    ],
)
def test_a_forged_trace_is_refused_for_what_it_says(
    relayed: Recorded, tamper: Callable[[Files], None], violation: str
) -> None:
    files = relayed.files()
    tamper(files)
    relayed.forge(files)
    with pytest.raises(Violation, match=violation):
        relayed.check(reference=True)


def test_the_trace_of_a_run_that_a_lie_has_ended_names_who_handed_it_on(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    with lying(Lie(agent=1, to=2, of=0)), pytest.raises(AssertionError, match="6 == 0"):
        record(*RELAY)
    assert "agent 1 or agent 2 lies" in capsys.readouterr().err


def test_a_relay_is_drawn(relayed: Recorded) -> None:
    lives = read_trace(relayed.folder / "trace")
    drawn = sequence(lives, 0, 0)
    assert "ActionsRelayed" in sequence_text(drawn)
    assert ">relayed<" in sequence_svg(drawn)
    assert "ActionsAttested" in sequence_html(drawn)
