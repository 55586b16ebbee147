"""What an agent does, as text: see `tests/traces/agents/`.

`pytest --update-transcripts` writes what the machine does; read the difference before you commit it.
"""

from pathlib import Path

import pytest

from bnpg.lab.testing.stages import AgentStage
from bnpg.lab.testing.transcript import transcripts

FOLDER = Path(__file__).parents[1] / "traces" / "agents"


@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_the_machine_does_what_the_transcript_says(path, check_transcript):
    check_transcript(AgentStage(), path)


def test_there_are_transcripts():
    assert transcripts(FOLDER)
