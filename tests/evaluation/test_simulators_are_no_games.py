"""Where a model is needed, a simulator is told apart from a wrong name, with what there is instead."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import bnpg
from bnpg.cli.root import bnpg as bnpg_command
from bnpg_math.errors import GameError

SIMULATORS = ["relay", "coordination(T=25)", "pettingzoo:mpe2.simple_spread_v3", "mine:make"]


@pytest.mark.parametrize("world", SIMULATORS)
@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (["evaluate", "WORLD", "--policy", "none.npz"], "`bnpg play RUN` shows episodes"),
        (["dag", "advise", "WORLD"], "`bnpg edges RUN` measures what every edge"),
        (["games", "export", "WORLD", "none.npz"], "there are no tables to export"),
    ],
)
def test_one_line_says_that_it_is_a_simulator_and_what_there_is_instead(
    world: str, command: list[str], instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [world if one == "WORLD" else one for one in command]
    with pytest.raises(GameError) as refused:
        CliRunner().invoke(bnpg_command, arguments, standalone_mode=False, catch_exceptions=False)
    assert str(refused.value).startswith(f"{world} is a simulator, whose model is not known: ")
    assert instead in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_program_is_told_so_too() -> None:
    with pytest.raises(GameError, match="relay is a simulator, whose model is not known: values and gaps"):
        bnpg.game("relay")
    with pytest.raises(GameError, match="unknown game 'rellay'"):
        bnpg.game("rellay")
