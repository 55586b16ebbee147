"""The teams of one seed: a dense one, and those that go on from it with few edges open."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
from gates import AtRandom, Gate, Open, Part, Valued, fitted
from hearing import hearing
from learning import Team, advantages, beginning, edges_of, flat, judged, learnt, parameters, play
from worlds import BY_CHILD, LANES, TOLD, VALUED, Study

from bnpg.edges.document import named
from bnpg.edges.measuring import count_visits, value_edges
from bnpg.edges.trained import TrainedNetworks
from bnpg.evaluation.episodes import stream
from bnpg_math.arrays import FloatArray
from bnpg_math.chance.streams import Purpose, generator
from bnpg_math.policies.network_file import NetworkTeam
from bnpg_math.policies.network_pruning import InputMoments

DENSE, PRUNED = "dense", "pruned"
QUICK_ROUNDS, QUICK_EPISODES = 2, 64


class Result(msgspec.Struct, frozen=True):
    """What a team came to.

    Parameters
    ----------
    settings : str
        As :meth:`worlds.Study.settings` has them.
    team : str
    budget : int
        How many edges may be open; of a dense team all there are.
    seed : int
    greedy, drawn : float
        Mean return of the most probable actions, and of what is drawn.
    opened : float
        Edges that are open in a greedy step, on average.
    carried : float
        Edges along which something is sent in a step of `worlds.LANES` lanes, on average.
    dag : str
        Of a pruned team.
    """

    settings: str
    team: str
    budget: int
    seed: int
    greedy: float
    drawn: float
    opened: float
    carried: float
    dag: str


def results(study: Study, seed: int, quick: bool) -> Iterator[Result]:
    """Train and judge all teams of a seed."""
    rounds, further = (QUICK_ROUNDS, QUICK_ROUNDS) if quick else (study.rounds, study.further)
    episodes = QUICK_EPISODES if quick else study.judged
    valued = QUICK_EPISODES if quick else VALUED
    every = len(study.dag.edges)

    def of(team: Team, kind: str, budget: int, dag: str = "") -> Result:
        return Result(study.settings(quick), kind, budget, seed, *judged(study, team, seed, episodes), dag)

    dense = learnt(study, beginning(study, seed), seed, 0, rounds)
    yield of(dense, DENSE, every)
    networks = TrainedNetworks(NetworkTeam(study.dag, parameters(dense.policies)), study.world)
    longest = study.simulator.length
    visited, _ = count_visits(study.world, networks, seed, valued, longest)
    moments = [one for one in visited if isinstance(one, InputMoments)]
    tried = _tried(study, dense, moments, seed, QUICK_ROUNDS if quick else study.measured)
    columns = _columns(study)
    everything = fitted(
        stream(seed, 200), study.dag.agents + 1, range(every), range(tried[0].shape[1]), tried
    )
    by_all = (everything,)
    by_child: tuple[Part, ...] = ()
    if BY_CHILD in study.kinds:
        by_child = tuple(
            fitted(stream(seed, 200), child, edges_of(study.dag, child), columns[child], tried)
            for child in range(study.dag.agents)
            if edges_of(study.dag, child)
        )
    kept = value_edges(
        study.world, networks, seed, budget=study.budget, episodes=valued, steps=longest
    ).proposal
    pruned = Team(kept, tuple(networks.on(kept, visited).policies()), dense.critic)
    yield of(learnt(study, pruned, seed, 1, further), PRUNED, study.budget, named(kept))
    for kind in study.kinds:
        parts, deaf = by_child if kind == BY_CHILD else by_all, kind == TOLD
        gate = Valued(parts).within(tried[0], study.budget)
        team = _gated(dense, moments, gate, deaf)
        yield of(learnt(study, team, seed, 1, further, study.budget), kind, study.budget)


def _gated(dense: Team, moments: list[InputMoments], gate: Gate, deaf: bool = False) -> Team:
    policies = tuple(
        hearing(policy, moment, deaf) for policy, moment in zip(dense.policies, moments, strict=True)
    )
    return replace(dense, policies=policies, gate=gate)


def _tried(
    study: Study, dense: Team, moments: list[InputMoments], seed: int, rounds: int
) -> tuple[FloatArray, Open, FloatArray]:
    """Return what was seen, which edges were open, and what came of it beyond what the critic expected."""
    own = stream(seed, 201)
    gate = AtRandom(len(study.dag.edges), generator(own, Purpose.EVALUATION))
    team = _gated(dense, moments, gate)
    kept = []
    for round_ in range(rounds):
        played = play(study, team, own, round_, LANES, study.steps)
        earned, _, _ = advantages(study, dense.critic, played)
        kept.append((flat(played.everything), flat(played.opened), earned.reshape(-1)))
    everything, opened, earned = (np.concatenate(column) for column in zip(*kept, strict=True))
    return everything, opened, earned


def _columns(study: Study) -> list[range]:
    """Return which of what the whole team sees each agent sees itself."""
    starts = np.cumsum([0, *(space.width for space in study.world.spaces)]).tolist()
    return [range(start, stop) for start, stop in pairwise(starts)]
