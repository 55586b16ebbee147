"""A run whose processes are killed again and again holds no more than before."""

from pathlib import Path
from typing import Any

import pytest

from bnpg.lab.testing.leaks import kill_again_and_again


@pytest.mark.parametrize("transport", ["ipc", "tcp", "unix"])
def test_many_kills_leave_no_descriptor_socket_file_memory_or_process(
    transport: str, scratch: Any, tmp_path: Path
) -> None:
    """`make leaks` does it a thousand times."""
    kills, before, after, wrong = kill_again_and_again(tmp_path / "run", scratch, 7, transport)
    assert (kills, wrong) == (7, [])
    assert {what: after[what] for what in after if after[what] > before[what]} == {}
