"""Times in words, for every page, line and picture."""


def duration(seconds: float) -> str:
    """Return a time as a person says it: three digits and a unit, from a minute on in two units.

    Parameters
    ----------
    seconds : float
        At least 0.

    Examples
    --------
    >>> duration(0), duration(0.01234), duration(59.94), duration(90.4), duration(7262)
    ('0 s', '12.3 ms', '59.9 s', '1 min 30 s', '2 h 1 min')
    """
    shown = float(f"{seconds:.3g}")  # 0.9999 s is 1 s, not 1000 ms
    if shown >= 60:
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return f"{minutes} min {rest} s"
        return f"{minutes // 60} h {minutes % 60} min"
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if shown >= size or shown == 0:
            return f"{shown / size:.3g} {unit}"
    return f"{shown / 1e-9:.3g} ns"
