"""What a launcher hears of a host through the output of a command, and how long it waits for hosts."""

import sys

import pytest

from bnpg.launchers import hosts
from bnpg.launchers.host import Report
from bnpg.launchers.hosts import CommandPlace, PipeChannel
from bnpg.launchers.place import Order

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


HANGS = [sys.executable, "-c", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pause()"]


def test_hosts_that_hang_are_waited_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    usual = PipeChannel.wait

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()

    def wait(channel: PipeChannel, seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds
        usual(channel, 0.01)  # long enough for one that hangs

    monkeypatch.setattr(hosts, "time", clock)
    monkeypatch.setattr(PipeChannel, "wait", wait)
    with CommandPlace(dict.fromkeys("abcd", HANGS), "") as place:
        place.start([Order(name=name, package="none", arguments=()) for name in "abcd"])
    assert waits == [hosts.GRACE + 4.0, *[hosts.UNHEARD] * 3]
