"""The examples of the how-to about testing are tests, and they pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bnpg.lab.testing.stages import AgentStage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-message-ordering.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(400)  # a whole suite, in a process of its own
def test_the_examples_pass(tmp_path):
    conftest, *examples = blocks("python")
    assert len(examples) == 3
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_examples.py").write_text("\n\n".join(reversed(examples)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-o", "asyncio_mode=auto", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=350,
        cwd=tmp_path,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_transcript_is_what_an_agent_does():
    [text] = blocks("text")
    assert AgentStage().play(text) == text
