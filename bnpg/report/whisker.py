"""A difference as a dot, its interval as a bar, and the place of no difference."""

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from bnpg.report.comparison import Difference, spoken
from bnpg_math.arrays.by_two import share_of_way


def whiskers(differences: Sequence[Difference]) -> Callable[[Difference], Markup]:
    """Return what draws a difference with its interval, on a scale of its own measure."""
    ends: dict[tuple[str, str], list[float]] = {}
    for result in differences:
        known = [end for end in (result.low, result.high) if end is not None]
        ends.setdefault((result.game, result.measure), []).extend([0.0, result.middle, *known])
    scales = {key: (min(values), max(values)) for key, values in ends.items()}

    def draw(result: Difference) -> Markup:
        least, most = scales[result.game, result.measure]
        if most <= least:
            return Markup("")

        def at(value: float) -> str:
            return f"{6 + 132 * share_of_way(value, least, most):.1f}"

        known = result.low is not None and result.high is not None
        drawn = (
            f'<line class="range" x1="{at(result.low or 0.0)}" x2="{at(result.high or 0.0)}" y1="9" y2="9"/>'
            if known
            else ""
        )
        label = escape(spoken(result))
        return Markup(  # noqa: S704 (numbers and an escaped label)
            f'<svg class="whisker" viewBox="0 0 144 18" role="img" aria-label="{label}">'
            f'<line class="zero" x1="{at(0.0)}" x2="{at(0.0)}" y1="1" y2="17"/>{drawn}'
            f'<circle cx="{at(result.middle)}" cy="9" r="4"/></svg>'
        )

    return draw
