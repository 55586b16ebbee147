"""The person's side of Bayesian-network policy gradient: command line, Python interface, launchers, reports.

The Python interface mirrors the command line. Its names are loaded when they are first used, so that
``import bnpg`` costs nothing:

========================  =====================================================================
:func:`bnpg.train`        train a team and return the :class:`bnpg.Run`
:func:`bnpg.resume`       continue an interrupted run
:func:`bnpg.load_run`     read the folder of a run
:func:`bnpg.evaluate`     measure a policy exactly; an :class:`bnpg.Evaluation`
:func:`bnpg.game`         a built-in game or a game file; :func:`bnpg.dense_game` makes one of arrays,
                          :func:`bnpg.game_from` one of a function, :func:`bnpg.sparse_game` and
                          :func:`bnpg.product_game` one without the tensor
:func:`bnpg.sweep`        run a grid of experiments; :func:`bnpg.games`, :func:`bnpg.runs` list what there is
:func:`bnpg.load_policy`  a policy file; :class:`bnpg.Policy` and :class:`bnpg.Dag` are made of arrays
========================  =====================================================================

What cannot be used raises :class:`bnpg.InputError` (a ``ValueError``) with one line that says what and where;
what is used, but not quite as it came, is told by a :class:`bnpg.InputWarning`;
a run that fails raises :class:`bnpg.RunFailed`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnpg_coordinator.worlds.factored import FactoredWorld, RewardTerm

    from bnpg.api.episodes import Episode
    from bnpg.api.evaluation import evaluate
    from bnpg.api.games import dense_game, game, game_from, product_game, sparse_game
    from bnpg.api.listing import games, runs
    from bnpg.api.recorded import Run, load_run
    from bnpg.api.sweeping import sweep
    from bnpg.api.train import train
    from bnpg.api.training import RunFailed, resume
    from bnpg.evaluation.measure import Evaluation
    from bnpg.sweeps.running import Sweep
    from bnpg_math.dag import Dag
    from bnpg_math.errors import DagError, GameError, InputError, InputWarning, PolicyError
    from bnpg_math.games.file import save_game
    from bnpg_math.games.game import Game
    from bnpg_math.games.transitions.product import Component
    from bnpg_math.policies.file import load_policy, save_policy
    from bnpg_math.policies.joint import Policy

__version__ = "0.1.0"

__all__ = [
    "Component",
    "Dag",
    "DagError",
    "Episode",
    "Evaluation",
    "FactoredWorld",
    "Game",
    "GameError",
    "InputError",
    "InputWarning",
    "Policy",
    "PolicyError",
    "RewardTerm",
    "Run",
    "RunFailed",
    "Sweep",
    "__version__",
    "dense_game",
    "evaluate",
    "game",
    "game_from",
    "games",
    "load_policy",
    "load_run",
    "product_game",
    "resume",
    "runs",
    "save_game",
    "save_policy",
    "sparse_game",
    "sweep",
    "train",
]

_HOMES = {
    "Component": "bnpg_math.games.transitions.product",
    "Dag": "bnpg_math.dag",
    "DagError": "bnpg_math.errors",
    "Episode": "bnpg.api.episodes",
    "Evaluation": "bnpg.evaluation.measure",
    "FactoredWorld": "bnpg_coordinator.worlds.factored",
    "Game": "bnpg_math.games.game",
    "GameError": "bnpg_math.errors",
    "InputError": "bnpg_math.errors",
    "InputWarning": "bnpg_math.errors",
    "Policy": "bnpg_math.policies.joint",
    "PolicyError": "bnpg_math.errors",
    "RewardTerm": "bnpg_coordinator.worlds.factored",
    "Run": "bnpg.api.recorded",
    "RunFailed": "bnpg.api.training",
    "Sweep": "bnpg.sweeps.running",
    "dense_game": "bnpg.api.games",
    "evaluate": "bnpg.api.evaluation",
    "game": "bnpg.api.games",
    "games": "bnpg.api.listing",
    "runs": "bnpg.api.listing",
    "sweep": "bnpg.api.sweeping",
    "game_from": "bnpg.api.games",
    "load_policy": "bnpg_math.policies.file",
    "load_run": "bnpg.api.recorded",
    "product_game": "bnpg.api.games",
    "resume": "bnpg.api.training",
    "save_game": "bnpg_math.games.file",
    "save_policy": "bnpg_math.policies.file",
    "sparse_game": "bnpg.api.games",
    "train": "bnpg.api.train",
}


def __getattr__(name: str) -> Any:
    """Load a name of the Python interface at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bnpg' has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    """List the Python interface, loaded or not."""
    return sorted({*globals(), *__all__})
