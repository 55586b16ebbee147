"""What a shell offers."""

import os
import subprocess
import sys

import pytest


def asked(*words: str, instruction: str = "bash_complete") -> tuple[int, list[str], str]:
    """Return how `bnpg` answers a shell that completes the last of some words."""
    surroundings = {
        **os.environ,
        "_BNPG_COMPLETE": instruction,
        "COMP_WORDS": " ".join(("bnpg", *words)),
        "COMP_CWORD": str(len(words)),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "bnpg"],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("tr",), {"plain,train", "plain,trace"}),
        (("train", "cli"), {"plain,climbing", "plain,climbing3", "file,cli"}),
        (("train", "climbing", "--dag", "co"), {"plain,complete", "file,co"}),
        (("train", "climbing", "--mode", "e"), {"plain,exact"}),
        (("train", "climbing", "--opti"), {"plain,--optimizer"}),
    ],
)
def test_words_that_may_stand_there_are_offered(words: tuple[str, ...], offered: set[str]) -> None:
    code, lines, said = asked(*words)
    assert (code, set(lines), said) == (0, offered, "")


def test_the_script_for_a_shell_is_printed() -> None:
    code, lines, said = asked(instruction="bash_source")
    assert (code, said) == (0, "")
    assert any("_BNPG_COMPLETE" in line for line in lines)
