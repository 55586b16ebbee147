"""Numbers that are not finite, for formats that only know finite ones: null, with the reason beside it."""

import math
from typing import Any


def finite_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers that are not finite by None, each with a reason beside it.

    Parameters
    ----------
    fields : dict
        Numbers, and lists of numbers, by name; whatever else there is stays as it is.

    Returns
    -------
    dict
        `KEY: None, KEY_reason: "nan is not finite"` for a number that is not; in a list only such
        numbers become None, and the reason names the first.

    Examples
    --------
    >>> finite_fields({"value": float("inf"), "gap": 0.5})
    {'value': None, 'value_reason': 'inf is not finite', 'gap': 0.5}
    """
    result: dict[str, Any] = {}
    for key, value in fields.items():
        numbers = value if isinstance(value, list) else [value]
        lost = [number for number in numbers if _lost(number)]
        if not lost:
            result[key] = value
            continue
        kept = [None if _lost(number) else number for number in numbers]
        result[key] = kept if isinstance(value, list) else None
        result[f"{key}_reason"] = f"{lost[0]} is not finite"
    return result


def _lost(number: Any) -> bool:
    return isinstance(number, float) and not math.isfinite(number)
