"""The clock of those who wait stands still while everything is stopped."""

from bnpg_protocol.process.awake import COUNTED, LOOK_EVERY, Awake


def test_what_whoever_looks_often_sees_is_the_time() -> None:
    times = [7.0 + LOOK_EVERY * look for look in range(9)]
    awake = Awake(iter(times).__next__)
    assert [awake() for _ in times[1:]] == [time - 7.0 for time in times[1:]]


def test_of_an_hour_in_which_nobody_could_look_little_counts() -> None:
    awake = Awake(iter([0.0, 0.5, 3600.5, 3601.0, 7201.0]).__next__)
    assert [awake() for _ in range(4)] == [0.5, 0.5 + COUNTED, 1.0 + COUNTED, 1.0 + 2 * COUNTED]
