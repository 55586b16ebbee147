"""How much work the constants of the guarantees are: whether they are computed unasked, and silently."""

from bnpg_math.games.game import Game

AFFORDABLE = 2_000_000_000
"""Up to this much work M takes a few seconds at most, on one core."""


def mismatch_work(game: Game) -> int:
    """Return an estimate: 2S games to be solved, each by a few solves (S^3) and backups (S^2 A)."""
    return game.states**3 * (game.states + game.joint_actions)


def is_affordable(game: Game) -> bool:
    """Whether M may be computed without being asked for."""
    return mismatch_work(game) <= AFFORDABLE


def is_coverage_affordable(game: Game) -> bool:
    """Whether C_pi may be computed without being asked for: one game to be solved."""
    return game.states**2 * (game.states + game.joint_actions) <= AFFORDABLE
