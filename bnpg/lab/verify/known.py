"""What is known exactly: reference values, and counterexamples to claims as they are printed."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import root

from bnpg.lab.verify.ascent import ascend
from bnpg.lab.verify.cases import Case
from bnpg.lab.verify.finding import Finding, at_most
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.constants import nash_threshold, sizes
from bnpg_math.theory.stationarity import gradient_norm, gradients

_COORDINATION = {2: (47.8000, 35.5), 3: (43.1040, 97.1), 5: (53.7782, 357.8)}
_LIMITS = (
    ("climbing", (), 6.8659),
    ("climbing", ((0, 1),), 10.9112),
    ("climbing", ((1, 0),), 10.9112),
    ("penalty(k=-25)", (), 1.8738),
    ("penalty(k=-25)", ((0, 1),), 9.9224),
    ("penalty(k=-100)", (), 1.8895),
    ("penalty(k=-100)", ((0, 1),), 9.9224),
)


def reference_values(quick: bool) -> Iterator[Finding]:
    """Yield how far this program is from values other implementations came to."""
    for agents, (value, M) in _COORDINATION.items():
        game = find_game(f"coordination(agents={agents})")
        found = float(game.initial @ optimal_value(game).V)
        where = f"coordination(agents={agents})"
        yield at_most("reference: V*", "exact", where, abs(found - value), 5e-5)
        yield at_most("reference: M", "exact", where, abs(mismatch(game).M - M), 0.05)
    for spec, edges, value in _LIMITS[:2] if quick else _LIMITS:
        game = find_game(spec)
        case = Case(spec, game, Dag(2, edges), 0)
        course = ascend(case, case.zeros(), 0.1, 0.04, 20_000, lambda grads: gradient_norm(grads) <= 1e-5)
        where = f"{spec}, edges {edges or 'none'}, lambda 0.1"
        yield at_most("reference: where (3) converges", "exact", where, abs(course.values[-1] - value), 2e-3)


def counterexamples() -> Iterator[Finding]:
    """Yield two points at which a claim of the paper, as printed, does not hold."""
    yield _inequality_4()
    yield _threshold_of_theorem_1()


def _inequality_4() -> Finding:
    """(4): inside the printed threshold every action has pi >= 1/(2 A_i)."""
    lam, dag = 1e-4, complete(2)
    reward = np.array([[[1.0, 1.0], [0.0, 0.5]]])
    game = dense_game("cliff", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.0)
    thetas = _stationary_point(game, dag, lam)
    norm = gradient_norm(gradients(game, dag, [policy(theta) for theta in thetas], lam))
    inside = norm <= nash_threshold(sizes(game, dag), lam, "printed")
    smallest = min(float(policy(theta).min()) for theta in thetas)
    holds = not inside or smallest >= 0.25
    return Finding(
        "inequality (4)", "printed", "a cliff: r = [[1, 1], [0, .5]]", 0.25, smallest, holds, False
    )


def _stationary_point(game: object, dag: Dag, lam: float) -> list[FloatArray]:
    def unpack(x: FloatArray) -> list[FloatArray]:
        leader, follower = x[:1], x[1:].reshape(1, 2)
        return [np.stack([part / 2, -part / 2], axis=-1) for part in (leader, follower)]

    def residual(x: FloatArray) -> FloatArray:
        grads = gradients(game, dag, [policy(theta) for theta in unpack(x)], lam)  # type: ignore[arg-type]
        return np.concatenate([grad[..., 0].reshape(-1) for grad in grads]) / lam

    # The leader prefers action 0 strongly; the follower does not mind after 0 and prefers 1 after 1.
    return unpack(np.asarray(root(residual, np.array([9.0, 0.0, -1.0]), tol=1e-13).x))


def _threshold_of_theorem_1() -> Finding:
    """Theorem 1's threshold lambda/(2 S max A_i): the Nash gap is at most 2 lambda M inside it."""
    lam = 0.01
    dag = Dag(5, tuple((parent, 4) for parent in range(4)))
    reward = np.zeros((1, 2, 2, 2, 2, 2))
    reward[..., 0] = 1.0
    game = dense_game("saturated", np.ones((1, 2, 2, 2, 2, 2, 1)), reward, np.ones(1), 0.0)
    child = np.zeros((1, 2, 2, 2, 2, 2))
    child[..., 0] = -60.0
    tables = [policy(np.zeros((1, 2))) for _ in range(4)] + [policy(child)]
    norm = gradient_norm(gradients(game, dag, tables, lam))
    inside = norm <= lam / (2 * 1 * 2)
    gap = nash_gap(game, dag, tables).gap
    holds = not inside or gap <= 2 * lam
    return Finding(
        "threshold of Theorem 1", "printed", "a child saturated on its bad action", gap, 2 * lam, holds, False
    )
