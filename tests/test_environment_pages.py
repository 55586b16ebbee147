"""The pages on environments: what they show is put into files, run, and comes out as shown."""

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("pettingzoo", reason="needs pettingzoo: requirements/dev.txt")

from bnpg.__main__ import main

DOCS = Path(__file__).parent.parent / "docs"
QUICK = ["--launcher", "memory", "--quiet", "--no-fsync"]


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for module in ("lanterns", "encoders"):
        sys.modules.pop(module, None)
    return tmp_path


def test_your_own_environment_in_ten_minutes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment, from_python = blocks("your-own-environment.md", "python")
    (here / "lanterns.py").write_text(environment)
    for block in blocks("your-own-environment.md", "console"):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.M)[1:]
        for command, shown in zip(parts[::2], parts[1::2], strict=True):
            words = command.split()[1:]
            assert main([*words, *(QUICK if words[0] == "train" else [])]) == 0
            heard = capsys.readouterr().out
            for line in shown.splitlines():
                assert line in ("...", "") or line in heard, f"$ {command}\nshows {line!r}, got:\n{heard}"
    sys.modules.pop("lanterns", None)
    sys.path.insert(0, str(here))
    try:
        exec(compile(from_python, "from_python.py", "exec"), {"__name__": "notebook"})  # noqa: S102
    finally:
        sys.path.remove(str(here))
    assert capsys.readouterr().out == "5.0\n"


def test_an_environment_that_forgets_its_seed_is_found_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = blocks("your-own-environment.md", "python")[0]
    (here / "lanterns.py").write_text(environment.replace("default_rng(seed)", "default_rng()"))
    assert main(["env", "check", "lanterns:Lanterns"]) == 5
    why = "played with the same seed in other instances, it differs in what is seen (by agent 0) at lane "
    assert f"bnpg: error: {why}" in capsys.readouterr().err
    assert main(["train", "lanterns:Lanterns", *QUICK]) == 2
    heard = capsys.readouterr().err
    assert f"is not a function of its seed: {why}" in heard
    assert "fresh" not in heard


def test_the_encoder_on_the_page_on_simulators(here: Path) -> None:
    (encoder,) = blocks("how-to/simulators.md", "python")
    (here / "encoders.py").write_text(encoder)
    command = ["train", "spread", "--encoder", "encoders:corner", "--dag", "line", "--steps", "25"]
    assert main([*command, "--rounds", "2", "--lanes", "16", *QUICK]) == 0
