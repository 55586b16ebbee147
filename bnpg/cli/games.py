"""`bnpg games`: the built-in games; `show` describes one, `export` writes one as a file."""

import inspect
import json
from pathlib import Path
from typing import Any

import click

from bnpg.cli.options import debug_option, json_option
from bnpg.cli.suggestions import SuggestingGroup

LARGEST_EXPORT = 2 * 2**30
"""Most bytes of an exported transition tensor."""


@click.group(cls=SuggestingGroup, invoke_without_command=True, short_help="List, show and export games.")
@json_option
@debug_option
@click.pass_context
def games(context: click.Context, as_json: bool) -> None:
    """List the built-in games with their parameters, and the sizes that the defaults give."""
    if context.invoked_subcommand is not None:
        return
    from bnpg_coordinator.worlds.bundled.registry import SIMULATORS

    from bnpg_math.games.registry import list_games

    listings = list_games()
    if as_json:
        rows = [
            {
                "name": listing.name,
                "parameters": dict(listing.parameters),
                "agents": listing.agents,
                "states": listing.states,
                "actions": list(listing.actions),
                "description": listing.description,
            }
            for listing in listings
        ]
        click.echo(json.dumps({"games": rows}))
        return
    for listing in listings:
        parameters = ", ".join(f"{name}={value:g}" for name, value in listing.parameters.items())
        click.echo(f"{click.style(listing.name, bold=True)}({parameters})")
        click.echo(f"    {sizes(listing.agents, listing.states, listing.actions)}")
        click.echo(f"    {listing.description}")
    click.echo("\nSimulators, whose model is not known: trained sampled, judged by their returns")
    for name, simulator in SIMULATORS.items():
        example = simulator()
        click.echo(f"{click.style(name, bold=True)}{example.name.removeprefix(name)}")
        click.echo(f"    {(inspect.getdoc(simulator) or '').splitlines()[0]}")
    click.echo('\nPlay one: bnpg train "coordination(agents=5)"')


def sizes(agents: int, states: int, actions: tuple[int, ...]) -> str:
    """Say how large a game is."""
    if len(set(actions)) == 1:
        each = f"{actions[0]} actions each"
    else:
        each = "actions " + ", ".join(map(str, actions))
    return f"{agents} agent{'s' * (agents > 1)}, {states} state{'s' * (states > 1)}, {each}"


@games.command(short_help="Describe a game.")
@click.argument("spec", metavar="GAME")
@json_option
@debug_option
def show(spec: str, as_json: bool) -> None:
    """Describe a game, built-in or from a file: its sizes, discount and rewards, and what it is."""
    from bnpg.known_game import SHOWN, known_game
    from bnpg_math.games.registry import BUILDERS

    found = known_game(spec, SHOWN)
    builder = BUILDERS.get(spec.partition("(")[0].strip())
    text = (inspect.getdoc(builder) or "") if builder is not None and builder().name == found.name else ""
    low, high = float(found.reward.min()), float(found.reward.max())
    if as_json:
        row: dict[str, Any] = {
            "name": found.name,
            "agents": found.agents,
            "states": found.states,
            "actions": list(found.actions),
            "joint_actions": found.joint_actions,
            "gamma": found.gamma,
            "reward_min": low,
            "reward_max": high,
            "description": text,
        }
        click.echo(json.dumps(row))
        return
    click.echo(f"{click.style(found.name, bold=True)}: {sizes(found.agents, found.states, found.actions)}")
    if text:
        click.echo(f"  {' '.join(text.split())}")
    click.echo(
        f"  {found.joint_actions} joint actions, discount {found.gamma:g}, rewards {low:g} to {high:g}"
    )


@games.command(short_help="Write a game as a file.")
@click.argument("spec", metavar="GAME")
@click.argument("file", metavar="FILE.npz", type=click.Path(path_type=Path))
@json_option
@debug_option
def export(spec: str, file: Path, as_json: bool) -> None:
    """Write a game as a file; an existing file is refused.

    It holds the whole transition tensor, or of a large random game the successors with their probabilities.
    """
    from bnpg.known_game import EXPORTED, known_game
    from bnpg.new_game_file import check_new, save_new
    from bnpg_math.errors import InputError
    from bnpg_math.games.transitions.sparse import SparseTransition

    check_new(file)
    found = known_game(spec, EXPORTED)
    size = 8 * found.states**2 * found.joint_actions
    if size > LARGEST_EXPORT and not isinstance(found.transition, SparseTransition):
        raise InputError(
            f"game {found.name} has a transition tensor of {size / 2**30:.1f} GiB as a file, at most "
            f"{LARGEST_EXPORT // 2**30} GiB are written; train it by its name instead"
        )
    save_new(found, file, whole=True)
    result: dict[str, Any] = {
        "file": str(file.absolute()),
        "name": found.name,
        "agents": found.agents,
        "states": found.states,
        "actions": list(found.actions),
        "bytes": file.stat().st_size,
    }
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(f"{file}: {found.name}, {sizes(found.agents, found.states, found.actions)}")
