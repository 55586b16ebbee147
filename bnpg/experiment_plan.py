"""From what a person asks for to an experiment that can run, checked before a folder is made."""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from bnpg_coordinator.automatic import settled
from bnpg_coordinator.experiment import Experiment, experiment_from, experiment_settings
from bnpg_coordinator.loading import certified_learning_rate, check_shapes
from bnpg_coordinator.networks import check_kind
from bnpg_coordinator.simulator import PATIENCE, OpenedSimulator, open_simulator, simulates
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS
from bnpg_coordinator.worlds.interface import FollowedPlay
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol.process.settings import did_you_mean

from bnpg.counting import counting
from bnpg.evaluation.effort import is_affordable
from bnpg.evaluation.from_samples import check_effort
from bnpg.notices import announce, warn
from bnpg_math.dag import FAMILIES, Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import GameError, InputError, PolicyError
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.games.file import save_game
from bnpg_math.games.game import Game
from bnpg_math.games.reading import SUFFIXES, is_own
from bnpg_math.games.registry import BUILDERS
from bnpg_math.games.registry import game as find_game
from bnpg_math.networks.spec import parse_hidden
from bnpg_math.policies.file import Policy, check_policy
from bnpg_math.policies.network_file import JointPolicy, NetworkTeam, read_policy, write_policy
from bnpg_math.theory.weighted_bound import edges_price

LARGEST_SIGNAL = 1 << 27
"""Most numbers of one signal: a message holds at most 1 GiB."""


@dataclass(frozen=True)
class ExperimentPlan:
    """An experiment whose every part was looked at, and the files it needs.

    Parameters
    ----------
    experiment : Experiment
        Names `game.npz` and `initial.npz` where a file was given.
    game : Game or None
    dag : Dag
    game_file : Path, Game or None
        To be put into the run folder as `game.npz`.
    initial : Policy, NetworkTeam or None
        To be written into the run folder as `initial.npz`.
    simulator : OpenedSimulator or None
        Instead of a game.
    """

    experiment: Experiment
    game: Game | None
    dag: Dag
    game_file: Path | Game | None = None
    initial: JointPolicy | None = None
    simulator: OpenedSimulator | None = None

    @property
    def name(self) -> str:
        """What is played."""
        return self._played.name

    @property
    def digest(self) -> str:
        """Digest of what is played."""
        return self.game.digest if self.game is not None else self._opened.identity.digest

    @property
    def agents(self) -> int:
        """How many agents play."""
        return self.dag.agents

    @property
    def _opened(self) -> OpenedSimulator:
        assert self.simulator is not None, "either a game or a simulator"
        return self.simulator

    @property
    def _played(self) -> Game | OpenedSimulator:
        return self._opened if self.game is None else self.game

    def write_files(self, folder: Path) -> None:
        """Put the files that the experiment names into a folder."""
        if isinstance(self.game_file, Game):
            save_game(self.game_file, folder / "game.npz", whole=False)
        elif self.game_file is not None:
            shutil.copyfile(self.game_file, folder / "game.npz")
        if self.initial is not None:
            write_policy(self.initial, folder / "initial.npz")


def plan_experiment(
    fields: dict[str, Any],
    base: Path = Path(),
    quiet: bool = True,
    *,
    game: Game | None = None,
    initial: JointPolicy | None = None,
    env: Any = None,
    patience: float = PATIENCE,
) -> ExperimentPlan:
    """Check an experiment.

    Parameters
    ----------
    fields : dict
        Fields of an experiment file, by the names they have there.
    base : Path
        The folder from which relative paths start; one that is not there is looked for in the present folder.
    quiet : bool
        Whether nothing is said on stderr while M is computed for `stop-at-epsilon`.
    game : Game, optional
        Instead of the one that the fields name.
    initial : Policy or NetworkTeam, optional
        Instead of the one that the fields name.

    env : object, optional
        The simulator that a program has at hand, instead of the one that the fields name.
    patience : float
        Seconds without progress after which the run will be given up; a simulator is given half of it.

    Returns
    -------
    ExperimentPlan

    Raises
    ------
    InputError
        One line: the field or file that cannot be used, and why.
    """
    try:
        return _Planner(fields, base, quiet, env, patience).plan(game, initial)
    except OSError as error:
        raise InputError(f"{error.filename or 'a file'} cannot be read: {error.strerror or error}") from None


class _Planner:
    def __init__(
        self, fields: dict[str, Any], base: Path, quiet: bool, env: Any = None, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._env = env
        self._given = fields
        self._base = base
        self._quiet = quiet
        self._asked = experiment_from(fields)

    def plan(self, game: Game | None, policy: JointPolicy | None) -> ExperimentPlan:
        asked = self._asked
        _check_policy(asked)
        _check_network(asked)
        if game is None and simulates(asked):
            return self._plan_simulator(policy)
        _check_played(asked)
        file: Path | Game | None = game
        if game is None:
            file = self._game_file()
            if file is None:
                _check_name(asked.game.strip())
            try:
                game = find_game(asked.game if file is None else str(file))
            except MemoryError:
                raise InputError(f"game {asked.game} does not fit into memory") from None
            announce(game)
            if file is not None and not is_own(file):
                file = game
        initial = self._initial(game, policy)
        dag = self._dag(game, initial)
        experiment = msgspec.structs.replace(
            asked,
            game=asked.game.strip() if file is None else "game.npz",
            dag=self._dag_name(dag, initial),
            initial=asked.initial if initial is None else "initial.npz",
        )
        if experiment.stop_at_epsilon:
            experiment = self._aimed(experiment, game, dag)
        elif experiment.stop_gap != "nash":
            raise InputError(f"stop-gap {experiment.stop_gap} says what stop-at-epsilon means: give it too")
        _check_mode(experiment)
        _check_horizon(experiment)
        _check_samples(experiment, game, dag)
        _check_barrier(experiment, game, dag)
        _check_ascent(experiment, dag)
        _check_sizes(experiment, game, dag)
        _check_learning_rate(experiment, game, dag)
        experiment = settled(experiment, game)
        return ExperimentPlan(experiment, game, dag, file, initial)

    def _plan_simulator(self, policy: JointPolicy | None) -> ExperimentPlan:
        """Open a simulator, and see that it plays the same again."""
        asked = self._asked
        if "evaluate-every" not in self._given:
            asked = msgspec.structs.replace(asked, evaluate_every=0)
        _check_without_model(asked)
        simulator = open_simulator(asked, self._patience, self._own_modules(), self._env)
        simulator.check()
        if simulator.rewards_differ:
            warn(
                f"agents of {simulator.name} get different rewards: the team gets their {asked.team_reward} "
                "(--team-reward)"
            )
        world = simulator.world
        if policy is None and asked.initial not in ("zeros", "normal"):
            policy = announce(read_policy(self._anchored(asked.initial)))
        if policy is not None:
            try:
                check_shapes(policy, world, asked)
            except PolicyError as error:
                raise PolicyError(f"the initial policy does not fit {simulator.name}: {error}") from None
            policy = policy.as_logits() if isinstance(policy, Policy) else policy
        agents = len(world.actions)
        dag = policy.dag if policy is not None and "dag" not in self._given else self._parsed_dag(agents)
        experiment = msgspec.structs.replace(
            asked,
            game=asked.game.strip(),
            dag=self._dag_name(dag, policy),
            initial=asked.initial if policy is None else "initial.npz",
        )
        experiment = settled(experiment, None)
        size = experiment.lanes * experiment.steps
        if size > LARGEST_SIGNAL:
            raise InputError(
                f"a round of {experiment.lanes} lanes x {experiment.steps} steps is too large: "
                f"expected at most {LARGEST_SIGNAL} numbers, got {size}"
            )
        if experiment.has_critic and not isinstance(world.begin(experiment.seed, 0, 4), FollowedPlay):
            raise InputError(
                f"update {experiment.update} needs a world that says what came after a last step, "
                f"`following` of a FollowedPlay, and {simulator.name} does not"
            )
        for agent, space in enumerate(world.spaces if not experiment.kind.is_network else ()):
            rows = space.values * math.prod(world.actions[member] for member in (*dag.parents[agent], agent))
            if rows > LARGEST_SIGNAL:
                raise InputError(
                    f"the table of agent {agent} is too large: expected at most {LARGEST_SIGNAL} numbers, "
                    f"got {rows}; use fewer parents, an encoder, or a network as policy"
                )
        return ExperimentPlan(experiment, None, dag, None, policy, simulator)

    def _own_modules(self) -> Path:
        """Return where a person's own modules are: beside the experiment file, or in the present folder."""
        first = self._asked.game.partition(":")[0].partition(".")[0]
        beside = any((self._base / name).exists() for name in (f"{first}.py", first))
        return self._base if beside else Path()

    def _aimed(self, experiment: Experiment, game: Game, dag: Dag) -> Experiment:
        """Choose lambda = epsilon / M, with which the lemmas promise a gap of epsilon at any policy.

        Where M is infinite no lambda does. Then it is epsilon / (2 C) with C of the uniform policy, unless it
        is given: the run ends at a policy whose own constant C_pi is at most epsilon / lambda. With a
        weighted barrier, Theorem D1 has a price for missing edges, and for rounding, to be paid out of
        epsilon first.
        """
        weighted = experiment.barrier == "weighted"
        if experiment.stop_gap == "optimality" and not (dag.is_complete or weighted):
            raise InputError(
                "stop-gap optimality needs the complete DAG: only there does Lemma 3 bound that gap; with "
                "barrier weighted Theorem D1 does on perfect ones"
            )
        if not experiment.evaluate_every:
            raise InputError("stop-at-epsilon needs evaluations: evaluate-every must be at least 1, got 0")
        aimed = experiment.stop_at_epsilon
        if weighted:
            experiment.weights(dag, game.actions)
            price = edges_price(game, dag)
            aimed = (aimed - price) * (1.0 - 1e-9)
            if not aimed > 0.0:
                raise InputError(
                    f"stop-at-epsilon {experiment.stop_at_epsilon:g} cannot be certified on this DAG: its "
                    f"missing edges may cost {price:.4g} (see bnpg dag advise)"
                )
        quiet = self._quiet or is_affordable(game)
        with counting("mismatch coefficient M: states", game.states, quiet) as count:
            found = mismatch(game, lambda _done, _of: count())
        if not math.isfinite(found.M):
            if experiment.regularization:
                return experiment
            uniform = np.full((game.states, *game.actions), 1.0 / game.joint_actions)
            constant = coverage(game, uniform, solve_in_doubles(game)).largest
            if not math.isfinite(constant):
                raise InputError(
                    "stop-at-epsilon needs a regularization here: M is infinite, and some states are visited "
                    "too rarely to choose one"
                )
            return msgspec.structs.replace(experiment, regularization=aimed / (2.0 * constant))
        # A weighted bound has lambda times M as it is rounded up.
        chosen = aimed / (found.M if weighted else found.nearest)
        if "regularization" in self._given and self._given["regularization"] != chosen:
            raise InputError(
                f"stop-at-epsilon chooses regularization = {chosen!r} (epsilon / M, M = {found.M:.6g}), "
                f"got {self._given['regularization']!r}; leave it out"
            )
        return msgspec.structs.replace(experiment, regularization=chosen)

    def _game_file(self) -> Path | None:
        text = self._asked.game.strip()
        if text.partition("(")[0].strip() in BUILDERS and not text.endswith(SUFFIXES):
            return None
        path = self._anchored(text)
        return path if text.endswith(SUFFIXES) or _is_file(path) else None

    def _initial(self, game: Game, policy: JointPolicy | None) -> JointPolicy | None:
        if policy is not None:
            return self._fitting(policy, game, "the initial policy", game.name)
        text = self._asked.initial
        if text in ("zeros", "normal"):
            return None
        path = self._anchored(text)
        if not text.endswith(".npz") and not _is_file(path):
            hint = did_you_mean(text, ("zeros", "normal"), "; ")
            raise InputError(f"initial must be zeros, normal or an existing policy file, got {text!r}{hint}")
        return self._fitting(announce(read_policy(path)), game, f"initial {path}", self._asked.game)

    def _fitting(self, policy: JointPolicy, game: Game, what: str, of: str) -> JointPolicy:
        """Return a policy of the game as runs begin with it; refuse any other by the names of both."""
        try:
            check_kind(policy, self._asked.kind, TableWorld(game), self._asked.policy)
            if isinstance(policy, Policy):
                check_policy(policy, game)
        except InputError as error:
            raise PolicyError(f"{what} does not fit game {of}: {error}") from None
        if isinstance(policy, NetworkTeam):
            return policy
        if self._asked.kind.is_direct:
            return Policy.from_tables(policy.dag, policy.tables)
        try:
            return policy.as_logits()
        except InputError as error:
            raise PolicyError(f"{what}: {error}") from None

    def _dag(self, game: Game, initial: JointPolicy | None) -> Dag:
        if initial is not None and "dag" not in self._given:
            return initial.dag
        text = self._asked.dag.strip()
        dag = self._parsed_dag(game.agents)
        if initial is not None and initial.dag.edges != dag.edges:
            raise InputError(
                f"the initial policy has the edges {edges_text(initial.dag) or 'of empty'}, but dag is "
                f"{text}; leave the dag out to take the policy's"
            )
        return dag

    def _parsed_dag(self, agents: int) -> Dag:
        text = self._asked.dag.strip()
        known = not text or text in FAMILIES
        return parse_dag(text if known else str(self._anchored(text, Path.exists)), agents)

    def _dag_name(self, dag: Dag, initial: JointPolicy | None) -> str:
        """Name the DAG without needing a file."""
        text = self._asked.dag.strip()
        if text in FAMILIES and (initial is None or "dag" in self._given):
            return text
        return edges_text(dag) or "empty"

    def _anchored(self, text: str, exists: Callable[[Path], bool] = Path.is_file) -> Path:
        path = Path(text).expanduser()
        try:
            return self._base / path if exists(self._base / path) else path
        except OSError:  # such as: File name too long
            return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def edges_text(dag: Dag) -> str:
    """Return the edges as a person types them, `0-1,0-2`; empty if there are none."""
    return ",".join(f"{parent}-{child}" for parent, child in dag.edges)


_NOT_DIRECT = {
    "mode": "an action whose probability is 0 is never played, so episodes say nothing of its gradient",
    "regularization": "the log barrier is infinite where a probability is 0",
    "barrier": "the log barrier is infinite where a probability is 0",
    "stop_at_epsilon": "the lemmas it rests on are about softmax policies with a log barrier",
    "step_size": "steps are chosen for logits",
    "direction": "its metric is that of the softmax",
    "momentum": "momentum extrapolates logits",
}
"""Why a direct policy has no other value of a setting than it has here: the default, or mode exact."""


def _check_policy(experiment: Experiment) -> None:
    """Refuse a kind of policy that there is not, and what does not go with a direct one."""
    if not experiment.kind.is_direct:
        return
    for field in experiment_settings():
        chosen, expected = getattr(experiment, field.name), field.default
        expected = "exact" if field.name == "mode" else expected
        if field.name in _NOT_DIRECT and chosen != expected:
            raise InputError(
                f"policy direct needs {field.key} {expected}, got {chosen}: {_NOT_DIRECT[field.name]}"
            )


_NOT_NETWORK = {
    "mode": "networks learn from what is played",
    "initial": "networks begin at weights drawn from the seed, or at those of a file",
    "learning_rate": "no curvature of a network is known",
    "stop_at_epsilon": "no theorem certifies a network; the gap that is measured is in the record",
    "certify_samples": "no theorem certifies a network",
    "barrier": "its theorem is about tables",
    "encoder": "networks see the numbers themselves",
}
"""Why a network has no other value of a setting than the default: those are refused."""
_REFUSED = {"learning_rate": "certified", "initial": "normal"}
"""Where it may have others, and which it may not."""


def _check_network(experiment: Experiment) -> None:
    """Refuse what does not go with a network, and what only networks have."""
    if experiment.kind.is_network:
        for field in experiment_settings():
            chosen = getattr(experiment, field.name)
            refused = _REFUSED.get(field.name)
            wrong = chosen != field.default if refused is None else chosen == refused
            if field.name in _NOT_NETWORK and wrong:
                raise InputError(
                    f"policy {experiment.policy} cannot have {field.key} {chosen}: {_NOT_NETWORK[field.name]}"
                )
    elif experiment.has_critic:
        raise InputError(
            f"update {experiment.update} needs a network, policy mlp:64,64, got policy {experiment.policy}"
        )
    if not experiment.has_critic:
        for field in experiment_settings():
            if field.setting.networks and getattr(experiment, field.name) != field.default:
                raise InputError(f"{field.key} is of update a2c and ppo, got update {experiment.update}")
        return
    parse_hidden(experiment.critic)
    if experiment.horizon == "geometric-visit" or experiment.sure_steps:
        raise InputError(
            f"update {experiment.update} needs horizon geometric or a number of steps, without sure-steps"
        )
    if experiment.optimizer in ("ascent", "natural"):
        raise InputError(f"update {experiment.update} steps by adam, got optimizer {experiment.optimizer}")
    if experiment.baseline != Experiment(game="").baseline:
        raise InputError(f"update {experiment.update} has a critic for a baseline, got {experiment.baseline}")


def _check_name(text: str) -> None:
    """Refuse what is neither a game nor a simulator, and say which is meant."""
    head = text.partition("(")[0].strip()
    if head.isidentifier() and head not in BUILDERS:
        known = sorted({*BUILDERS, *SIMULATORS})
        hint = did_you_mean(head, known) or f"expected one of {', '.join(known)}"
        raise GameError(f"unknown game {head!r}: {hint}")


def _check_played(experiment: Experiment) -> None:
    """Refuse what only simulators have, where a game is played."""
    for field in experiment_settings():
        chosen = getattr(experiment, field.name)
        if field.setting.played == "simulators" and chosen != field.default:
            raise InputError(f"{field.key} {chosen} needs a simulator, but {experiment.game} is a game")


def _check_without_model(experiment: Experiment) -> None:
    """Refuse what needs a known model, where a simulator is played."""
    none = "needs a game, whose model is known, but a simulator is played"
    needs = {
        "mode exact": experiment.mode == "exact",
        "evaluate-every": bool(experiment.evaluate_every),
        "stop-at-epsilon": bool(experiment.stop_at_epsilon),
        "certify-samples": bool(experiment.certify_samples),
        "learning-rate certified": experiment.learning_rate == "certified",
    }
    for what, asked in needs.items():
        if asked:
            raise InputError(f"{what} {none}")
    defaults = Experiment(game="")
    for name in ("horizon", "sure_steps"):
        if getattr(experiment, name) != getattr(defaults, name):
            key = name.replace("_", "-")
            raise InputError(f"{key} is of games; a simulated round lasts so many steps")
    if experiment.baseline == "centred":
        raise InputError("baseline centred is of games, which end by chance: expected cross-fit or none")
    if experiment.barrier != "uniform":
        raise InputError("barrier weighted rests on a theorem about games: expected uniform for a simulator")


def _check_horizon(experiment: Experiment) -> None:
    if experiment.sure_steps and experiment.horizon != "geometric":
        raise InputError(f"sure-steps go before the geometric horizon, got horizon {experiment.horizon}")


def _check_samples(experiment: Experiment, game: Game, dag: Dag) -> None:
    if not experiment.certify_samples:
        return
    if not experiment.regularization:
        raise InputError(
            "certify-samples certifies a Nash gap of lambda C: it needs a regularization above 0"
        )
    if experiment.barrier != "uniform":
        raise InputError("certify-samples rests on a lemma of the uniform barrier, got barrier weighted")
    if not experiment.evaluate_every:
        raise InputError("certify-samples adds to a certificate: evaluate-every must be at least 1, got 0")
    families = ((*dag.parents[agent], agent) for agent in range(dag.agents))
    rows = [game.states * math.prod(game.actions[member] for member in family) for family in families]
    check_effort(game.gamma, game.states, rows)


def _check_mode(experiment: Experiment) -> None:
    """Refuse what only the other mode can do."""
    for field in experiment_settings():
        chosen, setting = getattr(experiment, field.name), field.setting
        if setting.needs and chosen != field.default and experiment.mode != setting.mode:
            raise InputError(f"{field.key} {chosen} needs mode {setting.mode}, {setting.needs}")
    if experiment.optimizer == "natural" and experiment.mode == "exact":
        raise InputError("optimizer natural needs mode sampled: exact natural steps are direction natural")
    if experiment.optimizer == "natural" and experiment.kind.is_network:
        raise InputError(f"optimizer natural needs policy table, got {experiment.policy}")
    if experiment.optimizer == "adam" and experiment.mode == "exact":
        raise InputError(
            "optimizer adam needs mode sampled: exact steps have no noise to average, and step-size chooses "
            "how large they are"
        )


def _check_barrier(experiment: Experiment, game: Game, dag: Dag) -> None:
    """Refuse a weighted barrier on a DAG of which its theorem says nothing."""
    if experiment.barrier == "weighted":
        experiment.weights(dag, game.actions)


def _check_ascent(experiment: Experiment, dag: Dag) -> None:
    """Refuse ways of climbing that do not go together."""
    if experiment.step_size == "barzilai-borwein" and experiment.momentum != "none":
        raise InputError(
            "step-size barzilai-borwein measures the curvature along plain steps: expected momentum none, "
            f"got {experiment.momentum}"
        )
    if (
        experiment.direction == "natural"
        and experiment.step_size == "fixed"
        and experiment.learning_rate == "certified"
        and not (experiment.is_plainly_natural and dag.is_complete)
    ):
        raise InputError(
            "learning-rate certified is 1/beta of gradient steps; natural ones are on the complete DAG "
            "with regularization 0 and momentum none: give a number, or step-size backtracking"
        )


def _check_sizes(experiment: Experiment, game: Game, dag: Dag) -> None:
    """Refuse what no message could hold, before an hour of work is lost on it."""
    if experiment.mode == "exact":
        rows = sum(math.prod(game.actions[member] for member in family) for family in dag.families)
        columns = max(game.joint_actions, 2 * rows if experiment.direction == "natural" else 0)
        if experiment.kind.is_direct:
            columns = max(columns, rows)
        size, what = game.states * columns, f"{game.states} states x {game.joint_actions} joint actions"
    elif isinstance(experiment.horizon, int):
        size, what = (
            experiment.lanes * experiment.horizon,
            f"{experiment.lanes} lanes x {experiment.horizon} steps",
        )
    else:
        steps = math.ceil(1.0 / (1.0 - game.gamma))
        size, what = experiment.lanes * steps, f"{experiment.lanes} lanes x {steps} steps on average"
    if size > LARGEST_SIGNAL:
        raise InputError(
            f"a round of {what} is too large: expected at most {LARGEST_SIGNAL} numbers, got {size}"
        )


def _check_learning_rate(experiment: Experiment, game: Game, dag: Dag) -> None:
    try:
        rate = certified_learning_rate(experiment, game, dag)
    except ZeroDivisionError:
        rate = math.inf
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(
            "learning-rate certified is 1/beta, but beta is 0: what is climbed has no curvature, as where "
            "all rewards are equal and nothing is regularized; give a number"
        )
