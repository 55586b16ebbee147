"""What a run came to, as far as its edges are concerned: it plays, and goes over to another graph."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from bnpg_coordinator.networks import encodings
from bnpg_coordinator.worlds.interface import World

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.dag import Dag
from bnpg_math.policies import interface
from bnpg_math.policies.interface import Seen
from bnpg_math.policies.joint import Policy
from bnpg_math.policies.network import NetworkPolicy, StateNetworkPolicy
from bnpg_math.policies.network_file import JointPolicy, NetworkTeam
from bnpg_math.policies.network_pruning import InputMoments, regraphed_networks
from bnpg_math.policies.pruning import regraphed
from bnpg_math.policies.softmax import policy as distribution
from bnpg_math.policies.tabular import TabularSoftmax


class VisitCounter(Protocol):
    """Counts what an agent meets in episodes."""

    def add(self, seen: Seen, parents: Sequence[IntArray]) -> None:
        """Count some steps: what was seen, and the parents' actions."""


class Trained(Protocol):
    """A policy whose edges are measured."""

    @property
    def dag(self) -> Dag:
        """Its graph."""

    def team(self) -> Sequence[interface.Policy]:
        """Return everybody's policy, as episodes are played with it."""

    def tables(self) -> Sequence[FloatArray] | None:
        """Return everybody's probabilities, (S, *P, A_i); None where one sees numbers."""

    def meters(self) -> Sequence[VisitCounter]:
        """Return what counts for every agent what going over to another graph takes."""

    def on(self, dag: Dag, visited: Sequence[VisitCounter]) -> "Trained":
        """Return the same policy on another graph, from what was met."""

    def joint(self) -> JointPolicy:
        """Return it as files have it."""


class Visits:
    """How often each row of a table was acted from.

    Parameters
    ----------
    shape : tuple of int
        (S, *P).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.counts = np.zeros(shape)

    def add(self, seen: Seen, parents: Sequence[IntArray]) -> None:
        """Count some steps."""
        shape, size = self.counts.shape, self.counts.size
        rows = cells([seen, *parents], shape).astype(np.intp)
        np.add(self.counts, np.bincount(rows, minlength=size).reshape(shape), out=self.counts)


class TrainedTables:
    """Tables: parents are summed out.

    Parameters
    ----------
    dag : Dag
    tables : sequence of N arrays (S_i, *P, A_i) float
        pi^i.
    """

    def __init__(self, dag: Dag, tables: Sequence[FloatArray]) -> None:
        self.dag = dag
        self._tables = tables

    def team(self) -> Sequence[interface.Policy]:
        """Return everybody's policy."""
        with np.errstate(divide="ignore"):  # what is never done
            return [TabularSoftmax(np.log(table)) for table in self._tables]

    def tables(self) -> Sequence[FloatArray]:
        """Return everybody's probabilities."""
        return self._tables

    def meters(self) -> Sequence[VisitCounter]:
        """Return what counts the visits of each row."""
        return [Visits(table.shape[:-1]) for table in self._tables]

    def on(self, dag: Dag, visited: Sequence[VisitCounter]) -> "TrainedTables":
        """Return them on another graph."""
        visits = [visit.counts for visit in visited if isinstance(visit, Visits)]
        actions = [table.shape[-1] for table in self._tables]
        return TrainedTables(dag, regraphed(self._tables, visits, self.dag, dag, actions))

    def joint(self) -> Policy:
        """Return them as files have them."""
        return Policy.from_tables(self.dag, self._tables)


class TrainedNetworks:
    """Networks: parents are predicted from what is still heard.

    Parameters
    ----------
    networks : NetworkTeam
    world : World
    """

    def __init__(self, networks: NetworkTeam, world: World) -> None:
        self.dag = networks.dag
        self._networks = networks
        self._world = world
        self._encodings = encodings(world, networks.dag)

    def team(self) -> Sequence[interface.Policy]:
        """Return everybody's policy: where states are seen the table that a network comes to, to be quick."""
        return [
            TabularSoftmax(policy.log_table) if isinstance(policy, StateNetworkPolicy) else policy
            for policy in self.policies()
        ]

    def tables(self) -> Sequence[FloatArray] | None:
        """Return the tables that they come to."""
        shown = [
            distribution(policy.log_table)
            for policy in self.policies()
            if isinstance(policy, StateNetworkPolicy)
        ]
        return shown if len(shown) == self.dag.agents else None

    def policies(self) -> Sequence[NetworkPolicy]:
        """Return everybody's network."""
        return [
            (StateNetworkPolicy if encoding.states else NetworkPolicy)(
                theta, encoding, self._networks.hidden, actions
            )
            for theta, encoding, actions in zip(
                self._networks.thetas, self._encodings, self._networks.actions, strict=True
            )
        ]

    def meters(self) -> Sequence[VisitCounter]:
        """Return what counts the moments of the inputs."""
        return [InputMoments(encoding) for encoding in self._encodings]

    def on(self, dag: Dag, visited: Sequence[VisitCounter]) -> "TrainedNetworks":
        """Return them on another graph."""
        moments = [visit for visit in visited if isinstance(visit, InputMoments)]
        return TrainedNetworks(regraphed_networks(self._networks, moments, dag), self._world)

    def joint(self) -> NetworkTeam:
        """Return them as files have them."""
        return self._networks
