"""What an extra brings may be missing: what needs it says so in one line, and all else works."""

import json
import re
import sys
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import bnpg
from bnpg import extras
from bnpg.__main__ import main

ROOT = Path(__file__).parents[2]
TRAIN = [
    "train",
    "climbing",
    "--rounds",
    "1",
    "--lanes",
    "8",
    "--launcher",
    "memory",
    "--quiet",
    "--no-fsync",
]


class Absent:
    """Finds nothing of what extras bring, as where they were not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] in extras.EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without extras."""
    monkeypatch.chdir(tmp_path)
    for name in list(sys.modules):
        if name.partition(".")[0] in extras.EXTRAS or re.match(
            r"bnpg\.(report|watch|curves|exports)\b", name
        ):
            # Once from the table and once from its package, which both come back as they were.
            above, _, last = name.rpartition(".")
            if vars(sys.modules.get(above, object)).get(last) is sys.modules[name]:
                monkeypatch.delattr(sys.modules[above], last)
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])


def test_the_extras_are_those_that_are_promised() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    promised = {"pettingzoo", "gymnasium", "torch", "tensorboard", "report", "ray", "slurm", "testing"}
    assert promised <= declared.keys()
    assert set(extras.EXTRAS.values()) <= declared.keys()
    needed = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    for module, extra in extras.EXTRAS.items():
        assert any(one.startswith(module) for one in declared[extra])
        assert module not in needed


def test_training_works_without_extras_and_says_what_is_not_drawn(
    bare: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--out", "run", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["state"] == "done"
    assert "curves.png is not drawn: this needs matplotlib" in err
    assert "bnpg[report]" in err


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ([*TRAIN, "--out", "other", "--log", "tensorboard"], "tensorboardX", "tensorboard"),
        (["report", "run"], "jinja2", "report"),
        (["watch", "run"], "jinja2|starlette|uvicorn", "report"),
    ],
)
def test_a_command_that_lacks_its_extra_says_which(
    bare: None, capsys: pytest.CaptureFixture[str], command: list[str], module: str, extra: str
) -> None:
    assert main([*TRAIN, "--out", "run", "--json"]) == 0
    capsys.readouterr()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert re.search(rf"needs ({module}), which is not installed: pip install 'bnpg\[{extra}\]'", told)
    assert len(told.splitlines()) == 1
    assert not Path("other").exists()


def test_a_sweep_without_extras_has_its_tables(bare: None) -> None:
    base = {"game": "climbing", "mode": "exact", "rounds": 2}
    ended = bnpg.sweep({"dag": ["empty", "0-1"]}, "sweep", base=base, jobs=1)
    assert ended.done == 2
    assert Path("sweep/table.csv").exists()
    assert sum("bnpg[report]" in warning for warning in ended.warnings) == 2


def test_python_says_it_too(bare: None) -> None:
    run = bnpg.train("climbing", rounds=1, lanes=8)
    for asked in (run.plot, run.report):
        with pytest.raises(bnpg.InputError, match=r"pip install 'bnpg\[report\]'"):
            asked()
