"""The run record: it always reads as one undisturbed run."""

import json
import math

import pytest
from bnpg_coordinator.line import Line
from bnpg_coordinator.run_record import RunRecord, read_lines
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.errors import StorageFailed
from hypothesis import given
from hypothesis import strategies as st

from bnpg_files.reading import read_json
from bnpg_math.errors import InputError


def opened(folder):
    return RunRecord(folder, False, Fence.raise_in(folder))


@pytest.fixture
def record(tmp_path):
    record = opened(tmp_path)
    yield record
    record.close()


def rounds(folder):
    return [line.round for line in read_lines(folder / "metrics.jsonl")]


def write(record, *numbers):
    for round_ in numbers:
        record.append(Line(round_, value=round_ / 2))


def test_every_line_is_there_as_soon_as_it_was_written_with_its_seconds(record, tmp_path):
    record.rewind(0)
    for round_ in range(3):
        write(record, round_)
        assert rounds(tmp_path) == list(range(round_ + 1))
    assert all(line.seconds >= 0 for line in read_lines(tmp_path / "metrics.jsonl"))


def test_rounds_that_are_played_again_are_dropped_first(record, tmp_path):
    record.rewind(0)
    write(record, 0, 1, 2, 3)
    record.rewind(2)
    assert rounds(tmp_path) == [0, 1]
    write(record, 2, 3)
    assert rounds(tmp_path) == [0, 1, 2, 3]


@given(cut=st.integers(1, 30))
def test_what_a_crash_left_half_written_is_dropped(cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    record = opened(folder)
    record.rewind(0)
    write(record, 0, 1, 2)
    record.close()
    file = folder / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert rounds(folder) == [0, 1]
    again = opened(folder)
    again.rewind(2)
    write(again, 2)
    again.close()
    assert rounds(folder) == [0, 1, 2]
    assert [json.loads(line)["round"] for line in file.read_text().splitlines()] == [0, 1, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_null_with_the_reason_beside_it(value, record, tmp_path):
    record.rewind(0)
    record.append(Line(0).holding(value=value))
    [line] = read_lines(tmp_path / "metrics.jsonl")
    assert line.value is None
    assert line.value_reason == f"{value} is not finite"


def test_the_summary_has_the_last_returns(record, tmp_path):
    record.rewind(0)
    record.append(Line(0, return_mean=1.0, return_stderr=0.5))
    record.append(Line(1))
    record.conclude("done", "all rounds are done", 1, {"value": 3.0})
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["state"] == "done"
    assert (summary["value"], summary["return_mean"], summary["rounds"]) == (3.0, 1.0, 1)


def test_a_summary_with_numbers_that_are_not_finite_can_be_read(record, tmp_path):
    record.rewind(0)
    record.conclude("done", "all rounds are done", 0, {"value": 3.0, "objective": -math.inf})
    summary = read_json(tmp_path / "summary.json", dict, InputError)
    assert (summary["objective"], summary["objective_reason"]) == (None, "-inf is not finite")


def test_every_start_of_the_coordinator_is_a_new_generation(tmp_path):
    assert [opened(tmp_path).next_generation() for _ in range(3)] == [1, 2, 3]


def test_a_status_is_not_written_more_often_than_it_can_be_read(record, tmp_path):
    record.write_status(10.0, lambda: {"round": 1})
    record.write_status(10.1, lambda: {"round": 2})
    assert json.loads((tmp_path / "status.json").read_text())["round"] == 1
    record.write_status(10.1, lambda: {"round": 3}, at_once=True)
    assert json.loads((tmp_path / "status.json").read_text())["round"] == 3


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    record = opened(tmp_path)
    record.fence.lower()
    with pytest.raises(StorageFailed, match="cannot write"):
        record.rewind(0)


def test_a_file_that_is_not_there_has_no_lines(tmp_path):
    assert read_lines(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize("round_", [-1, 10**9 + 1, 10**400], ids=["below", "above", "far above"])
def test_no_round_has_such_a_number(round_, tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(f'{{"round":{round_},"chain":"{"0" * 16}"}}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 1: Expected `int`"):
        read_lines(file)
