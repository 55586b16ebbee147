"""Slots: whatever is torn or killed, the rounds that somebody may still ask for are there, bit for bit."""

import os
from pathlib import Path

import pytest
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.slots import SLOTS, SlotFile, read_slots
from bnpg_protocol.wire.errors import StorageFailed
from hypothesis import given
from hypothesis import strategies as st

CONTENT = {round_: os.urandom(50 + round_) for round_ in range(40)}


def begun(path: Path, *kept: int) -> SlotFile:
    fence = Fence.raise_in(path)
    return SlotFile(path / "slots", [(round_, CONTENT[round_]) for round_ in kept], False, fence)


def holds(path: Path) -> list[int]:
    found = read_slots(path / "slots")
    assert all(CONTENT[round_] == content for round_, content in found.items())
    return list(found)


def test_the_oldest_round_is_written_over(tmp_path: Path) -> None:
    with begun(tmp_path, 3) as slots:
        for round_ in range(4, 9):
            slots.write(round_, CONTENT[round_])
            assert holds(tmp_path) == list(range(max(3, round_ - 2), round_ + 1))


def test_a_round_that_is_played_again_takes_the_place_of_what_is_no_longer_true(tmp_path: Path) -> None:
    with begun(tmp_path, 4, 5, 6) as slots:
        slots.write(5, b"another")
        assert read_slots(tmp_path / "slots") == {4: CONTENT[4], 5: b"another", 6: CONTENT[6]}
        slots.write(3, CONTENT[3])
        assert read_slots(tmp_path / "slots") == {3: CONTENT[3], 4: CONTENT[4], 5: b"another"}


def test_what_is_there_already_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begun(tmp_path, 4, 5, 6) as slots:
        monkeypatch.delattr(os, "pwrite")
        slots.write(5, CONTENT[5])
        with pytest.raises(AttributeError):
            slots.write(7, CONTENT[7])


@given(
    rolled_back=st.lists(st.integers(0, 2), max_size=12),
    tear=st.integers(0, 1 << 30),
    damage=st.booleans(),
)
def test_a_death_at_any_byte_of_a_writing_loses_none_of_the_two_rounds_before(
    rolled_back: list[int], tear: int, damage: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Between two writings a run may be rolled back by up to two rounds.
    path = tmp_path_factory.mktemp("agent")
    with begun(path, 0) as slots:
        round_ = 0
        for back in rolled_back:
            round_ = max(0, round_ - back) + 1
            before = [other for other in (round_ - 2, round_ - 1) if other in holds(path)]
            whole = (path / "slots").read_bytes()
            slots.write(round_, CONTENT[round_])
            assert set(holds(path)) >= {*before, round_}
            written = (path / "slots").read_bytes()
            changed = [at for at in range(len(whole)) if whole[at] != written[at]]
            if changed:
                cut = changed[tear % len(changed)]
                half = written[:cut] + (b"\xff" * 16 if damage else b"") + whole[cut + 16 * damage :]
                (path / "torn").write_bytes(half[: len(whole)])
                found = read_slots(path / "torn")
                assert set(found) >= set(before)
                assert all(CONTENT[other] == content for other, content in found.items())


@given(at=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_a_slot_that_was_damaged_anywhere_is_left_out(
    at: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("agent")
    with begun(path, 1, 2, 3):
        content = bytearray((path / "slots").read_bytes())
    size = len(content) // SLOTS
    place, offset = at % SLOTS, (at // SLOTS) % (56 + len(CONTENT[1]))
    content[place * size + offset] ^= 1 << bit
    (path / "slots").write_bytes(content)
    assert holds(path) == [round_ for round_ in (1, 2, 3) if round_ != place + 1]


@given(length=st.integers(0, 3 * 4096 - 1))
def test_a_file_that_was_cut_short_gives_nothing_false(
    length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("agent")
    with begun(path, 1, 2, 3):
        os.truncate(path / "slots", length)
    assert set(holds(path)) <= {1, 2, 3}


def test_two_rounds_lie_in_no_common_block(tmp_path: Path) -> None:
    large = {round_: os.urandom(5000) for round_ in (1, 2, 3)}
    with SlotFile(tmp_path / "slots", [*large.items()], False, Fence.raise_in(tmp_path)):
        content = (tmp_path / "slots").read_bytes()
    assert len(content) == SLOTS * 8192
    assert all(content[place * 8192 :].startswith(b"BNPGSLOT") for place in range(SLOTS))


def test_an_earlier_life_writes_into_a_file_that_has_no_name_any_more(tmp_path: Path) -> None:
    with begun(tmp_path, 1) as old, begun(tmp_path, 1, 2) as new:
        before = (tmp_path / "slots").read_bytes()
        with pytest.raises(StorageFailed, match="somebody else has taken the folder over"):
            old.write(5, CONTENT[5])
        assert (tmp_path / "slots").read_bytes() == before
        new.write(3, CONTENT[3])
    assert holds(tmp_path) == [1, 2, 3]


def test_a_writing_that_is_cut_short_by_the_system_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    with begun(tmp_path, 1) as slots:
        monkeypatch.setattr(os, "pwrite", lambda file, content, at: whole(file, bytes(content)[:7], at))
        slots.write(2, CONTENT[2])
    assert holds(tmp_path) == [1, 2]


@given(st.lists(st.integers(5, 39), max_size=8, unique=True), st.integers(0, 4))
def test_a_round_that_is_to_be_kept_stays_whatever_is_written(tmp_path_factory, rounds, keep) -> None:
    folder = tmp_path_factory.mktemp("slots")
    kept = {round_: CONTENT[round_] for round_ in {keep, 3, 4}}
    with begun(folder, *sorted(kept)) as slots:
        for round_ in rounds:
            slots.write(round_, CONTENT[round_], keep)
            assert {keep, round_} <= set(holds(folder))
