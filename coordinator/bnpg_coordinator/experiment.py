"""The experiment: all that the result of a run depends on, and how it is measured and stored.

Each setting is declared once, here. Options and their help, `bnpg.train`, experiment files, grids of a sweep
and columns of its table, the report, its command that gives a run again, and the page of settings follow.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import tomli_w
from bnpg_protocol.process.settings import Declared, Setting, SettingError, convert, declared, written
from msgspec import Meta, Struct

from bnpg_files.reading import read_toml
from bnpg_math.errors import InputError
from bnpg_math.policies.spec import PolicySpec, parse_policy

if TYPE_CHECKING:
    from bnpg_math.dag import Dag
    from bnpg_math.learning.regularization import Regularization

Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
Squarable = Annotated[float, Meta(ge=0, le=1e150)]
"""Not negative, and small enough that the square of a gradient as large does not overflow."""
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class ExperimentSetting(Setting):
    """What there is to say of a field of an experiment.

    Parameters
    ----------
    mode : {'', 'sampled', 'exact'}
        The only mode in which it has any effect; empty if there is no such mode.
    needs : str
        Why the other mode refuses any value but the default; empty if it does not care.
    decides : {'result', 'length', 'speed', 'record'}
        What depends on it: the numbers of a round; only how many rounds there are; only how fast they are;
        only what is measured and stored.
    by_content : bool
        Whether it names something whose content counts, not its name.
    played : {'', 'simulators'}
        The only worlds in which it has any effect; empty if there are no such worlds.
    networks : bool
        Whether it has an effect only where a critic learns with networks.
    original : bool
        Whether it was there in the first version, whose digests name it even at its default. One that came
        later counts where it differs from the default, so that runs from before keep their digest.
    """

    _: KW_ONLY
    mode: Literal["", "sampled", "exact"] = ""
    needs: str = ""
    decides: Literal["result", "length", "speed", "record"] = "result"
    by_content: bool = False
    played: Literal["", "simulators"] = ""
    networks: bool = False
    original: bool = False

    @property
    def facts(self) -> tuple[str, ...]:
        """What else a help text says beside the default."""
        critic = "update a2c and ppo" * self.networks
        return tuple(fact for fact in (f"{self.mode} mode" * bool(self.mode), self.played, critic) if fact)


MOST_PASSES = 1000
"""Passes through a round, and parts of a pass: nothing interrupts an update."""
MOST_ROUNDS = 10**9
"""That an experiment may ask for, and a record may count."""
_OBJECTIVE = "where the coordinator knows the objective; in sampled mode it only has estimates"


class Experiment(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """What is run, in the order in which it is stored."""

    game: Annotated[
        str,
        ExperimentSetting(
            "What is played: a built-in game such as `coordination(agents=5)`, a game file, a simulator such "
            "as `relay(agents=4)`, `pettingzoo:MODULE`, `gymnasium:ID` or `module:function`.",
            symbol="WORLD",
            by_content=True,
        ),
    ]
    mode: Annotated[
        Literal["sampled", "exact"],
        ExperimentSetting("Learn from played episodes, or from the known model.", original=True),
    ] = "sampled"
    dag: Annotated[
        str,
        ExperimentSetting(
            "Who sees whose action: `empty`, `line`, `star`, `complete`, edges such as `0-1,0-2`, or a file.",
            symbol="NAME|EDGES|FILE",
            remark=", or that of the initial policy",
            original=True,
        ),
    ] = "line"
    rounds: Annotated[
        int,
        Meta(ge=0, le=MOST_ROUNDS),
        ExperimentSetting("Number of updates.", symbol="R", unit="updates", decides="length"),
    ] = 200
    learning_rate: Annotated[
        Positive | Literal["auto", "certified"],
        ExperimentSetting(
            "Step size eta; `auto` fits the range of the returns, and `certified` is 1/beta, for which exact "
            "updates never do harm.",
            symbol="ETA",
            original=True,
        ),
    ] = "auto"
    optimizer: Annotated[
        Literal["auto", "ascent", "adam", "natural", "normalised"],
        ExperimentSetting(
            "What takes a step along the gradient: `ascent` is update (3), `adam` divides entries by their "
            "own size (sampled mode), `natural` by how often rows are met and actions tried, `normalised` "
            "levels rows and divides all by the largest entry (sampled mode, tables); where {learning-rate} "
            "is auto, `auto` in sampled mode is `normalised` for tables in games and `adam` for others; else "
            "it is `ascent`."
        ),
    ] = "auto"
    schedule: Annotated[
        Literal["constant", "linear"],
        ExperimentSetting(
            "Whether {learning-rate} stays, or goes down in a line to 0 over {rounds}.",
            mode="sampled",
            needs="where steps are noisy; exact ones may be chosen by step-size",
        ),
    ] = "constant"
    step_size: Annotated[
        Literal["fixed", "backtracking", "barzilai-borwein"],
        ExperimentSetting(
            "Take {learning-rate} for each update, or let the coordinator choose, who tries that first; "
            "where that is auto, `fixed` is `backtracking`.",
            mode="exact",
            needs=_OBJECTIVE,
        ),
    ] = "fixed"
    direction: Annotated[
        Literal["gradient", "natural"],
        ExperimentSetting(
            "What an update follows: the gradient, or the natural one.", mode="exact", needs=_OBJECTIVE
        ),
    ] = "gradient"
    momentum: Annotated[
        Literal["none", "nesterov"],
        ExperimentSetting(
            "Whether updates are extrapolated, which begins anew whenever it does not pay.",
            mode="exact",
            needs=_OBJECTIVE,
        ),
    ] = "none"
    regularization: Annotated[
        Squarable,
        ExperimentSetting("Weight lambda of the log barrier.", symbol="LAMBDA", original=True),
    ] = 0.0
    barrier: Annotated[
        Literal["uniform", "weighted"],
        ExperimentSetting(
            "How {regularization} is spread over the agents: as in the paper, or so that sparse graphs have "
            "no bad stationary points in games that are sums over its families; needs a perfect graph."
        ),
    ] = "uniform"
    policy: Annotated[
        str,
        ExperimentSetting(
            "What each agent learns: `table`, a softmax over a table of logits; `direct`, a table of "
            "probabilities that is projected back onto the simplex (exact mode); or `mlp:64,64`, a network "
            "with such hidden layers (sampled mode).",
            symbol="table|direct|mlp:W,W",
        ),
    ] = "table"
    update: Annotated[
        Literal["gradient", "a2c", "ppo"],
        ExperimentSetting(
            "What agents do with the signal: `gradient` is update (3); `a2c` and `ppo` follow the advantages "
            "of a critic at the coordinator, by Adam, and need a network as {policy}.",
            mode="sampled",
            needs="where a round is played: a critic learns from rewards",
        ),
    ] = "gradient"
    epochs: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_PASSES)],
        ExperimentSetting(
            "Passes through a round of `ppo` and of the critic; `a2c` makes one.",
            unit="passes",
            mode="sampled",
            networks=True,
        ),
    ] = 5
    minibatches: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_PASSES)],
        ExperimentSetting("Parts of a pass, a step each.", mode="sampled", networks=True),
    ] = 1
    clip: Annotated[
        Positive,
        ExperimentSetting(
            "How far `ppo` lets the ratio of probabilities go from 1.", mode="sampled", networks=True
        ),
    ] = 0.2
    entropy: Annotated[
        NotNegative,
        ExperimentSetting("Weight of the entropy in `a2c` and `ppo`.", mode="sampled", networks=True),
    ] = 0.0
    gae_lambda: Annotated[
        Share,
        ExperimentSetting(
            "Lambda of the advantages: 0 trusts the critic, 1 the returns.", mode="sampled", networks=True
        ),
    ] = 0.95
    longest_gradient: Annotated[
        Positive,
        ExperimentSetting(
            "Length to which gradients of `a2c` and `ppo` are shortened.", mode="sampled", networks=True
        ),
    ] = 0.5
    critic: Annotated[
        str,
        ExperimentSetting(
            "The critic's network, which sees what the whole team sees.",
            symbol="mlp:W,W",
            mode="sampled",
            networks=True,
        ),
    ] = "mlp:64,64"
    critic_learning_rate: Annotated[
        Positive,
        ExperimentSetting("Step size of the critic.", symbol="ETA", mode="sampled", networks=True),
    ] = 0.001
    lanes: Annotated[
        Count,
        ExperimentSetting(
            "Episodes of a round, played side by side.",
            symbol="B",
            unit="episodes",
            mode="sampled",
            original=True,
        ),
    ] = 256
    parts: Annotated[
        Count,
        ExperimentSetting(
            "Parts in which the lanes are stepped, so that agents and environment overlap.",
            symbol="P",
            mode="sampled",
            decides="speed",
        ),
    ] = 1
    horizon: Annotated[
        Count | Literal["geometric", "geometric-visit"],
        ExperimentSetting(
            "Steps of an episode: an integer truncates, the geometric ones are unbiased.",
            symbol="T",
            unit="steps",
            mode="sampled",
            original=True,
        ),
    ] = "geometric"
    sure_steps: Annotated[
        int,
        Meta(ge=0, le=10**6),
        ExperimentSetting(
            "Steps that an episode of the geometric horizon lasts for sure before it may end.",
            symbol="T0",
            unit="steps",
            mode="sampled",
        ),
    ] = 0
    steps: Annotated[
        Count,
        ExperimentSetting(
            "Environment steps of a simulated round, a lane; episodes follow each other within it.",
            symbol="T",
            unit="steps",
            mode="sampled",
            played="simulators",
        ),
    ] = 100
    discount: Annotated[
        float,
        Meta(ge=0, le=1),
        ExperimentSetting(
            "Discount gamma of a simulator's rewards; a game has its own.",
            symbol="GAMMA",
            mode="sampled",
            played="simulators",
        ),
    ] = 0.99
    world: Annotated[
        str,
        ExperimentSetting(
            "What is passed on to a simulator, `key=value`; several by commas, or given several times.",
            symbol="KEY=VALUE",
            by_content=True,
            repeated=True,
            played="simulators",
        ),
    ] = ""
    encoder: Annotated[
        str,
        ExperimentSetting(
            "A function of yours from an observation to a state, `module:function`, with an attribute "
            "`states`; for tables where there is no end of observations.",
            symbol="MODULE:FUNCTION",
            mode="sampled",
            played="simulators",
        ),
    ] = ""
    team_reward: Annotated[
        Literal["mean", "sum"],
        ExperimentSetting(
            "What the team gets where an environment rewards each agent.", mode="sampled", played="simulators"
        ),
    ] = "mean"
    instances: Annotated[
        Literal["kept", "fresh"],
        ExperimentSetting(
            "Whether an environment is reset for every episode, or made anew because it carries something "
            "over.",
            mode="sampled",
            played="simulators",
        ),
    ] = "kept"
    baseline: Annotated[
        Literal["auto", "cross-fit", "centred", "td", "none"],
        ExperimentSetting(
            "What is subtracted from returns: the mean of the other half of the lanes (`cross-fit`), that "
            "and their mean reward at every step (`centred`), or nothing; or what takes the place of what "
            "follows a step, the value of the next state (`td`); `auto` is `td` for tables in games where "
            "{learning-rate} is auto (`centred` for networks there, and with {horizon} geometric-visit), and "
            "else `cross-fit`.",
            mode="sampled",
            original=True,
        ),
    ] = "auto"
    initial: Annotated[
        str,
        ExperimentSetting(
            "Starting theta: `zeros`, `normal`, which is N(0, 1) keyed by the seed, or a policy file; "
            "networks start from weights keyed by the seed, or from a file of networks.",
            symbol="POLICY.npz|zeros|normal",
            by_content=True,
        ),
    ] = "zeros"
    seed: Annotated[
        int,
        Meta(ge=0, le=2**63 - 1),
        ExperimentSetting("Key of everything random.", symbol="N", original=True),
    ] = 0
    evaluate_every: Annotated[
        int,
        Meta(ge=0),
        ExperimentSetting(
            "Exact metrics every so many rounds and at the end; 0 is never.",
            symbol="K",
            unit="rounds",
            decides="record",
        ),
    ] = 10
    stop_at_epsilon: Annotated[
        Squarable,
        ExperimentSetting(
            "Train until a gap of so much is certified; {rounds} is the most then. Chooses lambda = "
            "epsilon/M; where M is infinite epsilon/(2C), with C of the uniform policy, unless "
            "{regularization} is given. With a weighted {barrier} what missing edges may cost is taken off "
            "epsilon first.",
            symbol="EPS",
            unit="return",
            remark=": never",
            decides="length",
        ),
    ] = 0.0
    stop_gap: Annotated[
        Literal["nash", "optimality"],
        ExperimentSetting(
            "Which gap {stop-at-epsilon} means: of Nash (tight Lemma 2), or to the optimum (tight Lemma 3, "
            "on the complete DAG). With a weighted {barrier} Theorem D1 certifies both on any perfect DAG.",
            decides="length",
        ),
    ] = "nash"
    certify_samples: Annotated[
        float,
        Meta(ge=0, le=0.5),
        ExperimentSetting(
            "Seek a certificate of the final policy in fresh episodes too, without the model, wrong with at "
            "most this probability.",
            symbol="DELTA",
            unit="probability",
            remark=": none",
            decides="record",
        ),
    ] = 0.0
    save_policy: Annotated[
        bool,
        ExperimentSetting("Gather `policy.npz` at the end, every agent's theta.", decides="record"),
    ] = False
    trace: Annotated[bool, ExperimentSetting("Record every message, for `bnpg trace`.", decides="record")] = (
        False
    )

    @property
    def kind(self) -> PolicySpec:
        """What `policy` names."""
        return parse_policy(self.policy)

    @property
    def has_critic(self) -> bool:
        """Whether a critic learns beside the agents, and signals are its advantages."""
        return self.update != "gradient"

    def weights(self, dag: "Dag", actions: Sequence[int]) -> "Regularization":
        """Return what the agents take for lambda: one number, or one each if the barrier is weighted."""
        # The command line reads the declarations to show its help, and loads no arrays for that.
        from bnpg_math.theory.weighted_barrier import barrier_regularization

        return barrier_regularization(dag, actions, self.regularization, self.barrier)

    def evaluates(self, round_: int) -> bool:
        """Whether theta_round is evaluated exactly."""
        return bool(self.evaluate_every) and (round_ % self.evaluate_every == 0 or round_ == self.rounds)

    @property
    def subtracted(self) -> Literal["cross-fit", "centred", "td", "none"]:
        """The baseline of sampled rounds; `auto` is that of a chosen step size until it is settled."""
        return "cross-fit" if self.baseline == "auto" else self.baseline

    @property
    def by_adam(self) -> bool:
        """Whether Adam takes the steps of sampled rounds, as it always does along advantages."""
        chosen = self.optimizer == "auto" and self.learning_rate == "auto"
        return self.mode == "sampled" and (self.optimizer == "adam" or chosen or self.has_critic)

    @property
    def steps_by(self) -> str:
        """What takes the steps of sampled rounds: `ascent`, `adam`, `natural` or `normalised`."""
        if self.optimizer in ("natural", "normalised"):
            return self.optimizer
        return "adam" if self.by_adam else "ascent"

    @property
    def remembers(self) -> bool:
        """Whether a round needs to know of the rounds before it more than theta."""
        return self.step_size != "fixed" or self.momentum != "none"

    @property
    def goal(self) -> str:
        """What `stop_at_epsilon` asks for, where it does, in words."""
        gap = "a Nash gap" if self.stop_gap == "nash" else "an optimality gap"
        return f"{gap} of at most {written(self.stop_at_epsilon)}"

    @property
    def aim(self) -> dict[str, Any]:
        """How far the run is to go, as its summary says it."""
        return {
            "rounds_total": self.rounds,
            "stop_at_epsilon": self.stop_at_epsilon,
            "stop_gap": self.stop_gap,
        }

    @property
    def is_plainly_natural(self) -> bool:
        """Whether every update is the natural gradient of the value with a fixed step, as in Theorem B."""
        natural = self.mode == "exact" and self.direction == "natural" and self.regularization == 0.0
        return natural and self.step_size == "fixed" and self.momentum == "none"

    @property
    def ascends(self) -> bool:
        """Whether every update raises L_lambda by at least ||grad||^2 / (2 beta), as the theorems assume.

        Up to rounding, which is all of it where rewards are large beside their differences.
        """
        chosen = self.step_size != "fixed" or self.learning_rate == "certified"
        plain = self.direction == "gradient" and self.momentum == "none" and not self.kind.is_direct
        return self.mode == "exact" and plain and chosen


def experiment_settings(kind: type[Experiment] | None = None) -> tuple[Declared[ExperimentSetting], ...]:
    """Return every setting of an experiment, in the order in which they are stored."""
    return declared(kind or Experiment, ExperimentSetting)


def experiment_digest(experiment: Experiment, game_digest: str, initial_digest: str) -> str:
    """Return the digest of all that decides the result; agents keep it beside their checkpoints."""
    # A baseline that nobody chose has the name that it had when there was no other choice.
    fields = msgspec.to_builtins(msgspec.structs.replace(experiment, baseline=experiment.subtracted))
    deciding = {
        field.key: fields[field.key]
        for field in experiment_settings(type(experiment))
        if field.setting.decides == "result"
        and not field.setting.by_content
        and (field.setting.original or getattr(experiment, field.name) != field.default)
    }
    if experiment.schedule != "constant":
        deciding["rounds"] = fields["rounds"]  # how large a step is depends on how many there will be
    deciding |= {"game": game_digest, "initial": initial_digest}
    return hashlib.sha256(msgspec.json.encode(deciding, order="sorted")).hexdigest()[:32]


def experiment_toml(experiment: Experiment) -> str:
    """Return the experiment as TOML, equal to the flags."""
    return tomli_w.dumps(msgspec.to_builtins(experiment))


def experiment_from(given: dict[str, Any]) -> Experiment:
    """Return the experiment with the given settings, by their keys.

    Raises
    ------
    InputError
        If there is no such setting, one is missing, or has a value it cannot have; the text names it.
    """
    try:
        experiment = convert(given, Experiment)
    except SettingError as error:
        raise InputError(str(error)) from None
    parse_policy(experiment.policy)
    return experiment


def read_fields(path: Path) -> dict[str, Any]:
    """Return what an experiment file says, checked, without defaults.

    Raises
    ------
    InputError
        If the file cannot be read or is no experiment; the text names the setting.
    """
    return _read(path)[0]


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    InputError
        If the file cannot be read or is no experiment; the text names the setting.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Any], Experiment]:
    try:
        given = read_toml(path, dict[str, Any], InputError)
    except FileNotFoundError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    try:
        return given, experiment_from(given)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
