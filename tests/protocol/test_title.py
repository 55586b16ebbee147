"""A process takes its title wherever its environment begins, which is by chance under an engine."""

import os
import subprocess
import sys

import pytest
from bnpg_protocol.process.threads import ONE_THREAD

PROGRAM = """
from pathlib import Path

from bnpg_protocol.process.threads import use_one_thread
from bnpg_protocol.process.title import set_title

use_one_thread()
set_title(2)
print(Path("/proc/self/cmdline").read_bytes().rstrip(bytes(1)).decode())
"""


@pytest.mark.parametrize("first", [*ONE_THREAD, "PATH"])
def test_a_process_is_named_whatever_its_first_variable_is(first: str) -> None:
    environment = os.environ | ONE_THREAD
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={first: environment.pop(first)} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "bnpg-agent-2\n"
