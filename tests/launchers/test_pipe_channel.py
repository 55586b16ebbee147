"""What a launcher hears of a host through the output of a command."""

import sys

from bnpg.launchers.host import Report
from bnpg.launchers.hosts import PipeChannel

GARBLES = r"""
import sys
sys.stdout.buffer.write(b'a prolog ran\n\xff\n5\n{"ended": {"1": 0}}\n')
sys.stdout.buffer.write(b'\n{"ended": "\xff"}\n{"ended": {"2": 3}}\n')
"""


def test_lines_that_are_no_reports_are_passed_over() -> None:
    channel = PipeChannel([sys.executable, "-c", GARBLES])
    heard: list[Report] = []
    while not channel.lost:
        heard += channel.receive()
    channel.close()
    channel.wait(10.0)
    assert heard == [Report(ended={1: 0}), Report(ended={2: 3})]
