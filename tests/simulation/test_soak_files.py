"""The soak looks at all that a run leaves, and a difference in any file is told."""

from pathlib import Path
from typing import Any

import pytest

from bnpg.lab.soak import files
from bnpg.lab.soak.files import broken_files
from bnpg.lab.soak.schedule import EDGES, draw_schedule


def telling() -> list[int]:
    """Numbers of schedules of small teams in which something runs out, or a life ends at one of its ends."""
    found = []
    for number in range(400):
        schedule = draw_schedule(number)
        at_an_end = any(kill.phase in (*EDGES[False], *EDGES[True]) for kill in schedule.plan.kill)
        if schedule.plan.exhaust and at_an_end and "agents=2" in schedule.experiment.game:
            found.append(number)
    return found


@pytest.mark.parametrize("which", range(3))
def test_what_is_left_on_the_disk_is_what_an_undisturbed_run_leaves(which: int) -> None:
    number = telling()[which]
    assert broken_files(draw_schedule(number)) is None, f"schedule {number}"


def test_a_file_that_differs_and_one_that_is_left_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    content = files.content

    def altered(folder: Path) -> dict[str, Any]:
        found = content(folder)
        return found | {"curves.png": b"", "left.tmp": b""} if folder.name == "struck" else found

    monkeypatch.setattr(files, "content", altered)
    schedule = draw_schedule(telling()[0])
    assert broken_files(schedule) == "these files differ: curves.png, left.tmp"
