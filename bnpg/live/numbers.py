"""The numbers of a run in words, for lines and for the terminal."""

from bnpg_coordinator.line import Line, number

from bnpg.measures import GAPS

_TICKS = "▁▂▃▄▅▆▇█"


def in_words(latest: Line, best: float | None = None) -> list[tuple[str, str, str]]:
    """Return field, name and value of what is known, the most telling first.

    Parameters
    ----------
    latest : Line
        The latest value of every recorded number.
    best : float, optional
        V*, to be said beside the value.
    """
    words = []
    mean, error, value = number(latest.return_mean), number(latest.return_stderr), number(latest.value)
    if mean is not None:
        words.append(("return_mean", "return", f"{mean:.3f}" + (f" ± {error:.3f}" if error else "")))
    if value is not None:
        share = f" ({_percent(value / best)})" if best is not None and best > 0 else ""
        of = "" if best is None else f" of {decimals(best)}{share}"
        words.append(("value", "exact value", f"{decimals(value)}{of}"))
    for key, name in GAPS.items():
        gap = number(getattr(latest, key))
        if gap is not None:
            words.append((key, name, f"{gap:.4g}"))
    return words


def _percent(share: float) -> str:
    """Write a share with one decimal; what is not all is not told as all."""
    return f"{min(100 * share, 99.9) if share < 1 else 100 * share:.1f} %"


def decimals(value: float) -> str:
    """Write a value with four decimals, and a small one with four digits: 0.0000 would say that it is 0."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.4g}"


def sparkline(values: list[float], width: int = 24) -> str:
    """Return a curve of one line; the last values count most, so they are never left out."""
    if len(values) > width:
        step = (len(values) - 1) / (width - 1)
        values = [values[round(k * step)] for k in range(width)]
    if not values:
        return ""
    low, high = min(values), max(values)
    if high <= low:
        return _TICKS[3] * len(values)
    return "".join(_TICKS[round((value - low) / (high - low) * (len(_TICKS) - 1))] for value in values)
