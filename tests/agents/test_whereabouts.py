"""An agent follows the coordinator to wherever the file says it is."""

from pathlib import Path

import pytest
from bnpg_agents import whereabouts
from bnpg_agents.whereabouts import LOOK_EVERY, Whereabouts
from bnpg_protocol.process.awake import Awake


def never() -> bool:
    return False


def test_an_endpoint_never_moves() -> None:
    there = Whereabouts("tcp://10.0.0.1:7000", 1.0)
    assert there.wait(never) == "tcp://10.0.0.1:7000"
    assert there.moved(100.0) is None


def test_a_file_is_read_again_and_only_a_change_is_told(tmp_path: Path) -> None:
    file = tmp_path / "endpoint"
    file.write_text("tcp://10.0.0.1:7000\n")
    there = Whereabouts(f"@{file}", 1.0)
    assert there.wait(never) == "tcp://10.0.0.1:7000"
    assert there.moved(0.0) is None
    file.write_text("tcp://10.0.0.2:7001\n")
    assert there.moved(LOOK_EVERY / 2) is None, "not at every turn"
    assert there.moved(LOOK_EVERY) == "tcp://10.0.0.2:7001"
    file.unlink()
    assert there.moved(3 * LOOK_EVERY) is None
    assert there.endpoint == "tcp://10.0.0.2:7001"


def test_who_waits_for_the_file_can_be_given_up(tmp_path: Path) -> None:
    assert Whereabouts(f"@{tmp_path / 'none'}", 1000.0).wait(lambda: True) is None
    assert Whereabouts(f"@{tmp_path / 'none'}", 0.0).wait(never) is None


def test_hours_in_which_everybody_was_stopped_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, looks = tmp_path / "endpoint", 0

    def hours() -> float:
        nonlocal looks
        looks += 1
        if looks == 20:
            file.write_text("tcp://10.0.0.1:7000\n")
        return 3600.0 * looks

    monkeypatch.setattr(whereabouts, "Awake", lambda: Awake(hours))
    assert Whereabouts(f"@{file}", 60.0).wait(never) == "tcp://10.0.0.1:7000"
