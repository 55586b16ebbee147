"""From what a person asks for to an experiment that can run, checked before a folder is made."""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from bnpg_coordinator import run_files
from bnpg_coordinator.automatic import settled
from bnpg_coordinator.experiment import Experiment, experiment_from
from bnpg_coordinator.loading import check_shapes
from bnpg_coordinator.networks import check_kind
from bnpg_coordinator.simulator import PATIENCE, OpenedSimulator, open_simulator, simulates
from bnpg_coordinator.worlds.interface import FollowedPlay, World, WorldFailed
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol.process.settings import did_you_mean, written

from bnpg.certified.words import rounded_up
from bnpg.counting import counting
from bnpg.evaluation.effort import is_affordable
from bnpg.experiment_checks import (
    LARGEST_SIGNAL,
    check_ascent,
    check_barrier,
    check_direct,
    check_horizon,
    check_learning_rate,
    check_mode,
    check_name,
    check_network,
    check_played,
    check_samples,
    check_sizes,
    check_without_model,
)
from bnpg.notices import announce, warn
from bnpg.one_thread import one_thread
from bnpg_files.quoting import quoted
from bnpg_math.dag import FAMILIES, Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError, PolicyError
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.games.file import save_game
from bnpg_math.games.game import Game
from bnpg_math.games.reading import SUFFIXES, is_own
from bnpg_math.games.registry import BUILDERS
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.joint import Policy, check_policy
from bnpg_math.policies.network_file import JointPolicy, NetworkTeam, read_policy, write_policy
from bnpg_math.theory.weighted_bound import edges_price

SAME_LAMBDA = 1e-12
"""Relative: weights of the barrier that differ by less are one, found on hosts that round differently."""


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
            save_game(self.game_file, folder / run_files.GAME, whole=False)
        elif self.game_file is not None:
            shutil.copyfile(self.game_file, folder / run_files.GAME)
        if self.initial is not None:
            write_policy(self.initial, folder / run_files.INITIAL)


@one_thread()
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
        check_direct(asked)
        check_network(asked)
        if game is None and simulates(asked):
            return self._plan_simulator(policy)
        check_played(asked)
        file: Path | Game | None = game
        if game is None:
            file = self._game_file()
            if file is None:
                check_name(asked.game.strip())
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
            game=asked.game.strip() if file is None else run_files.GAME,
            dag=self._dag_name(dag, initial),
            initial=asked.initial if initial is None else run_files.INITIAL,
        )
        if experiment.stop_at_epsilon:
            experiment = self._aimed(experiment, game, dag)
        elif experiment.stop_gap != "nash":
            raise InputError(f"stop-gap {experiment.stop_gap} says what stop-at-epsilon means: give it too")
        check_mode(experiment)
        check_horizon(experiment)
        check_samples(experiment, game, dag)
        check_barrier(experiment, game, dag)
        check_ascent(experiment, dag)
        check_sizes(experiment, game, dag)
        check_learning_rate(experiment, game, dag)
        experiment = settled(experiment, game)
        return ExperimentPlan(experiment, game, dag, file, initial)

    def _plan_simulator(self, policy: JointPolicy | None) -> ExperimentPlan:
        """Open a simulator, and see that it plays the same again."""
        asked = self._asked
        if "evaluate-every" not in self._given:
            asked = msgspec.structs.replace(asked, evaluate_every=0)
        check_without_model(asked)
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
            initial=asked.initial if policy is None else run_files.INITIAL,
        )
        experiment = settled(experiment, None)
        size = experiment.lanes * experiment.steps
        if size > LARGEST_SIGNAL:
            raise InputError(
                f"a round of {experiment.lanes} lanes x {experiment.steps} steps is too large: "
                f"expected at most {LARGEST_SIGNAL} numbers, got {size}"
            )
        if experiment.has_critic and not _followed(world, experiment.seed):
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
                    f"stop-at-epsilon {written(experiment.stop_at_epsilon)} cannot be certified on this DAG: "
                    f"its missing edges may cost {rounded_up(price)} (see bnpg dag advise)"
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
        if "regularization" in self._given:
            # A run keeps it beside epsilon; on another host M may have another last bit.
            if math.isclose(experiment.regularization, chosen, rel_tol=SAME_LAMBDA):
                return experiment
            raise InputError(
                f"stop-at-epsilon chooses regularization = {chosen!r} (epsilon / M, M = {found.M:.6g}), "
                f"got {quoted(self._given['regularization'])}; leave it out"
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
            raise InputError(
                f"initial must be zeros, normal or an existing policy file, got {quoted(text)}{hint}"
            )
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


def _followed(world: World, seed: int) -> bool:
    """Whether a world says what came after a last step; who fails here fails in the run, which is kept."""
    try:
        return isinstance(world.begin(seed, 0, 4), FollowedPlay)
    except WorldFailed:
        return True


def edges_text(dag: Dag) -> str:
    """Return the edges as a person types them, `0-1,0-2`; empty if there are none."""
    return ",".join(f"{parent}-{child}" for parent, child in dag.edges)
