"""What the JSON files of a run folder hold, as far as anybody relies on it.

The types are those of `docs/reference/file-formats.md`. What another version writes besides is let pass.
"""

from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import msgspec
from msgspec import Meta

from bnpg_files.reading import read_json
from bnpg_math.errors import InputError

Count = Annotated[int, Meta(ge=0, le=2**53)]
Number = float | None
Index = Annotated[str, Meta(pattern="^-?[0-9]{1,9}$")]
"""The number of an agent as a key; -1 for one without an id."""


class Identity(TypedDict, total=False):
    """`run.json`."""

    run: Required[Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]]
    game: Required[str]
    game_digest: str | None
    initial_digest: str | None
    experiment: dict[str, Any]
    created: str
    bnpg: str
    python: str
    numpy: str
    numerics: str | None
    simulator: dict[str, Any] | None


class AgentStatus(TypedDict, total=False):
    """What `status.json` says of an agent."""

    incarnation: Required[Count]
    heard_seconds_ago: Required[float]
    phase: Required[str]
    round: Required[Count]
    step: Required[Count]
    lacks: list[str]


class Status(TypedDict, total=False):
    """`status.json`."""

    written: Required[float]
    phase: str
    round: Count
    rounds: Count
    step: Count
    epoch: Count
    generation: Count
    waiting_for: str
    awaited: list[Count]
    team: Count
    edges: list[tuple[Count, Count]]
    agents: dict[Index, AgentStatus]
    rejected: dict[Index, str]
    delivered: Count
    retransmitted: Count
    duplicates: Count
    refused: dict[str, Count]
    turned_away: dict[str, Count]


class RateEntry(TypedDict, total=False):
    """How many rounds a theorem predicts."""

    rounds: Number
    epsilon: Number
    reason: str | None


class Summary(TypedDict, total=False):
    """`summary.json`: the first keys by the coordinator, the others when the run is completed."""

    state: Required[str]
    why: Required[str]
    rounds: Required[Count]
    seconds: float
    rounds_total: Count
    stop_at_epsilon: Number
    stop_gap: str
    processes: Count
    value: Number
    nash_gap: Number
    optimality_gap: Number
    objective: Number
    gradient_norm: Number
    optimal_value: Number
    evaluated_round: Count | None
    return_mean: Number
    return_stderr: Number
    return_low: Number
    return_high: Number
    return_episodes: Count | None
    drawn_return_mean: Number
    drawn_return_low: Number
    drawn_return_high: Number
    policy_digest: str | None
    theta_digests: list[str] | None
    certificate: str | None
    certified: bool | None
    predicted_rounds: dict[str, dict[str, RateEntry]] | None
    value_reason: str
    notices: list[str]
    game: str
    mode: str
    dag: str
    seed: int
    run: str
    numerics: str
    run_dir: str


class Claim(TypedDict):
    """What is proved of a policy."""

    claim: str
    epsilon: float
    by: str


class BoundEntry(TypedDict, total=False):
    """What a lemma says of a policy."""

    norm: str | None
    gradient: Number
    threshold: Number
    met: bool | None
    bound: Number
    measured: Number
    holds: bool | None
    reason: str | None


class Certificate(TypedDict, total=False):
    """`certificate.json`."""

    proved: Required[list[Claim]]
    rounds: Required[Count]
    exact_check: dict[str, Any]
    regularization: Number
    mismatch: Number
    mismatch_reason: str
    dag: list[tuple[int, int]]
    bounds: dict[str, dict[str, BoundEntry]] | None
    predicted_rounds: dict[str, dict[str, RateEntry]] | None
    certified: bool | None
    stop_gap: str | None
    stop_at_epsilon: Number
    game_digest: str
    policy_digest: str


class AloneAgent(TypedDict, total=False):
    """What the team gains when one agent is trained alone."""

    agent: Required[Count]
    gain: Required[float]
    low: Required[float]
    high: Required[float]
    nash_gap_at_least: Required[float]
    nash_gap_at_least_reason: str
    exact_gap: float


class BestResponses(TypedDict, total=False):
    """`best-response.json`."""

    policy_digest: Required[str]
    rounds: Required[Count]
    episodes: Required[Count]
    agents: Required[list[AloneAgent]]


class EdgeEntry(TypedDict, total=False):
    """What the team loses without an edge."""

    parent: Required[Count]
    child: Required[Count]
    value: Required[float]
    low: Required[float]
    high: Required[float]
    exact: float | None
    exact_reason: str


class EdgeValues(TypedDict, total=False):
    """`edges.json`."""

    policy_digest: Required[str]
    episodes: Required[Count]
    edges: Required[list[EdgeEntry]]


COMPLETED = frozenset(
    {
        *(
            "processes",
            "rounds_total",
            "seconds",
            "value",
            "nash_gap",
            "optimality_gap",
            "optimal_value",
            "evaluated_round",
        ),
        *("return_mean", "return_stderr", "policy_digest", "certificate", "certified", "predicted_rounds"),
        *("game", "mode", "dag", "seed"),
    }
)
"""What the summary of a run says, at the latest, when nothing is left to be done."""


def read_document(path: Path, kind: Any) -> dict[str, Any]:
    """Return what a file of a run holds, all of it, checked as far as `kind` says.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    InputError
        One line that names the file, the place in it, what was expected and what is there.
    """
    content = read_json(path, dict[str, Any], InputError)
    try:
        msgspec.convert(content, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return content
