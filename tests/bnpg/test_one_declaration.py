"""A new setting of an experiment is written in one place: declared, it is everywhere."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = '''
import contextlib, inspect, io, json, sys
from pathlib import Path
from typing import Annotated, Literal

import bnpg_coordinator.experiment as home

# The one place: what else would be a field of Experiment in its file.
class Tinted(home.Experiment, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    tint_of_all: Annotated[
        Literal["pale", "deep"],
        home.ExperimentSetting("How it looks by {learning-rate}.", mode="exact", needs="which has colours"),
    ] = "pale"

home.Experiment = Tinted

import bnpg
from bnpg.__main__ import main
from bnpg.report.recorded_run import read_run
from bnpg.report.reproduction import reproduction
from bnpg.sweeps.table import COLUMNS

sys.path.insert(0, sys.argv[1])
from settings_table import settings_table

def shell(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return {"code": code, "out": " ".join(out.getvalue().split()), "err": err.getvalue()}

QUICK = ("--rounds", 1, "--launcher", "memory", "--no-fsync", "--quiet")
EXACT = {"mode": "exact", "rounds": 1, "fsync": False}
found = {"help": shell("train", "--help")["out"], "coordinator": shell("coordinator", "--help")["out"]}
options = ("--mode", "exact", "--tint-of-all", "deep")
found["typed"] = shell("train", "climbing", *options, *QUICK, "--out", "typed")
found["file"] = Path("typed/experiment.toml").read_text()
found["again"] = shell("train", "typed/experiment.toml", *QUICK, "--out", "again")
found["wrong"] = shell("train", "climbing", "--tint-of-all", "deap", *QUICK)["err"]
found["sampled"] = shell("train", "climbing", "--tint-of-all", "deep", *QUICK)["err"]
found["signature"] = str(inspect.signature(bnpg.train).parameters["tint_of_all"])
found["docstring"] = bnpg.train.__doc__
found["python"] = bnpg.train("climbing", tint_of_all="deep", out="python", **EXACT).experiment.tint_of_all
found["command"] = reproduction(read_run(Path("typed"))).command
shell("report", "typed", "--out", "report.html")
found["report"] = Path("report.html").read_text()
Path("grid.toml").write_text("""
[base]
game = "climbing"
mode = "exact"
rounds = 1
[grid]
tint-of-all = ["pale", "deep"]
""")
shell("sweep", "grid.toml", "--no-fsync", "--quiet", "--out", "sweep")  # workers lack it
found["table"] = Path("sweep/table.csv").read_text()
found["page"] = settings_table(Tinted)
found["digests"] = [
    home.experiment_digest(kind(game="x", **fields), "game", "initial")
    for kind, fields in ((Tinted.__base__, {}), (Tinted, {}), (Tinted, {"tint_of_all": "deep"}))
]
print(json.dumps(found))
'''


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is to be seen of a setting that only its declaration was written of."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(ROOT / "docs" / "_ext")],
        cwd=tmp_path_factory.mktemp("tinted"), capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    shown: dict[str, Any] = json.loads(ran.stdout)
    return shown


@pytest.mark.parametrize("command", ["help", "coordinator"])
def test_it_is_an_option_with_its_help(found: dict[str, Any], command: str) -> None:
    assert "--tint-of-all [pale|deep] How it looks by --learning-rate. [pale; exact mode]" in found[command]


def test_it_is_stored_and_read_again(found: dict[str, Any]) -> None:
    assert found["typed"]["code"] == found["again"]["code"] == 0
    assert 'tint-of-all = "deep"' in found["file"]


def test_it_is_checked(found: dict[str, Any]) -> None:
    assert "'--tint-of-all': expected 'pale' or 'deep', got 'deap'; did you mean 'deep'?" in found["wrong"]
    assert "tint-of-all deep needs mode exact, which has colours" in found["sampled"]


def test_it_is_an_argument_with_its_default_and_its_meaning(found: dict[str, Any]) -> None:
    assert found["signature"] == "tint_of_all: Literal['pale', 'deep'] = 'pale'"
    entry = "tint_of_all : {'pale', 'deep'}, default 'pale'\n    How it looks by `learning_rate`."
    assert entry in found["docstring"]
    assert found["python"] == "deep"


def test_the_report_says_it_and_its_command_gives_it_again(found: dict[str, Any]) -> None:
    assert "--tint-of-all deep" in found["command"]
    assert "How it looks by learning-rate." in found["report"]


def test_it_is_a_field_of_a_grid_and_a_column_of_its_table(found: dict[str, Any]) -> None:
    header, *rows = csv.reader(found["table"].splitlines())
    at = header.index("tint_of_all")
    assert [row[at] for row in rows] == ["pale", "deep"]


def test_it_is_on_the_page_of_settings(found: dict[str, Any]) -> None:
    [row] = [line for line in found["page"].splitlines() if "`tint-of-all`" in line]
    assert '`"pale"` or `"deep"`' in row
    assert "| exact | result | How it looks by `learning-rate`. |" in row


def test_runs_from_before_keep_their_digest_and_others_are_told_apart(found: dict[str, Any]) -> None:
    before, default, deep = found["digests"]
    assert before == default != deep
