"""Files to be read."""

import os
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg_math.errors import GameError

TIGER = """# the tiger, two listeners
agents: 2
discount: 0.9
values: reward
states: tiger-left tiger-right
start:
uniform
actions:
listen open-left open-right
listen open-left open-right
observations:
hear-left hear-right
hear-left hear-right
T: * :
uniform
T: listen listen :
identity
O: * :
uniform
O: listen listen : tiger-left : hear-left hear-left : 0.7225
O: listen listen : tiger-left : hear-left hear-right : 0.1275
O: listen listen : tiger-left : hear-right hear-left : 0.1275
O: listen listen : tiger-left : hear-right hear-right : 0.0225
O: 0 : tiger-right :
0.0225 0.1275 0.1275 0.7225
R: listen listen : * : * : * : -2
R: open-left open-left : tiger-left : * : * : -50
R: 2 2 : tiger-right : * : * : -50
R: open-left open-left : tiger-right : * : * : +20
R: open-right open-right : tiger-left : * : * : 20
R: open-left open-right: * : * : * : -100
R: open-right open-left: * : * : * : -100
"""

COORDINATE = """NFG 1 R "meet, or not"
{ "row" "column" }
{ { "up" "middle" "down" } { "left" "right" } }
"a comment with \\"quotes\\" in it"
{
{ "meet" 3, 3 }
{ "late" 1/2 1/2 }
}
1 2 0
0 2 1
"""


def said_in_one_line(read, path: Path) -> bool:
    """Read a file that may be bad: a game, or one line that names the file."""
    try:
        return bool(read(path).states)
    except GameError as reason:
        return "\n" not in str(reason) and path.name in str(reason)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tiger(here: Path) -> Path:
    (here / "tiger.dpomdp").write_text(TIGER)
    return here / "tiger.dpomdp"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]):
    """Run a command that must end with exit code 2 and one line, and return the line."""

    def run(*arguments: object) -> str:
        before = set(os.listdir())
        assert main([str(one) for one in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("bnpg: error: ")
        assert captured.err.count("\n") == 1
        assert set(os.listdir()) == before
        return captured.err

    return run
