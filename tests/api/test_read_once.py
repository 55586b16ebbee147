"""A run from Python builds its game once, reads every file once, and loads nothing that it does not use."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import collections, json, os, sys
import bnpg, bnpg.experiment_plan, bnpg_coordinator.loading

built, opened = [], collections.Counter()
for module in (bnpg.experiment_plan, bnpg_coordinator.loading):
    def counted(*given, build=module.find_game):
        built.append(given)
        return build(*given)
    module.find_game = counted

def audit(event, arguments):
    reads = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    if reads and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.relpath(os.path.abspath(os.fspath(arguments[0])), os.path.abspath("run"))
        if not path.startswith("..") and os.path.isfile(arguments[0]):
            opened[path] += 1

sys.addaudithook(audit)
bnpg.train("climbing", rounds=3, lanes=4, out="run")
print(json.dumps({"built": len(built), "opened": opened, "zmq": "zmq" in sys.modules}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path_factory.mktemp("once"),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_game_is_built_once(seen: dict[str, Any]) -> None:
    assert seen["built"] == 1


def test_what_was_just_written_is_not_read(seen: dict[str, Any]) -> None:
    assert not {"experiment.toml", "run.json", "launch.toml"} & set(seen["opened"])


def test_every_file_is_read_once(seen: dict[str, Any]) -> None:
    opened = dict(seen["opened"])
    # The coordinator's word first, then the whole summary that takes its place: two files of one name.
    assert opened.pop("summary.json") == 2
    assert set(opened.values()) == {1}, opened
    assert any(Path(name).name == "theta.slots" for name in opened)
    assert "metrics.jsonl" in opened


def test_a_run_in_memory_loads_no_sockets(seen: dict[str, Any]) -> None:
    assert not seen["zmq"]
