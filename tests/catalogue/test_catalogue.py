"""All runs below a folder: found wherever they are, read once, and never stopped by what is odd."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bnpg.catalogue import entry as entries_module
from bnpg.catalogue.catalogue import Catalogue
from bnpg.catalogue.entry import NUMBERS, UNREADABLE
from bnpg_math.errors import InputError


def found(folder: Path) -> dict[str, Any]:
    return {entry.name: entry for entry in Catalogue(folder).entries()}


def test_every_run_is_there_with_its_settings_and_numbers(one_of_each: Path, all_runs: set[str]) -> None:
    runs = found(one_of_each)
    assert set(runs) == all_runs
    for name, entry in runs.items():
        summary = json.loads((one_of_each / name / "summary.json").read_text())
        assert entry.state == "done"
        assert entry.settings["game"] == summary["game"]
        assert entry.settings["dag"] == summary["dag"]
        for number in NUMBERS:
            assert entry.numbers[number] == summary[number], number


def test_the_newest_run_is_first(copied: Any, runs: Path) -> None:
    for name, created in (("b", "2024-01-02"), ("a", "2024-01-03"), ("c", "2024-01-01")):
        file = copied(name) / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"created": f"{created}T00:00:00+00:00"}))
    assert [entry.name for entry in Catalogue(runs).entries()] == ["a", "b", "c"]


def test_runs_of_sweeps_below_are_found_and_a_run_is_a_folder_of_one(copied: Any, runs: Path) -> None:
    copied("sweep/runs/0_dag-line")
    copied("mine")
    assert set(found(runs)) == {"mine", "sweep/runs/0_dag-line"}
    assert set(found(runs / "mine")) == {"mine"}


def test_links_lead_to_runs_and_never_round_in_circles(copied: Any, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(copied("mine"))
    (runs / "linked").symlink_to(tmp_path / "elsewhere")
    (runs / "circle").symlink_to(runs)
    (runs / "nowhere").symlink_to(tmp_path / "gone")
    assert set(found(runs)) == {"mine", "linked"}


def test_without_a_summary_a_run_is_under_way_or_left(copied: Any, runs: Path) -> None:
    copied("going", state="running")
    copied("silent", state="left")
    told = found(runs)
    assert told["going"].state == "running"
    assert told["silent"].state == "left"
    assert "bnpg resume" in told["silent"].why
    assert (told["going"].numbers["rounds"], told["going"].numbers["rounds_total"]) == (1, 4)


def test_what_did_not_change_is_the_same_row_and_what_did_is_read_again(copied: Any, runs: Path) -> None:
    copied("still")
    going = copied("going", state="running")
    catalogue = Catalogue(runs)
    before = {entry.name: entry for entry in catalogue.entries()}
    with (going / "metrics.jsonl").open("ab") as file:
        file.write(b'{"round":2,"value":7.5,"seconds":0.1}\n')
    after = {entry.name: entry for entry in catalogue.entries()}
    assert after["still"] is before["still"]
    assert after["going"].numbers["value"] == 7.5
    assert after["going"].numbers["rounds"] == 2
    again = {entry.name: entry for entry in catalogue.entries()}
    assert again["going"] == after["going"]


def test_of_a_long_record_only_the_end_is_read_and_a_torn_line_is_left_out(
    copied: Any, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = copied("going", state="running")
    with (going / "metrics.jsonl").open("ab") as file:
        file.write(b"".join(b'{"round":%d,"value":%d.5,"seconds":0.1}\n' % (k, k) for k in range(2, 500)))
        file.write(b'{"round":500,"val')
    monkeypatch.setattr(entries_module, "TAIL", 300)
    assert found(runs)["going"].numbers["value"] == 499.5


ODD = {
    "no run.json": lambda folder: (folder / "run.json").unlink(),
    "experiment.toml: No such file": lambda folder: (folder / "experiment.toml").unlink(),
    "a pipe": lambda folder: os.mkfifo(_gone(folder / "summary.json")),
    "a folder": lambda folder: _gone(folder / "metrics.jsonl").mkdir(),
    "cannot be read": lambda folder: (folder / "metrics.jsonl").write_bytes(b"[]\n"),
    "regular file": lambda folder: _gone(folder / "experiment.toml").symlink_to("/dev/zero"),
    "run.json": lambda folder: (folder / "run.json").write_text('{"run": 3}'),
    "rounds: expected an integer of": lambda folder: _with_long_rounds(folder / "experiment.toml"),
    "nested too deeply": lambda folder: (folder / "run.json").write_text("[" * 100_000),
}


def _with_long_rounds(file: Path) -> None:
    file.write_text(file.read_text().replace("rounds = 4", f"rounds = 0x{'f' * 6000}"))


def _gone(file: Path) -> Path:
    file.unlink()
    return file


@pytest.mark.parametrize("why", ODD)
def test_a_run_that_cannot_be_read_is_a_row_that_says_why_and_hides_no_other(
    why: str, copied: Any, runs: Path
) -> None:
    ODD[why](copied("odd"))
    copied("good")
    told = found(runs)
    assert told["good"].state == "done"
    assert told["odd"].state == UNREADABLE
    assert why in told["odd"].why
    assert "\n" not in told["odd"].why


def test_a_folder_that_may_not_be_looked_into_is_said(
    copied: Any, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied("good")
    (runs / "secret").mkdir()
    allowed = os.scandir

    def scandir(path: Path) -> Any:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied")
        return allowed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    told = found(runs)
    assert told["good"].state == "done"
    assert told["secret"].why.endswith("secret cannot be read: Permission denied")


@pytest.mark.parametrize(("name", "why"), [("none", "does not exist"), ("file", "is no folder")])
def test_what_is_no_folder_is_refused(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=why):
        Catalogue(tmp_path / name)
