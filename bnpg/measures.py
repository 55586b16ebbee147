"""The numbers by which a run is judged, in words."""

MEASURES = {
    "value": "value",
    "optimality_gap": "optimality gap",
    "nash_gap": "Nash gap",
    "return_mean": "return",
    "objective": "objective",
    "gradient_norm": "gradient norm",
}
"""Fields of the record, as people read them."""
GAPS = {key: MEASURES[key] for key in ("optimality_gap", "nash_gap")}


def named(*keys: str, **others: str) -> dict[str, str]:
    """Return these fields in words, in their order; `others` are said in words of their own."""
    return {key: MEASURES.get(key, key) for key in keys} | others
