"""An agent knows whether the run is done: only then may its theta be put aside for a new one."""

import pytest

from bnpg.lab.testing.stages import AgentStage


@pytest.mark.parametrize(
    ("last_words", "done"),
    [
        ('joined\n> coordinator: Finish reason="all rounds are done"\n', True),
        ('joined\n> coordinator: Finish reason="interrupted" code=130\n', False),
        ('joined\n> coordinator: Finish reason="the disk is full" code=7\n', False),
        ('> coordinator: Welcome\n> coordinator: Reject code="over" expected="done" got="a Hello"\n', True),
        ('> coordinator: Welcome\n> coordinator: Reject code="ended" expected="why" got="a Hello"\n', False),
        ("joined\n", False),
    ],
)
def test_it_is_done_when_the_coordinator_says_so(last_words: str, done: bool) -> None:
    stage = AgentStage()
    stage.play(f"given agent=1\n{last_words}")
    assert stage.machine.done is done  # type: ignore[union-attr]
