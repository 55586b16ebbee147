# Written by `make stub` from the declarations of the settings.

import os
from collections.abc import Callable, Iterable
from typing import Any, Literal

from bnpg.api.recorded import Run
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy

def train(
    game: str | os.PathLike[str] | Game | None = None,
    *,
    mode: Literal["sampled", "exact"] = "sampled",
    dag: str | os.PathLike[str] | Dag | Iterable[Any] = "line",
    rounds: int = 200,
    learning_rate: float | Literal["auto", "certified"] = "auto",
    optimizer: Literal["auto", "ascent", "adam", "natural", "normalised"] = "auto",
    schedule: Literal["constant", "linear"] = "constant",
    step_size: Literal["fixed", "backtracking", "barzilai-borwein"] = "fixed",
    direction: Literal["gradient", "natural"] = "gradient",
    momentum: Literal["none", "nesterov"] = "none",
    regularization: float = 0.0,
    barrier: Literal["uniform", "weighted"] = "uniform",
    policy: str = "table",
    update: Literal["gradient", "a2c", "ppo"] = "gradient",
    epochs: int = 5,
    minibatches: int = 1,
    clip: float = 0.2,
    entropy: float = 0.0,
    gae_lambda: float = 0.95,
    longest_gradient: float = 0.5,
    critic: str = "mlp:64,64",
    critic_learning_rate: float = 0.001,
    lanes: int = 256,
    parts: int = 1,
    horizon: int | Literal["geometric", "geometric-visit"] = "geometric",
    sure_steps: int = 0,
    steps: int = 100,
    discount: float = 0.99,
    world: str = "",
    encoder: str = "",
    team_reward: Literal["mean", "sum"] = "mean",
    instances: Literal["kept", "fresh"] = "kept",
    baseline: Literal["auto", "cross-fit", "centred", "td", "none"] = "auto",
    initial: str | os.PathLike[str] | Policy = "zeros",
    seed: int = 0,
    evaluate_every: int = 10,
    stop_at_epsilon: float = 0.0,
    stop_gap: Literal["nash", "optimality"] = "nash",
    certify_samples: float = 0.0,
    save_policy: bool = False,
    trace: bool = False,
    launcher: str = "memory",
    transport: Literal["ipc", "tcp", "unix"] = "ipc",
    relay: Literal["off", "on"] = "off",
    patience: float = 120.0,
    on_loss: Literal["wait", "fail"] = "wait",
    replace_after: float = 0.0,
    on_lost_state: Literal["fail", "restart"] = "fail",
    seal: str = "",
    environment_workers: int = 0,
    advertise: str = "auto",
    address: str = "auto",
    fsync: bool = True,
    log: Iterable[Literal["csv", "tensorboard"]] = (),
    log_format: Literal["text", "json"] = "text",
    log_level: Literal["debug", "info", "warning", "error"] = "warning",
    env: Any = None,
    faults: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    exist_ok: bool = False,
    progress: bool = False,
    on_line: Callable[[dict[str, Any]], bool | None] | None = None,
) -> Run:
    """Train a team on a game, as ``bnpg train`` does.

    What is left out has the default that is shown, or what an experiment file says. The launcher never
    changes a bit of the result, and here all agents live in this process unless another one is chosen.

    Parameters
    ----------
    game : str, path or Game
        A built-in such as ``coordination(agents=5)``, a game file, an experiment file (``.toml``, whose
        settings the arguments override), a game made by :func:`bnpg.dense_game`, or a simulator's name.
    env : str, callable or World
        A simulator instead of a game: its name, such as ``relay``, ``pettingzoo:mpe2.simple_spread_v3`` or
        ``module:function``; a function that returns a PettingZoo or Gymnasium environment; or a
        `bnpg_coordinator.worlds.interface.World`. What has no name that others find runs in this process.
    mode : {'sampled', 'exact'}, default 'sampled'
        Learn from played episodes, or from the known model.
    dag : str, path, Dag or graph, default 'line', or that of the initial policy
        Who sees whose action: ``empty``, ``line``, ``star``, ``complete``, edges such as ``0-1,0-2``,
        or a file.
    rounds : int, default 200
        Number of updates.
    learning_rate : float or 'auto', 'certified', default 'auto'
        Step size eta; ``auto`` fits the range of the returns, and ``certified`` is 1/beta, for which
        exact updates never do harm.
    optimizer : {'auto', 'ascent', 'adam', 'natural', 'normalised'}, default 'auto'
        What takes a step along the gradient: ``ascent`` is update (3), ``adam`` divides entries by
        their own size (sampled mode), ``natural`` by how often rows are met and actions tried,
        ``normalised`` levels rows and divides all by the largest entry (sampled mode, tables); where
        `learning_rate` is auto, ``auto`` in sampled mode is ``normalised`` for tables in games and
        ``adam`` for others; else it is ``ascent``.
    schedule : {'constant', 'linear'}, default 'constant'
        Whether `learning_rate` stays, or goes down in a line to 0 over `rounds`. (sampled mode)
    step_size : {'fixed', 'backtracking', 'barzilai-borwein'}, default 'fixed'
        Take `learning_rate` for each update, or let the coordinator choose, who tries that first; where
        that is auto, ``fixed`` is ``backtracking``. (exact mode)
    direction : {'gradient', 'natural'}, default 'gradient'
        What an update follows: the gradient, or the natural one. (exact mode)
    momentum : {'none', 'nesterov'}, default 'none'
        Whether updates are extrapolated, which begins anew whenever it does not pay. (exact mode)
    regularization : float, default 0.0
        Weight lambda of the log barrier.
    barrier : {'uniform', 'weighted'}, default 'uniform'
        How `regularization` is spread over the agents: as in the paper, or so that sparse graphs have
        no bad stationary points in games that are sums over its families; needs a perfect graph.
    policy : str, default 'table'
        What each agent learns: ``table``, a softmax over a table of logits; ``direct``, a table of
        probabilities that is projected back onto the simplex (exact mode); or ``mlp:64,64``, a network
        with such hidden layers (sampled mode).
    update : {'gradient', 'a2c', 'ppo'}, default 'gradient'
        What agents do with the signal: ``gradient`` is update (3); ``a2c`` and ``ppo`` follow the
        advantages of a critic at the coordinator, by Adam, and need a network as `policy`. (sampled
        mode)
    epochs : int, default 5
        Passes through a round of ``ppo`` and of the critic; ``a2c`` makes one. (sampled mode; update
        a2c and ppo)
    minibatches : int, default 1
        Parts of a pass, a step each. (sampled mode; update a2c and ppo)
    clip : float, default 0.2
        How far ``ppo`` lets the ratio of probabilities go from 1. (sampled mode; update a2c and ppo)
    entropy : float, default 0.0
        Weight of the entropy in ``a2c`` and ``ppo``. (sampled mode; update a2c and ppo)
    gae_lambda : float, default 0.95
        Lambda of the advantages: 0 trusts the critic, 1 the returns. (sampled mode; update a2c and ppo)
    longest_gradient : float, default 0.5
        Length to which gradients of ``a2c`` and ``ppo`` are shortened. (sampled mode; update a2c and
        ppo)
    critic : str, default 'mlp:64,64'
        The critic's network, which sees what the whole team sees. (sampled mode; update a2c and ppo)
    critic_learning_rate : float, default 0.001
        Step size of the critic. (sampled mode; update a2c and ppo)
    lanes : int, default 256
        Episodes of a round, played side by side. (sampled mode)
    parts : int, default 1
        Parts in which the lanes are stepped, so that agents and environment overlap. (sampled mode)
    horizon : int or 'geometric', 'geometric-visit', default 'geometric'
        Steps of an episode: an integer truncates, the geometric ones are unbiased. (sampled mode)
    sure_steps : int, default 0
        Steps that an episode of the geometric horizon lasts for sure before it may end. (sampled mode)
    steps : int, default 100
        Environment steps of a simulated round, a lane; episodes follow each other within it. (sampled
        mode; simulators)
    discount : float, default 0.99
        Discount gamma of a simulator's rewards; a game has its own. (sampled mode; simulators)
    world : str, default ''
        What is passed on to a simulator, ``key=value``; several by commas, or given several times.
        (simulators)
    encoder : str, default ''
        A function of yours from an observation to a state, ``module:function``, with an attribute
        ``states``; for tables where there is no end of observations. (sampled mode; simulators)
    team_reward : {'mean', 'sum'}, default 'mean'
        What the team gets where an environment rewards each agent. (sampled mode; simulators)
    instances : {'kept', 'fresh'}, default 'kept'
        Whether an environment is reset for every episode, or made anew because it carries something
        over. (sampled mode; simulators)
    baseline : {'auto', 'cross-fit', 'centred', 'td', 'none'}, default 'auto'
        What is subtracted from returns: the mean of the other half of the lanes (``cross-fit``), that
        and their mean reward at every step (``centred``), or nothing; or what takes the place of what
        follows a step, the value of the next state (``td``); ``auto`` is ``td`` for tables in games
        where `learning_rate` is auto (``centred`` for networks there, and with `horizon`
        geometric-visit), and else ``cross-fit``. (sampled mode)
    initial : str, path or Policy, default 'zeros'
        Starting theta: ``zeros``, ``normal``, which is N(0, 1) keyed by the seed, or a policy file;
        networks start from weights keyed by the seed, or from a file of networks.
    seed : int, default 0
        Key of everything random.
    evaluate_every : int, default 10
        Exact metrics every so many rounds and at the end; 0 is never.
    stop_at_epsilon : float, default 0.0: never
        Train until a gap of so much is certified; `rounds` is the most then. Chooses lambda =
        epsilon/M; where M is infinite epsilon/(2C), with C of the uniform policy, unless
        `regularization` is given. With a weighted `barrier` what missing edges may cost is taken off
        epsilon first.
    stop_gap : {'nash', 'optimality'}, default 'nash'
        Which gap `stop_at_epsilon` means: of Nash (tight Lemma 2), or to the optimum (tight Lemma 3, on
        the complete DAG). With a weighted `barrier` Theorem D1 certifies both on any perfect DAG.
    certify_samples : float, default 0.0: none
        Seek a certificate of the final policy in fresh episodes too, without the model, wrong with at
        most this probability.
    save_policy : bool, default False
        Gather ``policy.npz`` at the end, every agent's theta.
    trace : bool, default False
        Record every message, for ``bnpg trace``.
    launcher : str, default 'memory'
        ``memory``: all in one process; ``local``: a process for everyone on this machine; ``slurm``,
        ``ray``: agents on the hosts of a Slurm allocation or of a Ray cluster; or one that an installed
        package brings.
    transport : {'ipc', 'tcp', 'unix'}, default 'ipc'
        What carries messages between local processes: ZeroMQ (ipc, tcp) or stream sockets (unix).
    relay : {'off', 'on'}, default 'off'
        Whether an agent hands on the actions it heard to children that would hear them directly
        otherwise: fewer messages, to the same result.
    patience : float, default 120.0
        Seconds without any progress after which the run is given up, naming whom it waited for.
    on_loss : {'wait', 'fail'}, default 'wait'
        When a process dies: start it again, or fail the run.
    replace_after : float, default 0.0: never
        Start an agent elsewhere when nothing was heard of it for so long.
    on_lost_state : {'fail', 'restart'}, default 'fail'
        When an agent's state folder is lost: fail the run, or begin it again at round 0, to the same
        result.
    seal : str, default ''
        Seal every checkpoint with this key, made by ``bnpg keys seal``, and let the coordinator keep
        it, which cannot read it: an agent whose state folder is lost goes on from there.
    environment_workers : int, default 0: the coordinator steps them
        Processes that step the environments of a simulator, each some of the lanes, where it is slower
        than the agents.
    advertise : str, default 'auto'
        Host under which others reach the coordinator, where agents are on other hosts.
    address : str, default 'auto'
        Of the Ray cluster, as HOST:PORT of its head; ``auto`` is the one this host belongs to.
    fsync : bool, default True
        Whether the run survives a crash of the machine, not only of a process.
    log : iterable of {'csv', 'tensorboard'}, default ()
        Keep the record also as ``csv`` (``metrics.csv``) or ``tensorboard`` (``tensorboard/``).
    log_format : {'text', 'json'}, default 'text'
        Of the log on stderr.
    log_level : {'debug', 'info', 'warning', 'error'}, default 'warning'
        The least that is logged on stderr.
    faults : path
        A fault plan to inject; it changes no bit of the result.
    out : path
        Run folder, never overwritten. If left out, nothing is kept on disk: the run lives as long as the
        :class:`Run` that is returned, :meth:`Run.save` keeps it, and no ``curves.png`` is drawn. (One that is
        interrupted or fails stays in the temporary folder that the error names; one by an engine, whose
        processes are on other hosts, is in ``runs/GAME-TIMESTAMP``.)
    exist_ok : bool
        Whether `out` may hold this very run already, of the same experiment: it is loaded if it is done,
        and goes on if it is not. A folder that holds anything else is refused.
    progress : bool
        Whether to show progress on stderr.
    on_line : callable
        Called with every line of the run record as it is written. If it returns True, the run ends in order
        there; its summary says that it was interrupted, and :func:`bnpg.resume` can continue it.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If something cannot be used; nothing is left behind.
    RunFailed
        If a process, the disk or a deadline failed the run.
    KeyboardInterrupt
        If it was interrupted; :func:`bnpg.resume` continues it.

    Examples
    --------
    The climbing game pays 11, but next to -30. Without an edge two learners settle for less; when agent 1
    sees what agent 0 does, they get there:

    >>> import bnpg
    >>> options = {"mode": "exact", "rounds": 300, "learning_rate": 0.5}
    >>> alone = bnpg.train("climbing", dag="empty", **options)
    >>> together = bnpg.train("climbing", dag=[(0, 1)], **options)
    >>> round(alone.summary["value"], 1), round(together.summary["value"], 1)
    (6.0, 11.0)
    >>> bnpg.train("climbing", rounds=-1)
    Traceback (most recent call last):
    ...
    bnpg.InputError: rounds: expected an integer of at least 0, got -1
    """
