"""The command line with which processes are started: it gives the very settings, or one line."""

from pathlib import Path
from typing import Any

import pytest
from bnpg_agents.options import AgentOptions
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_protocol.process.arguments import as_arguments, read_arguments
from bnpg_protocol.process.settings import Setting, convert, declared
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from bnpg.lab.testing.settings import structs

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
"""What a command line can hold."""


START = ["--connect", "c", "--state", "s"]


def every(kind: type[Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """Settings of a process with any text and path."""
    texts = {one.key: TEXTS for one in declared(kind, Setting) if one.is_open and "str" in str(one.hint)}
    paths = {
        one.key: TEXTS.map(Path) for one in declared(kind, Setting) if one.is_open and one.key not in texts
    }
    return structs(kind, texts | paths)


@given(every(AgentOptions))
def test_an_agent_reads_what_it_was_given(fields: dict[str, Any]) -> None:
    options = convert(fields, AgentOptions)
    assert read_arguments(AgentOptions, "bnpg-agent", "", as_arguments(options)) == options


@given(every(CoordinatorOptions))
def test_the_coordinator_reads_what_it_was_given(fields: dict[str, Any]) -> None:
    options = convert(fields, CoordinatorOptions)
    assert read_arguments(CoordinatorOptions, "bnpg-coordinator", "", as_arguments(options)) == options


def test_only_what_is_not_the_default_is_written() -> None:
    options = AgentOptions(connect="ipc://c", state=Path("s"), agent=3, fsync=False)
    assert as_arguments(options) == ["--no-fsync", "--connect", "ipc://c", "--state", "s", "--agent", "3"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agent", "1"], "the following arguments are required: --connect, --state"),
        (
            [*START, "--agent", "-1"],
            "--agent: expected an integer of at least 0, got '-1'",
        ),
        (
            [*START, "--patience", "0"],
            "--patience: expected a finite number greater th",
        ),
        ([*START, "--log-level", "loud"], "expected 'debug', 'info', 'warning' or"),
        ([*START, "--patien", "3"], "unrecognized arguments: --patien"),
        ([*START, "more"], "unrecognized arguments: more"),
    ],
)
def test_a_word_that_cannot_be_used_is_one_line_and_exit_code_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(AgentOptions, "bnpg-agent", "An agent.", words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("bnpg-agent: error: ")
    assert says in err


def test_the_help_shows_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(AgentOptions, "bnpg-agent", "An agent.", ["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for one in declared(AgentOptions, Setting):
        assert f"--{one.key}" in text
    assert "Seconds without any progress until it gives up. [600]" in text
