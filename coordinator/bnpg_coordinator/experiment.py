"""The experiment: all that the result of a run depends on, and how it is measured and stored.

`bnpg` builds it from a TOML file and flags; the resolved one is stored in the run folder as
`experiment.toml`, from which a coordinator starts and a run is resumed.
"""

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import tomli_w
from msgspec import Meta, Struct

from bnpg_math.errors import InputError

Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
Count = Annotated[int, Meta(ge=1)]


class Experiment(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """What is run. Everything but `evaluate_every`, `parts`, `save_policy` and `trace` decides the result."""

    game: str
    """A built-in game such as `coordination(agents=5)`, or the path of a game file."""
    mode: Literal["sampled", "exact"] = "sampled"
    """Play episodes, or compute every gradient exactly from the agents' probability tables."""
    dag: str = "line"
    """`empty`, `line`, `star`, `complete`, edges such as `0-1,0-2`, or the path of a file with edges."""
    rounds: Annotated[int, Meta(ge=0)] = 200
    """Number of updates (3)."""
    learning_rate: Positive | Literal["certified"] = 0.1
    """Step size eta; `certified` is 1/beta, tight form of Lemma 4."""
    step_size: Literal["fixed", "backtracking", "barzilai-borwein"] = "fixed"
    """Of exact rounds; unless it is fixed, eta is only the first one that is tried."""
    direction: Literal["gradient", "natural"] = "gradient"
    """What is added to theta in an exact round."""
    momentum: Literal["none", "nesterov"] = "none"
    """Whether exact rounds are extrapolated."""
    regularization: NotNegative = 0.0
    """Weight lambda of the log barrier."""
    lanes: Count = 256
    """Parallel episodes of a sampled round."""
    parts: Count = 1
    """Parts the lanes are stepped in, so that agents and environment overlap; changes only the speed."""
    horizon: Count | Literal["geometric", "geometric-visit"] = "geometric"
    """Steps of an episode: an integer truncates, `geometric` is unbiased."""
    baseline: Literal["cross-fit", "none"] = "cross-fit"
    """What is subtracted from returns: the mean of the other half of the lanes, or nothing."""
    initial: str = "zeros"
    """Starting theta: `zeros`, `normal` (N(0,1) keyed by the seed), or the path of a policy file."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    """Key of every random number of the run."""
    evaluate_every: Annotated[int, Meta(ge=0)] = 10
    """Exact metrics every so many rounds and at the end; 0 means never."""
    stop_at_epsilon: NotNegative = 0.0
    """End with the first round whose policy is certified to have a gap of at most this; 0 means never.

    The regularization must be epsilon / M then, so that the tight lemmas promise exactly that."""
    stop_gap: Literal["nash", "optimality"] = "nash"
    """Which gap: of Nash (tight Lemma 2) or to the optimum (tight Lemma 3, complete DAG)."""
    save_policy: bool = False
    """Gather every agent's theta at the end, as `policy.npz`."""
    trace: bool = False
    """Record every message, for `bnpg trace`."""

    def evaluates(self, round_: int) -> bool:
        """Whether theta_round is evaluated exactly."""
        return bool(self.evaluate_every) and (round_ % self.evaluate_every == 0 or round_ == self.rounds)

    @property
    def remembers(self) -> bool:
        """Whether a round needs to know of the rounds before it more than theta."""
        return self.step_size != "fixed" or self.momentum != "none"

    @property
    def ascends(self) -> bool:
        """Whether every update raises L_lambda by at least ||grad||^2 / (2 beta), as the theorems assume."""
        chosen = self.step_size != "fixed" or self.learning_rate == "certified"
        return self.mode == "exact" and self.direction == "gradient" and self.momentum == "none" and chosen


MEASUREMENT = frozenset({"evaluate-every", "parts", "save-policy", "trace"})
"""Fields that never change a theta."""
LENGTH = frozenset({"rounds", "stop-at-epsilon", "stop-gap"})
"""Fields that decide how many rounds there are, and nothing about any of them."""
ASCENT = frozenset({"step-size", "direction", "momentum"})
"""Fields that came later than the first runs: they count where they differ from the default."""


_DEFAULTS = msgspec.to_builtins(Experiment(game=""))


def experiment_digest(experiment: Experiment, game_digest: str, initial_digest: str) -> str:
    """Return the digest of all that decides the result; agents keep it beside their checkpoints."""
    fields = msgspec.to_builtins(experiment)
    left_out = MEASUREMENT | LENGTH | {"game", "initial"}
    left_out |= {key for key in ASCENT if fields[key] == _DEFAULTS[key]}
    deciding = {key: value for key, value in fields.items() if key not in left_out}
    deciding |= {"game": game_digest, "initial": initial_digest}
    return hashlib.sha256(msgspec.json.encode(deciding, order="sorted")).hexdigest()[:32]


def experiment_toml(experiment: Experiment) -> str:
    """Return the experiment as TOML, equal to the flags."""
    return tomli_w.dumps(msgspec.to_builtins(experiment))


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    InputError
        If the file cannot be read or is no experiment; the text names the field.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    try:
        return msgspec.toml.decode(text, type=Experiment)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
