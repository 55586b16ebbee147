"""From how a person names a world to the world: ``pettingzoo:..``, ``gymnasium:..``, ``module:function``."""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from bnpg_coordinator.environments.containment import contained, runs_now
from bnpg_coordinator.environments.foreign import OURS, Hung, described
from bnpg_coordinator.environments.guarded_world import guarded_world, is_world
from bnpg_coordinator.environments.teams import Team, team
from bnpg_coordinator.environments.watch import Watch
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS, simulator
from bnpg_coordinator.worlds.interface import World
from bnpg_coordinator.worlds.simulated import SimulatedWorld
from bnpg_math.errors import InputError
from bnpg_math.games.call import parse_call
from bnpg_math.games.registry import BUILDERS

T = TypeVar("T")
PEERS = ("pettingzoo", "gymnasium")


class Playing(Struct, frozen=True):
    """How a simulator is played, whatever it is."""

    gamma: float
    steps: int
    reward: str = "mean"
    patience: float = 60.0
    fresh: bool = False
    with_state: bool = False
    """Whether a critic wants the whole state."""
    folder: Path = Path()
    """Where a person's own modules are looked for."""


class Opened(Struct, frozen=True):
    """A world that is no game, and what it is made of."""

    world: World
    name: str
    """With all that was passed on to it."""
    again: Callable[[], World]
    """Opens it once more, with other instances."""
    modules: tuple[str, ...]
    """Whose versions the result may depend on; the first one is the environment's own."""
    make: Callable[[], Any] | None = None
    """Makes another of its environments as they come; None if it has none."""


def is_simulator(text: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a text names a simulator, and not a game or a file."""
    text = text.strip()
    head = text.partition("(")[0].strip()
    if ":" in text and not text.endswith((".npz", ".toml")) and not _is_file(text):
        return True
    if head in SIMULATORS and head not in BUILDERS:
        return not _is_file(text)
    if head in SIMULATORS:
        # Both a game and a simulator: the length of an episode makes the difference.
        return "T" in arguments or "T" in _arguments(text, head)
    return False


def parse_arguments(text: str) -> dict[str, Any]:
    """Return what `key=value,key=value` says; values are literals of Python, or any other text.

    Raises
    ------
    InputError
        If one has not that form.
    """
    found: dict[str, Any] = {}
    for part in _parts(text):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise InputError(f"world must be key=value, got {part!r:.80}")
        try:
            found[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            found[key.strip()] = value.strip()
    return found


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Return what `parse_arguments` reads.

    Raises
    ------
    InputError
        If a value cannot be written as text.
    """
    text = ",".join(f"{key}={value!r}" for key, value in arguments.items())
    if parse_arguments(text) != dict(arguments):
        raise InputError(f"world must hold values that can be written as text, got {text:.80}")
    return text


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no bracket and no quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part for part in (*parts, text[start:]) if part.strip()]


def open_world(text: str, arguments: Mapping[str, Any], playing: Playing) -> Opened:
    """Open a world that is no game.

    Parameters
    ----------
    text : str
        How a person names it.
    arguments : mapping
        Passed on to it.
    playing : Playing

    Raises
    ------
    InputError
        One line: what is not there, cannot be used, or which extra is missing.
    """
    text = text.strip()
    runs_now(text)
    kind, _, rest = text.partition(":")
    if ":" not in text:
        name, inner = parse_call(text, SIMULATORS)
        made = simulator(name, {**inner, **arguments})
        world = SimulatedWorld(made, playing.gamma, playing.steps)
        return Opened(world, made.name, lambda: SimulatedWorld(made, playing.gamma, playing.steps), ())
    name = f"{text}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
    name = name if arguments else text
    if kind == "pettingzoo":
        make, modules = _pettingzoo(rest, arguments)
    elif kind == "gymnasium":
        make, modules = _gymnasium(rest, arguments)
    else:
        found = _own(kind, rest, playing.folder)
        make, modules = (lambda: found(**arguments)), (kind,)
    make = _made(make, text, playing.patience)
    if kind in PEERS:
        return _environment(make, text, name, modules, playing)
    return _opened(make, text, name, modules, playing)


def open_object(given: Any, name: str, arguments: Mapping[str, Any], playing: Playing) -> Opened:
    """Open what a program has at hand: a World, or a function that returns one or an environment.

    Raises
    ------
    InputError
        If it is neither.
    """
    if _used(lambda: is_world(given), name, playing.patience):
        return _own_world(given, lambda: given, name, name, (), playing)
    if not callable(given):
        raise InputError(
            f"env must be a name, a World, or a function that returns an environment, got "
            f"{type(given).__name__}"
        )
    make = _made(lambda: given(**arguments), name, playing.patience)
    return _opened(make, name, name, (), playing)


def load_encoder(text: str, folder: Path) -> Callable[[Any], Any]:
    """Return a person's function from an observation to a state.

    Raises
    ------
    InputError
        If it cannot be found.
    """
    module, _, function = text.partition(":")
    return _own(module, function, folder)


def _opened(
    make: Callable[[], Any], text: str, name: str, modules: tuple[str, ...], playing: Playing
) -> Opened:
    """Open what a person's own function makes, a World or an environment."""
    first = make()
    if _used(lambda: is_world(first), text, playing.patience):
        return _own_world(first, make, text, name, modules, playing)
    return _environment(make, text, name, modules, playing, first)


def _own_world(
    first: Any,
    make: Callable[[], Any],
    text: str,
    name: str,
    modules: tuple[str, ...],
    playing: Playing,
) -> Opened:
    def guard(made: Any) -> World:
        return _used(lambda: guarded_world(made, text, playing.patience), text, playing.patience)

    return Opened(guard(first), name, lambda: guard(make()), modules)


def _environment(
    make: Callable[[], Any],
    text: str,
    name: str,
    modules: tuple[str, ...],
    playing: Playing,
    first: Any = None,
) -> Opened:
    made = [] if first is None else [first]

    def make_team() -> Team:
        one = made.pop() if made else make()
        return _used(lambda: team(one, text), text, playing.patience)

    def again() -> World:
        return _used(
            lambda: EnvironmentWorld(
                make_team,
                text,
                playing.gamma,
                playing.steps,
                playing.reward,
                playing.patience,
                playing.fresh,
                playing.with_state,
            ),
            text,
            playing.patience,
        )

    return Opened(again(), name, again, modules, make)


def _made(make: Callable[[], Any], text: str, patience: float) -> Callable[[], Any]:
    """Return what makes another instance, and says in one line why it cannot."""
    return lambda: _in_a_line(make, f"{text} cannot be made", patience)


def _used(use: Callable[[], T], text: str, patience: float) -> T:
    """Return what comes of something that was made, or say in one line why nothing does."""
    return _in_a_line(use, f"{text} cannot be used", patience)


def _in_a_line(call: Callable[[], T], failed: str, patience: float) -> T:
    try:
        with contained():
            return Watch(patience, lambda: failed).over(call)
    except (InputError, KeyboardInterrupt):
        raise
    except Hung:
        raise InputError(f"{failed}: it hangs, no answer for {patience:g} s") from None
    except BaseException as error:
        raise InputError(f"{failed}: {described(error)}") from error


def _pettingzoo(module: str, arguments: Mapping[str, Any]) -> tuple[Callable[[], Any], tuple[str, ...]]:
    require("pettingzoo")
    found = None
    for candidate in (module, f"pettingzoo.{module}"):
        found = _imported(candidate, "pettingzoo")
        if found is not None:
            break
    if found is None:
        raise InputError(f"pettingzoo:{module}: there is no module {module} or pettingzoo.{module}")
    makers = [getattr(found, name, None) for name in ("parallel_env", "env", "raw_env")]
    make = next((maker for maker in makers if callable(maker)), None)
    if make is None:
        raise InputError(f"pettingzoo:{module}: the module must have parallel_env or env")
    return (lambda: make(**arguments)), (found.__name__, "pettingzoo")


def _gymnasium(name: str, arguments: Mapping[str, Any]) -> tuple[Callable[[], Any], tuple[str, ...]]:
    require("gymnasium")
    import gymnasium

    def make() -> Any:
        try:
            return gymnasium.make(name, disable_env_checker=True, **arguments)
        except ModuleNotFoundError as error:
            raise InputError(
                f"gymnasium:{name} needs the module {error.name}, which is not installed"
            ) from None

    owner = name.partition(":")[0] if ":" in name else _registered(gymnasium, name)
    modules = (owner, "gymnasium") if owner else ("gymnasium",)
    return make, modules


def _registered(gymnasium: Any, name: str) -> str:
    spec = gymnasium.registry.get(name)
    entry = getattr(spec, "entry_point", None)
    return entry.partition(":")[0] if isinstance(entry, str) else ""


def require(extra: str) -> None:
    """Refuse what needs an extra that is not installed.

    Raises
    ------
    InputError
    """
    try:
        importlib.import_module(extra)
    except ImportError:
        raise InputError(
            f"{extra}: environments need the extra {extra}: pip install 'bnpg[{extra}]'"
        ) from None


def _own(module: str, function: str, folder: Path) -> Callable[..., Any]:
    """Return a person's own function, from the folder given or wherever Python finds it."""
    text = f"{module}:{function}"
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise InputError(f"{text!r:.100} must be module:function, pettingzoo:MODULE or gymnasium:ID")
    with _found_in(folder):
        found = _imported(module, text)
    if found is None:
        raise InputError(f"{text}: there is no module {module} in {folder.absolute()}, nor installed")
    for part in function.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError(f"{text}: the module {module} has no function {function}")
    own: Callable[..., Any] = found
    return own


@contextmanager
def _found_in(folder: Path) -> Iterator[None]:
    """Let modules be found in a folder first; those that they import later, after all others."""
    place = os.fspath(folder.absolute())
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)


def _imported(module: str, what: str) -> Any:
    """Return a module; None if there is none of that name."""
    try:
        with contained():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            return None
        how = f": pip install 'bnpg[{missing}]'" if missing in PEERS else ""
        raise InputError(
            f"{what}: importing {module} needs the module {missing}, which is not installed{how}"
        ) from None
    except OURS:
        raise
    except BaseException as error:
        raise InputError(f"{what}: importing {module} failed: {described(error)}") from error


def _arguments(text: str, head: str) -> Mapping[str, object]:
    try:
        _, inner = parse_call(text, {head: SIMULATORS[head]})
    except InputError:
        return {}
    return inner


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False
