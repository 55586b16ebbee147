"""The alarm over an environment: it goes off while that runs, and never again."""

import asyncio
import signal
import sys
import time
from types import SimpleNamespace

import pytest
from bnpg_coordinator.environments import watch
from bnpg_coordinator.environments.foreign import Hung
from bnpg_coordinator.environments.watch import TICKS, Watch


@pytest.fixture(autouse=True)
def _as_before():
    before = signal.getsignal(signal.SIGALRM), sys.unraisablehook
    yield
    assert (signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before


def test_what_is_quick_is_left_alone():
    done = []
    Watch(60.0, str).over(lambda: done.append(1))
    assert done == [1]


@pytest.mark.parametrize("ticks", [1, TICKS - 1, TICKS])
def test_one_alarm_is_not_the_end_of_a_limit(ticks):
    """A process that is stopped for however long finds one when it is woken."""

    def play():
        for _ in range(ticks):
            signal.raise_signal(signal.SIGALRM)
        return 3

    if ticks < TICKS:
        assert Watch(60.0, str).over(play) == 3
    else:
        with pytest.raises(Hung):
            Watch(60.0, str).over(play)


def test_an_error_of_its_own_is_its_own():
    def fails():
        raise KeyError("a")

    with pytest.raises(KeyError):
        Watch(60.0, str).over(fails)


def test_what_it_raises_when_the_alarm_goes_off_is_the_alarm_and_ctrl_c_is_not():
    def becomes(kind):
        try:
            for _ in range(TICKS):
                signal.raise_signal(signal.SIGALRM)
        except Hung:
            raise kind from None

    with pytest.raises(Hung):
        Watch(60.0, str).over(lambda: becomes(asyncio.CancelledError))
    with pytest.raises(KeyboardInterrupt):
        Watch(60.0, str).over(lambda: becomes(KeyboardInterrupt))


@pytest.mark.parametrize("last", [0.0, 0.02])
def test_whoever_has_an_alarm_too_gets_it_back(last):
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    theirs = signal.setitimer(signal.ITIMER_REAL, 0.01 if last else 60.0, 30.0)
    try:
        Watch(40.0, str).over(lambda: time.sleep(last))
        left = signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *theirs)
    assert bool(rung) == bool(last)
    assert left[1] == 30.0
    assert (40.0 < left[0] <= 60.0) != bool(last)


def test_an_interrupt_is_no_hang():
    """Whoever presses Ctrl-C while an environment hangs has not waited for the alarm."""

    def interrupted():
        try:
            time.sleep(60.0)
        except Hung:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        Watch(0.5, str).over(interrupted)


def test_an_alarm_that_is_under_way_when_the_watch_ends_does_nothing(monkeypatch):
    """The clock may run out after the last step, and before the alarm is taken away."""
    watched = Watch(60.0, str)
    late = []

    def stopped(which, seconds, *again):
        if seconds == 0.0:
            late.append(signal.getsignal(signal.SIGALRM))
            signal.raise_signal(signal.SIGALRM)
        return signal.setitimer(which, seconds, *again)

    real = {name: getattr(signal, name) for name in ("SIGALRM", "ITIMER_REAL", "signal", "getitimer")}
    monkeypatch.setattr(watch, "signal", SimpleNamespace(**real, setitimer=stopped))
    watched.over(lambda: None)
    assert late == [watched._ring]


def test_it_goes_off_at_any_moment_of_the_watch_and_not_after():
    """Limits as short as the watch itself, so that the alarm meets each of its steps."""
    hung = 0
    for turn in range(20_000):
        try:
            Watch(1e-6 + turn % 100 * 1e-6, str).over(lambda: None)
        except Hung:
            hung += 1
    assert 0 < hung < 20_000


def test_other_words_that_reach_nobody_are_still_printed(capfd):
    class Broken:
        def __del__(self):
            raise ValueError("of the environment")

    def catches():
        try:
            time.sleep(60.0)
        except Hung:
            Broken()

    hook, sys.unraisablehook = sys.unraisablehook, sys.__unraisablehook__
    try:
        with pytest.raises(Hung):
            Watch(0.5, str).over(catches)
    finally:
        sys.unraisablehook = hook
    assert "of the environment" in capfd.readouterr().err


def test_what_was_watched_is_returned():
    assert Watch(60.0, str).over(lambda: 3) == 3
