"""What the coordinator does, as text: see `tests/traces/coordinator/`.

`pytest --update-transcripts` writes what the machine does; read the difference before you commit it.
"""

from pathlib import Path

import pytest

from bnpg.lab.testing.stages import CoordinatorStage
from bnpg.lab.testing.transcript import transcripts

FOLDER = Path(__file__).parents[1] / "traces" / "coordinator"


@pytest.mark.parametrize("path", transcripts(FOLDER), ids=lambda path: path.stem)
def test_the_machine_does_what_the_transcript_says(path, check_transcript):
    check_transcript(CoordinatorStage(), path)


def test_there_are_transcripts():
    assert transcripts(FOLDER)
