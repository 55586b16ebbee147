"""`bnpg sweep` from the command line: runs, table and report; killed, continued, and told what is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import bnpg
from bnpg.sweeps.table import COLUMNS

FAST = ("--no-fsync", "--quiet")
OUTPUTS = ("table.csv", "table.parquet", "aggregates.csv")
LONG = """
[base]
mode = "exact"
rounds = 1500
learning-rate = 0.01
evaluate-every = 500
[grid]
game = ["climbing"]
dag = ["empty", "0-1"]
seed = [0, 1]
"""


def outputs(folder: str) -> list[bytes]:
    return [Path(folder, name).read_bytes() for name in OUTPUTS]


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bnpg", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.fixture
def whole(run: Any, grid_file: Path) -> Path:
    """A sweep without any trouble."""
    ended = run("sweep", grid_file, *FAST, "--jobs", 2, "--out", "whole")
    assert ended.code == 0, ended.err
    return Path("whole")


def test_a_sweep_is_its_runs_in_one_table(run: Any, whole: Path, grid_file: Path) -> None:
    with (whole / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == sorted(path.name for path in (whole / "runs").iterdir())
    assert list(rows[0]) == list(COLUMNS)
    for row in rows:
        again = bnpg.train(
            row["game"], dag=row["dag"], seed=int(row["seed"]), rounds=3, lanes=8, horizon=3, evaluate_every=2
        )
        assert again.summary is not None
        assert (row["state"], row["policy_digest"]) == ("done", again.policy.digest)
        for key in ("value", "nash_gap", "optimality_gap", "return_mean", "optimal_value"):
            assert float(row[key]) == again.summary[key]
        assert float(row["learning_rate"]) == 0.2
        assert float(row["uniform_value"]) == pytest.approx(again.columns["value"][0])
        assert float(row["score"]) == pytest.approx(
            (again.summary["value"] - again.columns["value"][0])
            / (again.summary["optimal_value"] - again.columns["value"][0])
        )
    parquet = pd.read_parquet(whole / "table.parquet", engine="pyarrow")
    assert list(parquet.columns) == list(COLUMNS)
    assert parquet["value"].tolist() == [float(row["value"]) for row in rows]
    assert parquet["dag"].tolist() == [row["dag"] for row in rows]
    assert parquet["seed"].tolist() == [0, 1] * 4
    page = (whole / "report.html").read_text()
    assert all(row["run"] in page for row in rows)

    # The same command again has nothing to do, and any number of jobs comes to the same bytes.
    before = outputs("whole")
    written = {path: path.stat().st_mtime_ns for path in whole.glob("runs/**/*") if path.is_file()}
    for name in {path.name for path in whole.iterdir() if path.is_file()} - {"sweep.json"}:
        (whole / f".{name}.1.tmp").touch()
    (whole / "table.csv").unlink()
    ended = run("sweep", grid_file, *FAST, "--out", "whole", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["done"], found["kept"], found["failed"]) == (0, 8, 8, {})
    assert (found["runs"], found["interrupted"], ended.out.count("\n")) == (8, False, 1)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert outputs("whole") == before
    assert not list(whole.glob(".*"))
    assert run("sweep", grid_file, *FAST, "--out", "one", "--jobs", 1).code == 0
    assert outputs("one") == before


def test_people_see_progress_and_a_table(run: Any, grid_file: Path) -> None:
    ended = run("sweep", grid_file, "--no-fsync")
    assert ended.code == 0
    assert "8 runs" in ended.err
    assert "runs 8/8, rounds 24/24" in ended.err
    for words in ("Done: 8 of 8 runs", "game penalty, dag 0-1", "all games, dag empty", "table.csv", "["):
        assert words in ended.out
    assert Path("sweeps/small/report.html").exists()


def test_simulators_are_told_by_their_returns(run: Any, here: Path) -> None:
    grid = '[base]\nrounds = 2\nlanes = 8\n[grid]\ngame = ["relay", "climbing"]\nseed = [0, 1]\n'
    Path("both.toml").write_text(grid)
    ended = run("sweep", "both.toml", "--no-fsync", "--launcher", "memory", "--jobs", 1)
    assert ended.code == 0, ended.err
    with Path("sweeps/both/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["game"], row["state"], row["why"]) for row in rows] == [
        ("relay", "done", ""), ("relay", "done", ""), ("climbing", "done", ""), ("climbing", "done", "")
    ]  # fmt: skip
    for row in rows[:2]:
        again = bnpg.train("relay", seed=int(row["seed"]), rounds=2, lanes=8)
        assert again.summary is not None
        assert (row["policy_digest"], float(row["return_mean"])) == (
            again.policy.digest, again.summary["return_mean"],
        )  # fmt: skip
        assert (row["agents"], row["edges"], row["learning_rate"]) == ("4", "3", "0.2")
        assert row["states"] == row["value"] == row["uniform_value"] == row["score"] == ""
    relay = next(line for line in ended.out.splitlines() if line.strip().startswith("game relay"))
    assert relay.split()[3:7] == ["-"] * 4
    assert float(relay.split()[7]) == pytest.approx(
        (float(rows[0]["return_mean"]) + float(rows[1]["return_mean"])) / 2, rel=1e-3
    )
    assert "All games: without relay, where no score is known." in ended.out
    assert Path("sweeps/both/report.html").exists()


def test_a_run_that_cannot_be_read_is_a_failed_one(run: Any, whole: Path, grid_file: Path) -> None:
    first = sorted((whole / "runs").iterdir())[0]
    (first / "summary.json").write_text("{")
    ended = run("sweep", grid_file, *FAST, "--out", "whole")
    assert ended.code == 3
    assert f"1 of 8 runs failed, the first is {first.name}" in ended.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seed = [0, 1]", "seed = [0, 1, 2]", "grid.seed is [0, 1] there and [0, 1, 2] here"),
        ("rounds = 3", "rounds = 4", "base.rounds is 3 there and 4 here"),
        ("lanes = 8\n", "", "base.lanes is 8 there and not given here"),
    ],
)
def test_another_grid_is_refused(run: Any, grid_file: Path, old: str, new: str, says: str) -> None:
    # A sweep that was interrupted before its first run: the manifest alone.
    from bnpg.sweeps.folder import sweep_folder
    from bnpg.sweeps.grid import read_grid

    with sweep_folder(read_grid(grid_file), Path("whole")):
        busy = run("sweep", grid_file, *FAST, "--out", "whole")
    assert (busy.code, busy.err.count("\n")) == (2, 1)
    assert "in use" in busy.err
    grid_file.write_text(grid_file.read_text().replace(old, new))
    ended = run("sweep", grid_file, *FAST, "--out", "whole")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert says in ended.err


def test_other_folders_are_refused(run: Any, grid_file: Path) -> None:
    Path("mine").mkdir()
    Path("mine/precious").write_text("")
    Path("file").write_text("")
    for target in ("mine", "file"):
        ended = run("sweep", grid_file, *FAST, "--out", target)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert target in ended.err
    assert [path.name for path in Path("mine").iterdir()] == ["precious"]


def test_a_path_that_no_document_can_say_is_refused(
    run: Any, here: Path, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = grid_file.absolute()
    Path("at\udcfe").mkdir()
    monkeypatch.chdir("at\udcfe")
    ended = run("sweep", grid)
    assert (ended.code, ended.out) == (2, "")
    assert "bnpg: error: the path of a sweep must be text in UTF-8, got '" in ended.err
    assert list(Path().iterdir()) == []


def test_a_run_that_fails_is_told_and_the_others_are_done(run: Any, grid_file: Path) -> None:
    from bnpg.sweeps.folder import sweep_folder
    from bnpg.sweeps.grid import read_grid

    grid = read_grid(grid_file)
    with sweep_folder(grid, Path("whole")) as sweep:
        broken = sweep.run(grid.runs[2])
        broken.mkdir(parents=True)
        (broken / "experiment.toml").write_text("rounds = -1")
    ended = run("sweep", grid_file, *FAST, "--out", "whole", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["done"], list(found["failed"])) == (3, 7, [broken.name])
    assert "1 of 8 runs failed" in ended.err
    table = pd.read_csv("whole/table.csv")
    assert table["state"].tolist().count("done") == 7
    assert table.loc[2, "state"] == "failed"
    assert "run.json" in table.loc[2, "why"]
    # Once the trouble is gone, the same command does what is left.
    (broken / "experiment.toml").unlink()
    broken.rmdir()
    assert run("sweep", grid_file, *FAST, "--out", "whole").code == 0


def _stopped_at_work(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The two workers of a sweep, held in the midst of their first runs, however fast the machine is."""
    workers: dict[int, psutil.Process] = {}
    while len(workers) < 2:
        assert process.poll() is None, "the sweep is over before it has two workers"
        for one in psutil.Process(process.pid).children():
            workers.setdefault(one.pid, one)
    ready = list(workers.values())
    while not all(_recorded(folder) for folder in _begun(2)):
        assert process.poll() is None, "the sweep is over before anybody looked"
    for worker in ready:
        worker.suspend()
    assert process.poll() is None, "the sweep is over before it could be held: its runs are too short"
    return ready


def _begun(number: int) -> list[Path]:
    """The folders of the first runs, as soon as there are so many."""
    while len(found := sorted(Path("stopped/runs").glob("*"))) < number:
        os.sched_yield()
    return found


def _recorded(folder: Path) -> bool:
    record = folder / "metrics.jsonl"
    return record.exists() and record.stat().st_size > 0


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL", "worker", "told"])
def test_a_sweep_that_is_stopped_goes_on_to_the_same_bytes(run: Any, here: Path, how: str) -> None:
    Path("long.toml").write_text(LONG)
    process = start("sweep", "long.toml", "--no-fsync", "--quiet", "--jobs", 2, "--out", "stopped")
    workers = _stopped_at_work(process)
    if how in ("worker", "told"):
        workers[0].send_signal(signal.SIGKILL if how == "worker" else signal.SIGTERM)
        for worker in workers[how == "worker" :]:
            worker.resume()
        _, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
    else:
        process.send_signal(getattr(signal, how))
        for worker in workers:
            worker.resume()
        _, err = process.communicate(timeout=60)
        assert psutil.wait_procs(workers, timeout=20)[1] == []
        if how == "SIGINT":
            assert process.returncode == 130
            assert "Traceback" not in err
            assert "continue with: bnpg sweep long.toml --out stopped" in err
            assert not Path("stopped/table.csv").exists()
        ended = run("sweep", "long.toml", *FAST, "--out", "stopped")
        assert ended.code == 0, ended.err
    assert run("sweep", "long.toml", *FAST, "--out", "undisturbed").code == 0
    assert outputs("stopped") == outputs("undisturbed")
    record = next(Path("stopped/runs").iterdir()) / "metrics.jsonl"
    rounds = [json.loads(line)["round"] for line in record.read_text().splitlines()]
    assert rounds == list(range(1501))


def test_a_dry_run_names_the_runs_and_writes_nothing(run: Any, here: Path, grid_file: Path) -> None:
    before = sorted(here.iterdir())
    listed = run("sweep", grid_file, "--dry-run")
    named = json.loads(run("sweep", grid_file, "--dry-run", "--json").out)
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.splitlines() == named["names"]
    assert named["runs"] == len(named["names"]) > 1
    assert sorted(here.iterdir()) == before
