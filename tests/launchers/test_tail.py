"""Following a record that is written on, and replaced when rounds are played again."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bnpg.launchers.tail import Tail


def lines(*rounds: int, words: str = "") -> bytes:
    return b"".join(json.dumps({"round": round_, "note": words}).encode() + b"\n" for round_ in rounds)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def tail(record: Path, seen: list[int]) -> Iterator[Tail]:
    with closing(Tail(record, lambda line: seen.append(line.round))) as tail:
        yield tail


def replace(record: Path, content: bytes) -> None:
    draft = record.with_name("draft")
    draft.write_bytes(content)
    draft.replace(record)


def test_new_whole_lines_are_passed_on(record: Path, seen: list[int], tail: Tail) -> None:
    assert not tail.read()
    record.write_bytes(lines(0) + lines(1)[:-3])
    assert tail.read()
    with record.open("ab") as file:
        file.write(lines(1)[-3:])
    assert tail.read()
    assert not tail.read()
    assert seen == [0, 1]


def test_rounds_that_are_played_again_are_passed_over(record: Path, seen: list[int], tail: Tail) -> None:
    record.write_bytes(lines(0, 1, 2))
    assert tail.read()
    replace(record, lines(0, 1))
    assert not tail.read()
    replace(record, lines(0, 1, 2, 3))
    assert tail.read()
    assert seen == [0, 1, 2, 3]


def test_a_record_with_the_number_of_one_that_is_gone_is_another(
    record: Path, seen: list[int], tail: Tail
) -> None:
    """Replaced twice between two looks, on a file system that gives the number of the first to the third."""
    record.write_bytes(lines(0, 1))
    number = record.stat().st_ino
    assert tail.read()
    for _ in range(9):
        replace(record, lines(0))
        replace(record, lines(0, 1, 2, words="longer than before, so that no line begins where one ended"))
        if record.stat().st_ino == number:
            break
    assert tail.read()
    assert seen == [0, 1, 2]
    assert os.fstat(tail._file.fileno()).st_ino == record.stat().st_ino
