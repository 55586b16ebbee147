"""The one door for files: regular files of a bounded size, decoded by their type, and nothing waits."""

import os
from pathlib import Path
from typing import TypedDict

import pytest

from bnpg.lab.testing.odd_files.oddities import CONTENTS, NO_FILES
from bnpg_files.reading import NESTED, opened, read_bytes, read_json, read_text, read_toml


class Number(TypedDict):
    number: int


READERS = {
    "bytes": lambda path: read_bytes(path, 1 << 20),
    "text": lambda path: read_text(path, ValueError),
    "JSON": lambda path: read_json(path, Number, ValueError),
    "TOML": lambda path: read_toml(path, Number, ValueError),
}


@pytest.mark.parametrize("what", sorted(NO_FILES))
@pytest.mark.parametrize("reader", sorted(READERS))
def test_what_is_no_file_is_refused(tmp_path: Path, reader: str, what: str) -> None:
    path = tmp_path / "file"
    NO_FILES[what](path, b'{"number": 1}')
    if what == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    with pytest.raises((OSError, ValueError)) as refused:
        READERS[reader](path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("what", sorted(set(CONTENTS) - {"byte order mark", "twice", "a byte is another"}))
@pytest.mark.parametrize("reader", ["JSON", "TOML"])
def test_what_is_no_document_is_one_line(tmp_path: Path, reader: str, what: str) -> None:
    path = tmp_path / "file"
    CONTENTS[what](path, b'{"number": 1}' if reader == "JSON" else b"number = 1")
    if reader == "TOML" and what == "all but the last byte":
        path.write_bytes(b"number =")
    with pytest.raises(ValueError, match=str(path)) as refused:
        READERS[reader](path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_byte_order_mark_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'\xef\xbb\xbf{"number": 1}')
    assert read_json(path, Number, ValueError) == {"number": 1}
    path.write_bytes(b"\xef\xbb\xbfnumber = 1\r\n")
    assert read_toml(path, Number, ValueError) == {"number": 1}


def test_a_file_that_is_not_there_is_the_callers_affair(tmp_path: Path) -> None:
    for read in READERS.values():
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "absent")


def test_a_wrong_type_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"number": "1"}')
    with pytest.raises(ValueError, match=r"Expected `int`, got `str` - at `\$.number`"):
        read_json(path, Number, ValueError)


@pytest.mark.parametrize(("depth", "taken"), [(NESTED - 2, True), (NESTED, False)])
def test_documents_are_nested_so_far_and_no_further(tmp_path: Path, depth: int, taken: bool) -> None:
    path = tmp_path / "file"
    for text in (f"a = {'[' * depth}{']' * depth}", f"{'a.' * depth}a = 1"):
        path.write_text(text)
        if taken:
            assert read_toml(path, dict, ValueError)
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                read_toml(path, dict, ValueError)


def test_what_is_no_toml_is_told_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"experiment\.toml: expected TOML: Expected "):
        read_toml(path, dict, ValueError)


LONG = f"0x{'f' * 6000}"
BITS = "expected an integer of at most 1024 bits, got an integer of 24000 bits"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"a = {LONG}", "a: "),
        (f"a = 1\n[b]\nc = [1, {{d = {LONG}}}]", "b.c.1.d: "),
        (f"a = 0o{'7' * 8000}", "a: "),
        (f"a = -0b{'1' * 24000}", None),  # no TOML
        (f'"\\u001b[2J" = {LONG}', r"'\x1b[2J': "),
        (f"{'k' * 500} = {LONG}", "'kkkkkk"),
    ],
)
def test_an_integer_that_python_does_not_write_out_is_refused(
    tmp_path: Path, text: str, where: str | None
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ValueError, match=str(path)) as refused:
        read_toml(path, dict, ValueError)
    assert str(refused.value).isprintable()
    if where is not None:
        assert str(refused.value).startswith(f"{path}: {where}")
        assert BITS in str(refused.value)


def test_a_long_integer_of_json_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for digits in (400, 5000):
        path.write_text(f'{{"a": [0, {"1" * digits}]}}')
        with pytest.raises(ValueError, match=r"of at most 1024 bits|out of range"):
            read_json(path, dict, ValueError)


def test_integers_that_are_as_large_as_numbers_get_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"a = {2**1024 - 1}\nb = {-(2**1024) + 1}\n")
    assert read_toml(path, dict, ValueError) == {"a": 2**1024 - 1, "b": 1 - 2**1024}


def test_more_than_is_allowed_is_not_begun_with(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(11))
    with pytest.raises(OSError, match="it is too large, 11 bytes"):
        read_bytes(path, 10)
    assert read_bytes(path, 11) == bytes(11)


def test_what_is_opened_to_be_changed_is_a_regular_file_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="expected a regular file, got a pipe"):
        opened(tmp_path / "fifo", change=True)
    (tmp_path / "file").write_bytes(b"ab")
    with opened(tmp_path / "file", change=True) as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"xb"


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_name_that_no_file_can_have_is_one_line(reader: str) -> None:
    """Such as one that stands in a document."""
    with pytest.raises((OSError, ValueError), match="no file has a name with a NUL in it"):
        READERS[reader](Path("a\0.json"))
