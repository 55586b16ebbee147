"""The oracle of a trace: the run recomputed in one process, without messages, and all that is said in it.

Nothing of the machines, links or transports takes part: the coordinator's environment and the agents'
learners are asked in the order of the DAG, as the mathematics is written.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from bnpg_agents.actor_update import SIGNS
from bnpg_agents.learner import Learner
from bnpg_agents.limits import Limits, joined, limits_of
from bnpg_coordinator import run_files
from bnpg_coordinator.central_critic import CentralCritic
from bnpg_coordinator.estimator import SampledRound
from bnpg_coordinator.invitation import welcome
from bnpg_coordinator.lanes import parts_of
from bnpg_coordinator.loading import load_setup
from bnpg_coordinator.machine import critic_of, exact
from bnpg_coordinator.orders import To, ToAll
from bnpg_coordinator.rounds import announcements
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_protocol.process.recorder import payload, row_payload
from bnpg_protocol.process.trace_line import ActLine
from bnpg_protocol.wire.addresses import agent_of
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsChosen,
    ActionsRelayed,
    Message,
    ObservationsAnnounced,
    SignalApplied,
    SignalBroadcast,
    TableRequested,
    TableShown,
    ThetaShown,
    UpdateReported,
)
from bnpg_protocol.wire.rows import RowsDigest, row_type
from msgspec import UNSET

from bnpg.lab.proof.check import Proof
from bnpg.lab.proof.content import Key, payload_of
from bnpg.one_thread import one_thread
from bnpg.run_folder import read_settings
from bnpg.trace.reading import TraceEvent, Violation
from bnpg_math.arrays import IntArray
from bnpg_math.dag.routes import Routes, relayed

Words = dict[Key, Message]


def check_reference(folder: Path, proof: Proof) -> None:
    """Prove that all that was said in a run, and every theta, is what the recomputed run comes to.

    Parameters
    ----------
    folder : Path
        The run folder.
    proof : Proof
        What the trace proved of itself.

    Raises
    ------
    InputError
        If the folder's experiment cannot be read.
    Violation
        Naming the first event that differs.
    """
    setup = load_setup(folder, 0, read_settings(folder / run_files.LAUNCH).patience)
    _check_experiment(setup, proof)
    remaining = dict(proof.content.messages)
    rounds = max(max(thetas) for thetas in proof.content.thetas)
    with one_thread():  # as in every process: more threads may change the last bit of a sum
        routes = relayed(setup.dag) if any(proof.run.relays.values()) else None
        for round_, (words, thetas) in enumerate(recompute(setup, rounds, routes)):
            for agent, expected in enumerate(thetas):
                known = proof.content.thetas[agent].get(round_)
                if known is not None and known[0] != expected:
                    what = f"theta of round {round_} of agent-{agent} is {known[0]}"
                    raise Violation(f"{what}; in memory it comes to {expected}", known[1])
            for key in [key for key in remaining if key[2] == round_]:
                _compare(key, remaining.pop(key), words.get(key))


def _check_experiment(setup: CoordinatorSetup, proof: Proof) -> None:
    start, experiment = proof.run.start, setup.experiment
    for field, expected in (
        ("run", setup.run),
        ("mode", experiment.mode),
        ("agents", setup.dag.agents),
        ("rounds", experiment.rounds),
        ("parts", parts_of(experiment)),
        ("evaluate_every", experiment.evaluate_every),
        ("save_policy", experiment.save_policy),
        ("stops_early", experiment.stop_at_epsilon > 0),
        ("critic", True if experiment.has_critic else UNSET),
    ):
        if getattr(start, field) != expected:
            why = f"the trace is of another {field} than the run folder: expected {expected!r}"
            raise Violation(why, proof.run.first)
    if proof.run.edges != list(setup.dag.edges):
        raise Violation("the trace is of another DAG than the run folder", proof.run.first)


def _compare(key: Key, event: TraceEvent, expected: Message | None) -> None:
    process, kind, round_, turn, receiver = key
    where = f"{kind} of {process}" + ("" if receiver is None else f" to {receiver}") + f", round {round_}"
    where += "" if turn is None else f", turn {turn}"
    if expected is None:
        raise Violation(f"{where}: there is no such message in the run in memory", event)
    if payload(expected) != payload_of(event):
        why = f"{where} has the digest {payload_of(event)}; in memory it comes to {payload(expected)}"
        raise Violation(why, event)
    line, agent = event.line, agent_of(process)
    if isinstance(line, ActLine) and isinstance(expected, ActionsAttested) and agent is not None:
        # Those of its parents are known to be what the parents' own acts say.
        own = UNSET if line.rows is UNSET else line.rows.get(agent)
        if own != row_payload(expected.actions):
            raise Violation(f"{where} acts otherwise than in memory", event)


def recompute(
    setup: CoordinatorSetup, rounds: int, routes: Routes | None = None
) -> Iterator[tuple[Words, list[str]]]:
    """Play the rounds 0 .. `rounds`, the last one without its update.

    Parameters
    ----------
    setup : CoordinatorSetup
    rounds : int
    routes : Routes, optional
        Over which links actions are handed on, where there is a relay.

    Yields
    ------
    words : dict from (process, kind, round, turn, receiver) to Message
        All that may be said in the round.
    thetas : list of str
        Digest of theta_round of every agent.
    """
    critic = critic_of(msgspec.structs.replace(setup, critics={}))
    learners = [Learner(welcome(setup, agent), {}) for agent in range(setup.dag.agents)]
    _, ascent = exact(msgspec.structs.replace(setup, recorded=()))
    for round_ in range(rounds + 1):
        thetas = [learner.snapshot(round_).digest for learner in learners]
        words: Words = {("coordinator", "TableRequested", round_, None, None): TableRequested(round_)}
        for agent, learner in enumerate(learners):
            name = f"agent-{agent}"
            if learner.shows_table:
                words[name, "TableShown", round_, None, None] = TableShown(round_, learner.table(round_))
            words[name, "ThetaShown", round_, None, None] = ThetaShown(round_, learner.snapshot(round_).flat)
        if round_ < setup.experiment.rounds:
            if setup.experiment.mode == "exact":
                assert ascent is not None, "exact mode has a model"
                signal, _ = ascent.signal(round_, [learner.table(round_) for learner in learners])
                words["coordinator", "FlowBroadcast", round_, None, None] = signal
                for learner in learners:
                    learner.apply_flow(signal)
            else:
                chosen = _play(setup, learners, critic, round_, words)
                if routes is not None:
                    _hand_on(setup, routes, round_, chosen, words)
            for agent, learner in enumerate(learners):
                after = learner.snapshot(round_ + 1).digest
                shown = {"table": learner.table(round_ + 1)} if setup.experiment.mode == "exact" else {}
                applied = SignalApplied(round_, after, **shown)
                words[f"agent-{agent}", "SignalApplied", round_, None, None] = applied
                if critic is not None:
                    signs = learner.snapshot(round_ + 1).state[SIGNS].tolist()
                    words[f"agent-{agent}", "UpdateReported", round_, None, None] = UpdateReported(
                        round_, *signs
                    )
        yield words, thetas


def _play(
    setup: CoordinatorSetup,
    learners: list[Learner],
    critic: CentralCritic | None,
    round_: int,
    words: Words,
) -> list[list[IntArray]]:
    """Play the episodes of a sampled round and apply its update; return what everybody chose, by turn."""
    parents = setup.dag.parents
    sampled = SampledRound(setup.world, setup.experiment, round_)
    episodes = sampled.episodes
    chosen: list[list[IntArray]] = [[] for _ in learners]
    limits: list[list[Limits | None]] = [[] for _ in learners]
    for number, turn in enumerate(episodes.turns):  # which grow as the turns are taken
        for order in announcements(round_, number, turn, range(setup.dag.agents)):
            match order:
                case ToAll(message):
                    words["coordinator", "StatesAnnounced", round_, number, None] = message
                    for each in limits:
                        each.append(None)
                case To(agent, ObservationsAnnounced() as message):
                    receiver = f"agent-{agent}"
                    words["coordinator", "ObservationsAnnounced", round_, number, receiver] = message
                    limits[agent].append(limits_of(message, setup.world.actions[agent]))
        for agent in setup.dag.order:
            heard = [chosen[parent][number] for parent in parents[agent]]
            actions = learners[agent].act(
                round_, turn.time, turn.lane, turn.seen.by(agent), heard, limits[agent][number]
            )
            chosen[agent].append(actions)
            said = ActionsChosen(round_, number, actions)
            words[f"agent-{agent}", "ActionsChosen", round_, number, None] = said
        episodes.advance([actions[number] for actions in chosen])
    weights = sampled.signal()[0] if critic is None else critic.signal(round_, sampled).advantages
    words["coordinator", "SignalBroadcast", round_, None, None] = SignalBroadcast(round_, weights)
    lanes = [len(turn.seen) for turn in episodes.turns]
    actions_of = [np.concatenate(actions) for actions in chosen]
    for agent, learner in enumerate(learners):
        seen = np.concatenate([turn.seen.by(agent) for turn in episodes.turns])
        heard = [actions_of[parent] for parent in parents[agent]]
        whole = joined(limits[agent], lanes, setup.world.actions[agent])
        if critic is None:
            learner.apply_weights(round_, seen, heard, actions_of[agent], weights, whole)
            continue
        update = learner.begin_update(round_, seen, heard, actions_of[agent], weights, whole)
        while not update.advance():
            pass
        learner.end_update(update)
    return chosen


def _hand_on(
    setup: CoordinatorSetup, routes: Routes, round_: int, chosen: list[list[IntArray]], words: Words
) -> None:
    """Note what is said with a relay of the actions of a round."""
    counts = setup.world.actions
    digests = {
        (sender, agent): RowsDigest() for agent, heard in enumerate(routes.hears) for sender, _ in heard
    }
    for turn in range(len(chosen[0])):
        for agent, heard in enumerate(routes.hears):
            for sender, carried in heard:
                dtype = row_type(max(counts[one] for one in carried))
                rows = np.array([chosen[one][turn] for one in carried], dtype=dtype)
                key = (f"agent-{sender}", "ActionsRelayed", round_, turn, f"agent-{agent}")
                words[key] = ActionsRelayed(round_, turn, rows)
                digests[sender, agent].add(rows)
            attested = b"".join(digests[sender, agent].value for sender, _ in heard)
            words[f"agent-{agent}", "ActionsAttested", round_, turn, None] = ActionsAttested(
                round_, turn, chosen[agent][turn], np.frombuffer(attested, dtype=np.uint8)
            )
