"""Which core runs: the compiled one where it was built from these sources and nobody switched it off."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol import core
from bnpg_protocol.core.sources import digest, sources

from bnpg import __version__

SOURCES = Path(core.__file__).parent


def answer(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, timeout=100, check=False, env=os.environ | variables,
    )  # fmt: skip


def test_bnpg_pure_switches_it_off_and_the_version_says_so() -> None:
    told = answer("-m", "bnpg", "--version", BNPG_PURE="1")
    assert told.stdout == f"bnpg {__version__} (core: python)\n"


def test_without_a_compiler_nothing_is_built(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    build = str(SOURCES / "build.py")
    told = answer(build, "--into", str(tmp_path), PATH=str(tmp_path / "bin"), CC="", BNPG_PURE="")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "the core is not compiled: there is no C compiler\n"
    assert answer(build, "--possible", PATH=str(tmp_path / "bin"), CC="", BNPG_PURE="").stderr == ""
    assert not list(tmp_path.glob("_steady*"))


def test_a_core_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "digest", lambda: "0" * 32)
    assert core.name() == core.PYTHON
    assert core.compiled() is None


def test_the_digest_belongs_to_the_content_of_every_source() -> None:
    names = {one.name for one in sources()}
    assert names == {
        "_steady.pyx",
        "agent.pxi",
        "chance.pxi",
        "coordinator.pxi",
        "ends.pxi",
        "exchange.pxi",
        "frames.pxi",
        "lanes.pxi",
        "relay.pxi",
        "unix.pxi",
        "world.pxi",
        "zeromq.pxi",
    }
    assert len(digest()) == 32


@pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")
@pytest.mark.parametrize("transport", ["ipc", "unix"])
def test_real_processes_come_to_the_same_bits_with_either_and_say_which(
    tmp_path: Path, transport: str
) -> None:
    experiment = "coordination(agents=3) --dag line --lanes 3 --rounds 4 --horizon 10 --learning-rate 0.5"
    found = {}
    for pure in ("0", "1"):
        arguments = f"train {experiment} --transport {transport} --launcher local --json --quiet --no-fsync"
        ran = answer("-m", "bnpg", *arguments.split(), "--out", str(tmp_path / pure), BNPG_PURE=pure)
        assert ran.returncode == 0, ran.stderr
        found[pure] = json.loads(ran.stdout)
    assert [found[pure]["core"] for pure in ("0", "1")] == [core.COMPILED, core.PYTHON]
    assert found["0"]["policy_digest"] == found["1"]["policy_digest"]
    chains = [(tmp_path / pure / "metrics.jsonl").read_text().splitlines()[-1] for pure in ("0", "1")]
    assert json.loads(chains[0])["chain"] == json.loads(chains[1])["chain"]
