"""What of an experiment does not go together, refused before anything is made of it."""

import math

from bnpg_coordinator.experiment import Experiment, experiment_settings
from bnpg_coordinator.loading import certified_learning_rate
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS
from bnpg_protocol.process.settings import did_you_mean
from bnpg_protocol.wire.letters import shown

from bnpg.evaluation.from_samples import check_effort
from bnpg_math.dag import Dag
from bnpg_math.errors import GameError, InputError, PolicyError
from bnpg_math.games.game import Game
from bnpg_math.games.registry import BUILDERS, is_folder
from bnpg_math.networks.spec import parse_hidden

LARGEST_SIGNAL = 1 << 27
"""Most numbers of one signal: a message holds at most 1 GiB."""

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


def check_direct(experiment: Experiment) -> None:
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


def check_network(experiment: Experiment) -> None:
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
    try:
        parse_hidden(experiment.critic)
    except PolicyError as error:
        raise PolicyError(f"critic: {error}") from None
    if experiment.horizon == "geometric-visit" or experiment.sure_steps:
        raise InputError(
            f"update {experiment.update} needs horizon geometric or a number of steps, without sure-steps"
        )
    if experiment.optimizer in ("ascent", "natural", "normalised"):
        raise InputError(f"update {experiment.update} steps by adam, got optimizer {experiment.optimizer}")
    if experiment.baseline != Experiment(game="").baseline:
        raise InputError(f"update {experiment.update} has a critic for a baseline, got {experiment.baseline}")


def check_name(text: str) -> None:
    """Refuse what is neither a game nor a simulator, and say which is meant."""
    head = text.partition("(")[0].strip()
    if head.isidentifier() and head not in BUILDERS and not is_folder(text):
        known = sorted({*BUILDERS, *SIMULATORS})
        hint = did_you_mean(head, known) or f"expected one of {', '.join(known)}"
        raise GameError(f"unknown game {head!r}: {hint}")


def check_played(experiment: Experiment) -> None:
    """Refuse what only simulators have, where a game is played."""
    for field in experiment_settings():
        chosen = getattr(experiment, field.name)
        if field.setting.played == "simulators" and chosen != field.default:
            what = f"{field.key} {shown(str(chosen))}"
            raise InputError(f"{what} needs a simulator, but {experiment.game} is a game")


def check_without_model(experiment: Experiment) -> None:
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
            raise InputError(f"{key} is of games; a round of a simulator lasts as many steps as steps says")
    if experiment.baseline in ("centred", "td"):
        raise InputError(
            f"baseline {experiment.baseline} is of games, and {experiment.game} is a simulator: "
            "expected auto, cross-fit or none"
        )
    if experiment.barrier != "uniform":
        raise InputError("barrier weighted rests on a theorem about games: expected uniform for a simulator")


def check_horizon(experiment: Experiment) -> None:
    """Refuse sure steps and baselines that are not for the horizon."""
    if experiment.sure_steps and experiment.horizon != "geometric":
        raise InputError(f"sure-steps go before the geometric horizon, got horizon {experiment.horizon}")
    if experiment.baseline == "td" and experiment.horizon == "geometric-visit":
        raise InputError(
            "baseline td is for horizon geometric or a number of steps, got geometric-visit: "
            "for that take baseline auto or centred"
        )


def check_samples(experiment: Experiment, game: Game, dag: Dag) -> None:
    """Refuse a certificate from samples that cannot be had."""
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


def check_mode(experiment: Experiment) -> None:
    """Refuse what only the other mode can do."""
    for field in experiment_settings():
        chosen, setting = getattr(experiment, field.name), field.setting
        if setting.needs and chosen != field.default and experiment.mode != setting.mode:
            raise InputError(f"{field.key} {chosen} needs mode {setting.mode}, {setting.needs}")
    exact = {
        "natural": "exact natural steps are direction natural, with optimizer auto",
        "normalised": "exact steps are chosen by step-size, with optimizer auto",
    }
    if experiment.optimizer in exact and experiment.mode == "exact":
        how = exact[experiment.optimizer]
        raise InputError(f"optimizer {experiment.optimizer} needs mode sampled: {how}")
    if experiment.optimizer in exact and experiment.kind.is_network:
        raise InputError(
            f"optimizer {experiment.optimizer} needs policy table, got {experiment.policy}: "
            "for that take optimizer auto"
        )
    if experiment.optimizer == "adam" and experiment.mode == "exact":
        raise InputError(
            "optimizer adam needs mode sampled: exact steps have no noise to average, and step-size chooses "
            "how large they are"
        )


def check_barrier(experiment: Experiment, game: Game, dag: Dag) -> None:
    """Refuse a weighted barrier on a DAG of which its theorem says nothing."""
    if experiment.barrier == "weighted":
        experiment.weights(dag, game.actions)


def check_ascent(experiment: Experiment, dag: Dag) -> None:
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


def check_sizes(experiment: Experiment, game: Game, dag: Dag) -> None:
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


def check_learning_rate(experiment: Experiment, game: Game, dag: Dag) -> None:
    """Refuse a certified step size that is no finite number above 0."""
    try:
        rate = certified_learning_rate(experiment, game, dag)
    except ZeroDivisionError:
        rate = math.inf
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(
            "learning-rate certified is 1/beta, but beta is 0: what is climbed has no curvature, as where "
            "all rewards are equal and nothing is regularized; give a number"
        )
