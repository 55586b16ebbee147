"""The numbers of a run in words, for lines and for the terminal."""

_TICKS = "▁▂▃▄▅▆▇█"


def in_words(latest: dict[str, float]) -> list[tuple[str, str]]:
    """Return names and values of what is known, the most telling first.

    Parameters
    ----------
    latest : dict
        The latest value of every recorded number.
    """
    words = []
    if "return_mean" in latest:
        error = latest.get("return_stderr")
        words.append(("return", f"{latest['return_mean']:.3f}" + (f" ± {error:.3f}" if error else "")))
    if "value" in latest:
        words.append(("exact value", f"{latest['value']:.4f}"))
    if "optimality_gap" in latest:
        words.append(("optimality gap", f"{latest['optimality_gap']:.4g}"))
    if "nash_gap" in latest:
        words.append(("Nash gap", f"{latest['nash_gap']:.4g}"))
    return words


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
