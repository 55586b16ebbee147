"""The examples in docstrings come out as shown; those of the Python interface are in `tests/api`."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("agents", "bnpg", "bnpg_math", "coordinator", "protocol")
WITH_EXAMPLES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for file in sorted((ROOT / room).rglob("*.py"))
    if ">>> " in file.read_text(encoding="utf-8") and file.parent != ROOT / "bnpg" / "api"
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_come_out_as_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert ran.attempted > 0
    assert ran.failed == 0, capsys.readouterr().out
