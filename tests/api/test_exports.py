"""Exports of the run record: CSV and TensorBoard event files, along a run and after a resumption."""

import csv
import json
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_protocol.process.fence import Fence
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

import bnpg
from bnpg.__main__ import main
from bnpg.exports import exporting
from bnpg.exports.csv_log import COLUMNS
from bnpg.lease import lease
from bnpg.run_folder import RunFolder

QUICK: dict[str, Any] = {"lanes": 8, "horizon": 3, "evaluate_every": 2, "fsync": False}


def untimed(rows: str) -> list[dict[str, str]]:
    """Return the rows of `metrics.csv` without the time that they took."""
    return [row | {"seconds": ""} for row in csv.DictReader(rows.splitlines())]


def events(folder: Path) -> Iterator[Event]:
    """Read event files as TensorBoard does: lengths and content, each with its checksum."""
    (file,) = (folder / "tensorboard").iterdir()
    content = file.read_bytes()
    while content:
        (length,), check = struct.unpack("<Q", content[:8]), content[8:12]
        assert struct.pack("<I", masked_crc32c(content[:8])) == check
        data = content[12 : 12 + length]
        assert struct.pack("<I", masked_crc32c(data)) == content[12 + length : 16 + length]
        yield Event.FromString(data)
        content = content[16 + length :]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def check(run: bnpg.Run) -> None:
    with (run.folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [
        {key: float(cell) for key, cell in row.items() if cell} for row in rows
    ] == [{key: line[key] for key in COLUMNS if key in line} for line in run.lines]  # fmt: skip
    found = scalars(run.folder)
    for name, tag in (("value", "exact/value"), ("return_mean", "sampled/return_mean")):
        recorded = [(line["round"], line[name]) for line in run.lines if name in line]
        assert [step for step, _ in found[tag]] == [step for step, _ in recorded]
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in recorded])
    assert any(
        value.tag.startswith("experiment") for event in events(run.folder) for value in event.summary.value
    )


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_exports_hold_the_record(launcher: Any) -> None:
    check(bnpg.train("climbing", rounds=7, launcher=launcher, log=["csv", "tensorboard"], out="run", **QUICK))


def test_how_networks_learn_is_exported() -> None:
    fields = {"policy": "mlp:4", "update": "ppo", "lanes": 64, "rounds": 3}
    run = bnpg.train("climbing", **fields, log=["csv", "tensorboard"], out="run")
    check(run)
    found = scalars(run.folder)
    for name in ("kl", "clip_share", "entropy", "explained_variance"):
        recorded = [(line["round"], line[name]) for line in run.lines if line.get(name) is not None]
        assert len(recorded) == 3
        assert [step for step, _ in found[f"learning/{name}"]] == [round_ for round_, _ in recorded]
        assert [value for _, value in found[f"learning/{name}"]] == pytest.approx(
            [value for _, value in recorded]
        )


def test_what_single_precision_cannot_hold_is_left_out_of_event_files() -> None:
    reward = 1e-60 * np.array([[[1.0, 0.0], [0.0, 2.0]]])
    tiny = bnpg.dense_game("tiny", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.9)
    fields: dict[str, Any] = {"mode": "exact", "dag": "complete", "evaluate_every": 1, "fsync": False}
    run = bnpg.train(tiny, rounds=2, launcher="memory", log=["tensorboard"], out="run", **fields)
    assert all(0.0 < line["value"] < 1e-58 for line in run.lines)
    assert max(line.get("step_size", 0.0) for line in run.lines) > 1e40
    found = scalars(run.folder)
    assert not {"exact/value", "exact/step_size"} & set(found)
    assert all(value == 0.0 for rows in found.values() for _, value in rows)


def test_chosen_step_sizes_are_exported(capfd: pytest.CaptureFixture[str]) -> None:
    options = "--mode exact --rounds 4 --step-size backtracking --launcher memory --quiet --out run"
    assert main(["train", "climbing", *options.split(), "--log", "csv,tensorboard"]) == 0
    capfd.readouterr()
    run = bnpg.load_run("run")
    sizes = [(line["round"], line["step_size"]) for line in run.lines if "step_size" in line]
    assert len(sizes) == 4
    with (run.folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["step_size"]]
    assert [(int(row["round"]), float(row["step_size"])) for row in rows] == sizes
    (found,) = [found for tag, found in scalars(run.folder).items() if tag == "exact/step_size"]
    assert [round_ for round_, _ in found] == [round_ for round_, _ in sizes]
    assert [size for _, size in found] == pytest.approx([size for _, size in sizes])


def test_a_resumed_run_goes_on_with_its_exports_without_gaps_or_repeats() -> None:
    def interrupt(line: dict[str, Any]) -> None:
        if line["round"] == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bnpg.train("climbing", rounds=500, log=["tensorboard", "csv"], out="run", on_line=interrupt, **QUICK)
    stopped = bnpg.load_run("run")
    assert stopped.rounds < 500
    file = Path("run/experiment.toml")
    file.write_text(file.read_text().replace("rounds = 500", f"rounds = {stopped.rounds + 4}"))
    check(bnpg.resume("run"))


def test_the_last_line_of_a_run_that_goes_on_is_exported_as_it_is_then() -> None:
    """It was evaluated as the last one, and had no step after it."""
    options = {"mode": "exact", "log": ["csv"]} | {key: QUICK[key] for key in QUICK if key != "lanes"}
    bnpg.train("climbing", rounds=3, out="run", **options)
    bnpg.resume("run", rounds=5)
    bnpg.train("climbing", rounds=5, out="whole", **options)
    rows = [untimed(Path(run, "metrics.csv").read_text()) for run in ("run", "whole")]
    assert rows[0] == rows[1]
    assert all(row["step_size"] for row in rows[0][1:-1])


def test_a_round_that_is_played_again_is_exported_once() -> None:
    # The coordinator dies and comes back: its launcher may pass on a line twice.
    run = bnpg.train("climbing", rounds=5, out="run", **QUICK)
    record = (run.folder / "metrics.jsonl").read_bytes()
    with (
        lease(run.folder) as fence,
        exporting.exporting(RunFolder(run.folder), ["csv", "tensorboard"], fence) as exports,
    ):
        for line in RunFolder(run.folder).lines:
            exports(line)
    assert (run.folder / "metrics.jsonl").read_bytes() == record
    check(run)


@pytest.mark.parametrize("begun", [True, False])
def test_who_has_lost_the_run_folder_leaves_the_event_files_of_the_next(begun: bool) -> None:
    run = bnpg.train("climbing", rounds=5, out="run", log=["tensorboard"] if begun else [], **QUICK)
    old = Fence.raise_in(run.folder)
    Fence.raise_in(run.folder).lower()
    before = sorted((path, path.stat().st_mtime_ns) for path in run.folder.rglob("*"))
    with exporting.exporting(RunFolder(run.folder), ["tensorboard"], old) as exports:
        (trouble,) = exports.troubles
        assert trouble == "the tensorboard export could not be written: No such file or directory"
    assert sorted((path, path.stat().st_mtime_ns) for path in run.folder.rglob("*")) == before


def test_an_export_that_cannot_be_written_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(self: object, line: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting.CsvLog, "write", full)
    options = "--rounds 3 --lanes 8 --launcher memory --no-fsync --quiet --json --log csv --out run"
    assert main(["train", "climbing", *options.split()]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["state"] == "done"
    assert captured.err == "bnpg: warning: the csv export could not be written: No space left on device\n"


@pytest.mark.parametrize("what", ["link", "second name", "link to a pipe"])
def test_what_stands_in_its_place_is_not_written_to(what: str, here: Path) -> None:
    """The folder may be from somebody else, or a copy of hard links."""
    run = bnpg.train("climbing", rounds=2, log=["csv"], out="run", **QUICK)
    file, precious = run.folder / "metrics.csv", here / "precious"
    held, text = file.read_bytes(), "round\nprecious\n"
    file.unlink()
    if what == "link to a pipe":
        os.mkfifo(precious)
    else:
        precious.write_text(text)
    if what == "second name":
        file.hardlink_to(precious)
    else:
        file.symlink_to(precious)
    (run.folder / "summary.json").unlink()
    bnpg.resume("run")
    assert not file.is_symlink()
    assert untimed(file.read_text()) == untimed(held.decode())
    assert precious.is_fifo() or precious.read_text() == text


def test_an_unknown_format_is_refused(capfd: pytest.CaptureFixture[str], here: Path) -> None:
    assert main(["train", "climbing", "--log", "csv,xml"]) == 2
    assert "expected some of 'csv', 'tensorboard', got 'xml'" in capfd.readouterr().err
    assert list(here.iterdir()) == []
