"""The coordinator keeps two sealed checkpoints of every agent, of bounded size, and what it was given."""

from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.effects import DropSealed, KeepSealed
from bnpg_coordinator.sealed_checkpoints import SealedCheckpoints
from bnpg_coordinator.sealed_folder import SealedFolder, read_sealed
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.errors import OrderViolation, StorageFailed
from bnpg_protocol.wire.messages import CheckpointSealed
from bnpg_protocol.wire.sealed import enclosed

from bnpg_math.errors import InputError

ROOM = 100


def said(round_: int, outside: int | None = None, inside: bytes = b"secret") -> CheckpointSealed:
    sealed = enclosed(round_ if outside is None else outside, inside)
    return CheckpointSealed(round_, np.frombuffer(sealed, dtype=np.uint8))


def test_the_two_newest_are_kept_and_returned_as_they_came() -> None:
    keeps = SealedCheckpoints(ROOM, {})
    for round_ in range(5):
        content = bytes([65 + round_])
        effects = keeps.take(1, said(round_, inside=content), max(round_ - 1, 0))
        assert effects == [KeepSealed(1, round_, enclosed(round_, content))]
    returned = keeps.returned(1, 7)
    assert (returned.agent, returned.incarnation, returned.rounds) == (1, 7, (3, 4))
    assert returned.sealed.tobytes() == enclosed(3, b"D") + enclosed(4, b"E")
    assert returned.sizes == (17, 17)
    assert keeps.returned(0, 0).rounds == ()


def test_who_asks_again_is_answered_from_the_same_memory_until_something_else_is_kept() -> None:
    keeps = SealedCheckpoints(ROOM, {0: {4: enclosed(4, b"other")}, 1: {4: enclosed(4, b"secret")}})
    first = keeps.returned(1, 7)
    assert keeps.returned(1, 7).sealed is first.sealed
    assert keeps.returned(1, 8).incarnation == 8
    assert keeps.returned(0, 8).sealed.tobytes() == enclosed(4, b"other")
    before = keeps.returned(1, 8)
    keeps.take(1, said(5), 4)
    assert keeps.returned(1, 8).rounds == (*before.rounds, 5)
    keeps.rewind(3)
    assert keeps.returned(1, 8).rounds == (4,)


def test_what_is_kept_already_is_not_written_again() -> None:
    keeps = SealedCheckpoints(ROOM, {1: {4: enclosed(4, b"secret")}})
    assert keeps.take(1, said(4), 4) == []


@pytest.mark.parametrize(
    ("largest", "message", "why"),
    [
        (0, said(4), "none are kept here: expected --keep-sealed"),
        (ROOM, said(4, inside=bytes(ROOM)), "has 116 bytes, expected 100 at most"),
        (ROOM, said(4, outside=5), "of round 5 as that of round 4"),
        (ROOM, said(6), "of round 6 as that of round 6, in round 4"),
        (ROOM, CheckpointSealed(4, np.zeros(40, dtype=np.uint8)), "no sealed checkpoint"),
    ],
)
def test_what_cannot_be_a_sealed_checkpoint_of_now_is_an_error_of_its_sender(
    largest: int, message: CheckpointSealed, why: str
) -> None:
    keeps = SealedCheckpoints(largest, {})
    with pytest.raises(OrderViolation, match=why):
        keeps.take(1, message, 4)
    assert keeps.returned(1, 0).rounds == ()


def test_what_lies_beyond_where_the_run_goes_on_is_dropped() -> None:
    keeps = SealedCheckpoints(ROOM, {1: {6: enclosed(6, b"a"), 7: enclosed(7, b"b")}})
    assert keeps.rewind(6) == []
    assert keeps.rewind(5) == [DropSealed(1, 7)]
    assert keeps.returned(1, 0).rounds == (6,)


def test_a_folder_holds_two_files_an_agent_and_gives_back_what_was_written(tmp_path: Path) -> None:
    folder = SealedFolder(tmp_path, True, Fence.raise_in(tmp_path))
    for round_ in range(6):
        folder.write(3, round_, enclosed(round_, bytes([65 + round_])))
    assert sorted(file.name for file in folder.path.iterdir()) == ["agent-3.0", "agent-3.1"]
    assert read_sealed(tmp_path, ROOM) == {3: {4: enclosed(4, b"E"), 5: enclosed(5, b"F")}}
    folder.drop(3, 5)
    folder.drop(3, 5)
    assert read_sealed(tmp_path, ROOM) == {3: {4: enclosed(4, b"E")}}
    assert read_sealed(tmp_path, 0) == {}
    assert read_sealed(tmp_path / "elsewhere", ROOM) == {}


def test_an_earlier_life_does_not_bring_back_a_run_folder_that_was_moved(tmp_path: Path) -> None:
    run = tmp_path / "x"
    run.mkdir()
    folder = SealedFolder(run, True, Fence.raise_in(run))
    folder.write(3, 0, enclosed(0, b"A"))
    run.rename(tmp_path / "y")
    with pytest.raises(StorageFailed, match="cannot make"):
        folder.write(3, 1, enclosed(1, b"B"))
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("agent-1.0", b"nonsense", "no sealed checkpoint"),
        ("agent-1.0", b"", "no sealed checkpoint"),
        ("agent-1.0", enclosed(5, b"x"), "of an even round, got round 5"),
        ("agent-1.1", enclosed(5, bytes(ROOM)), "too large"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed" / name).write_bytes(content)
    with pytest.raises(InputError, match=why) as refused:
        read_sealed(tmp_path, ROOM)
    assert str(tmp_path / "sealed" / name) in str(refused.value)
    assert "without" in str(refused.value)
