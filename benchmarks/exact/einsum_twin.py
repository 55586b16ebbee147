"""The straightforward way: the whole tensor P[s, a_1, .., a_N, s'] and one einsum a formula.

What anybody would write first, with numpy alone and without any trick. It is what the package is measured
against, and at the same time a check: both must give the same numbers.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np

from bnpg_math.arrays import FloatArray

STATE, NEXT, AGENTS = "y", "z", ascii_lowercase[:20]
"""One letter an axis."""


class Evaluated(NamedTuple):
    """The joint policy, V, Q and the unnormalised visitation d."""

    pi: FloatArray
    V: FloatArray
    Q: FloatArray
    d: FloatArray


class EinsumTwin:
    """Exact evaluation of one game with the dense tensor.

    Parameters
    ----------
    transition : (S, A_1, .., A_N, S) float
    reward : (S, A_1, .., A_N) float
    initial : (S,) float
    gamma : float
    parents : sequence of N sequences of int
    """

    def __init__(
        self,
        transition: FloatArray,
        reward: FloatArray,
        initial: FloatArray,
        gamma: float,
        parents: Sequence[Sequence[int]],
    ) -> None:
        self.P, self.r, self.mu, self.gamma = transition, reward, initial, gamma
        agents = reward.ndim - 1
        self.joint = STATE + AGENTS[:agents]
        self.families = [
            STATE + "".join(AGENTS[p] for p in above) + AGENTS[i] for i, above in enumerate(parents)
        ]

    def evaluate(self, tables: Sequence[FloatArray]) -> Evaluated:
        """Evaluate the joint policy."""
        pi = np.einsum(",".join(self.families) + "->" + self.joint, *tables, optimize=len(tables) > 2)
        P_pi = np.einsum(f"{self.joint},{self.joint}{NEXT}->{STATE}{NEXT}", pi, self.P)
        r_pi = np.einsum(f"{self.joint},{self.joint}->{STATE}", pi, self.r)
        matrix = np.eye(len(self.mu)) - self.gamma * P_pi
        V = np.linalg.solve(matrix, r_pi)
        d = np.linalg.solve(matrix.T, self.mu)
        Q = self.r + self.gamma * np.einsum(f"{self.joint}{NEXT},{NEXT}->{self.joint}", self.P, V)
        return Evaluated(pi, V, Q, d)

    def gradients(
        self, tables: Sequence[FloatArray], evaluated: Evaluated, regularization: float
    ) -> list[FloatArray]:
        """dL_lambda/dtheta^i of every agent (Lemma 1)."""
        signal = f"{STATE},{self.joint},{self.joint}->{self.joint}"
        W = np.einsum(signal, evaluated.d, evaluated.pi, evaluated.Q)
        gradients = []
        for family, table in zip(self.families, tables, strict=True):
            m = np.einsum(f"{self.joint}->{family}", W)
            local = m - table * m.sum(axis=-1, keepdims=True)
            actions = table.shape[-1]
            gradients.append(local + regularization * actions / table.size * (1.0 / actions - table))
        return gradients
