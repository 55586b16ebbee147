"""Text files as editors on Windows save them, with a byte order mark and CRLF, are read like any other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bnpg_coordinator.experiment import read_experiment
from bnpg_protocol.process.faults.plan import read_plan
from bnpg_protocol.process.security.roster import read_roster

from bnpg.run_folder import read_settings
from bnpg.sweeps.grid import read_grid

EXPERIMENT = 'game = "climbing"\nmode = "exact"\nrounds = 1\n'


def plain_and_marked(folder: Path, name: str, text: str) -> tuple[Path, Path]:
    paths = []
    for kind, content in (
        ("plain", text.encode()),
        ("marked", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()),
    ):
        (folder / kind).mkdir(exist_ok=True)
        paths.append(folder / kind / name)
        paths[-1].write_bytes(content)
    return paths[0], paths[1]


READERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "experiment.toml": (read_experiment, EXPERIMENT),
    "faults.toml": (read_plan, "seed = 3\n"),
    "roster.toml": (read_roster, '[agents]\n0 = "' + 40 * "a" + '"\n'),
    "launch.toml": (read_settings, 'launcher = "memory"\nfsync = false\n'),
    "sweep.toml": (
        lambda path: replace(read_grid(path), folder=Path()),
        '[base]\ngame = "climbing"\nrounds = 1\n[grid]\nseed = [1, 2]\n',
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_changes_nothing(name: str, here: Path) -> None:
    read, text = READERS[name]
    plain, marked = plain_and_marked(here, name, text)
    assert read(marked) == read(plain)


def test_a_run_of_such_files_is_the_same_run(run: Callable[..., Any], here: Path) -> None:
    plain_and_marked(here, "e.toml", EXPERIMENT + 'dag = "team.edges"\n')
    plain_and_marked(here, "team.edges", "1 0\n")
    digests = set()
    for kind in ("plain", "marked"):
        command = ("train", f"{kind}/e.toml", "--launcher", "memory", "--no-fsync", "--quiet")
        assert run(*command, "--save-policy", "--out", f"{kind}/run").code == 0
        digests.add((here / kind / "run/policy.npz").read_bytes())
    assert len(digests) == 1
