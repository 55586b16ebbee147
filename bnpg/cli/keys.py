"""`bnpg keys`: make, check, rotate and revoke the keys of a deployment."""

import json
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import click
import msgspec
from bnpg_protocol.process.security.keys import (
    COORDINATOR_FILE,
    ROSTER_FILE,
    KeyFile,
    agent_file,
    read_key_file,
    short,
    write_key_file,
)
from bnpg_protocol.process.security.roster import MOST_KEYS, KeyRoster, read_roster, write_roster
from bnpg_protocol.process.security.seal_key import write_seal_key
from bnpg_protocol.wire.addresses import process_name

from bnpg.cli.options import debug_option, integer, json_option
from bnpg.cli.suggestions import SuggestingGroup
from bnpg.named_place import check_place, write_named
from bnpg.new_keys import alone, make_keys
from bnpg_math.errors import InputError

PUBLIC_FILE = "coordinator.pub"
_NO_FOLDER = "{}: expected a folder of keys, made by `bnpg keys new`"

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_agent = click.option("--agent", type=integer(0), metavar="I", help="Whose key.")


@click.group(cls=SuggestingGroup, short_help="Make and look after the keys of a deployment.")
@debug_option
def keys() -> None:
    """Keys of processes on several hosts: who may take part, and who speaks as whom.

    DIR holds a private key a process (each belongs on that process's host and nowhere else) and roster.toml,
    the public keys the coordinator lets in.
    """


@keys.command(short_help="Make the keys of a coordinator and its agents.")
@_folder
@click.option(
    "--agents", type=integer(0, MOST_KEYS), required=True, metavar="N", help="How many agents get a key."
)
@click.option(
    "--public",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help=f"Put the coordinator's public key there, as {PUBLIC_FILE}.",
)
@click.option("--keep", is_flag=True, help="If DIR has keys already, check and keep them.")
@json_option
@debug_option
def new(folder: Path, agents: int, public: Path | None, keep: bool, as_json: bool) -> None:
    """Make a key pair for the coordinator and for each of N agents. Existing keys are never overwritten.

    What a `bnpg keys new` that was killed has left is no such key: the next one begins anew over it.
    """
    if public is not None:
        if not public.is_dir():
            raise InputError(f"--public {public}: expected a folder")
        check_place(public / PUBLIC_FILE, "--public", followed=False)
    kept = keep and (folder / COORDINATOR_FILE).exists()
    roster = _checked(folder) if kept else make_keys(folder, agents)
    if public is not None:
        told = f"{roster.coordinator}\n".encode()
        write_named(public / PUBLIC_FILE, told, "--public", followed=False)
    if as_json:
        click.echo(json.dumps({"folder": str(folder.absolute())} | msgspec.to_builtins(roster)))
        return
    click.echo(f"{folder / COORDINATOR_FILE}  for the coordinator: bnpg coordinator ... --key")
    for agent in sorted(roster.agents, key=int):
        click.echo(f"{folder / agent_file(int(agent))}  for agent {agent} alone: bnpg agent ... --key")
    click.echo(f"{folder / ROSTER_FILE}  for the coordinator: bnpg coordinator ... --roster")


@keys.command(short_help="Make a key to seal checkpoints with.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@debug_option
def seal(file: Path) -> None:
    """Make a key with which agents seal their checkpoints: `bnpg train --seal`, `bnpg agent --seal`.

    Keep it where the disks of the agents are not, and away from the coordinator. An existing file is never
    overwritten.
    """
    if os.path.lexists(file):
        raise InputError(f"{file} exists already and is never overwritten; choose another name")
    check_place(file)
    write_seal_key(file)
    click.echo(f"{file}  for agents alone: bnpg agent ... --seal, bnpg train ... --seal")


@keys.command(short_help="Check files, permissions and that they fit together.")
@_folder
@json_option
@debug_option
def check(folder: Path, as_json: bool) -> None:
    """Check every key in DIR: readable by its owner only, both halves fit, and the roster names it."""
    roster = _checked(folder)
    files = sorted(file.name for file in folder.glob("*.key"))
    if as_json:
        click.echo(
            json.dumps({"folder": str(folder.absolute()), "keys": files, "agents": len(roster.agents)})
        )
    else:
        click.echo(
            f"{folder}: {len(files)} private keys and a roster of {len(roster.agents)} agents fit together"
        )


@keys.command(short_help="Replace the key of an agent or of the coordinator.")
@_folder
@_agent
@click.option("--coordinator", is_flag=True, help="The coordinator's key.")
@debug_option
def rotate(folder: Path, agent: int | None, coordinator: bool) -> None:
    """Replace one key. The old one is refused as soon as the coordinator has read the roster again.

    If it is killed, do it again: what it replaces need not fit the rest.
    """
    if coordinator == (agent is not None):
        raise InputError("expected either --agent I or --coordinator")
    from bnpg_protocol.process.transport.curve import new_key_pair

    fresh = new_key_pair()
    with _changing(folder):
        roster = _checked(folder, COORDINATOR_FILE if agent is None else agent_file(agent))
        if agent is not None:
            file = folder / agent_file(agent)
            write_key_file(file, KeyFile(process_name(agent), fresh.public, fresh.secret, roster.coordinator))
            agents = roster.agents | {str(agent): fresh.public}
            write_roster(folder / ROSTER_FILE, KeyRoster(roster.coordinator, agents))
            then = (
                f"bring {file} to agent {agent}'s host, send SIGHUP to the coordinator, start the agent again"
            )
        else:
            for file in sorted(folder.glob("agent-*.key")):
                write_key_file(file, msgspec.structs.replace(read_key_file(file), coordinator=fresh.public))
            write_key_file(folder / COORDINATOR_FILE, KeyFile("coordinator", fresh.public, fresh.secret))
            write_roster(folder / ROSTER_FILE, KeyRoster(fresh.public, roster.agents))
            then = "bring every agent-I.key to its host again, and start the coordinator and the agents again"
    click.echo(then)


@keys.command(short_help="Take an agent's key off the roster.")
@_folder
@_agent
@debug_option
def revoke(folder: Path, agent: int | None) -> None:
    """Take an agent's key off the roster: it is refused as soon as the coordinator has read it again."""
    with _changing(folder):
        roster = _checked(folder, "" if agent is None else agent_file(agent))
        if agent is None or str(agent) not in roster.agents:
            known = ", ".join(sorted(roster.agents, key=int)) or "none"
            raise InputError(f"--agent must be one of the roster ({known}), got {agent}")
        rest = {name: key for name, key in roster.agents.items() if name != str(agent)}
        # In this order, because whoever is on the roster still can be revoked again.
        (folder / agent_file(agent)).unlink(missing_ok=True)
        write_roster(folder / ROSTER_FILE, KeyRoster(roster.coordinator, rest))
    click.echo("send SIGHUP to the coordinator, or start it again")


def _changing(folder: Path) -> AbstractContextManager[None]:
    """Keep others from changing the keys there: one would write the roster as it was before the other."""
    if not folder.is_dir():
        raise InputError(_NO_FOLDER.format(folder))
    return alone(folder, f"{folder} cannot be changed")


def _checked(folder: Path, replaced: str = "") -> KeyRoster:
    """Return the roster of a folder whose files are all in order.

    That is not asked of a file that is about to be replaced, nor of what is replaced with it: whoever was
    doing so before may have been killed in the midst of it.
    """
    from bnpg_protocol.process.transport.curve import public_key

    if not folder.is_dir():
        raise InputError(_NO_FOLDER.format(folder))
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    if mode & 0o077:
        raise InputError(
            f"{folder}: expected mode 0700, got {mode:04o}; correct it with `chmod 700 {folder}`"
        )
    roster = read_roster(folder / ROSTER_FILE)
    expected = {COORDINATOR_FILE: roster.coordinator}
    expected |= {agent_file(int(agent)): key for agent, key in roster.agents.items()}
    for file in sorted(folder.glob("*.key")):
        if file.name == replaced:
            continue
        content = read_key_file(file)
        if public_key(content.secret) != content.public:
            raise InputError(f"{file}: public and secret do not belong together")
        if file.name in expected and content.public != expected[file.name]:
            listed = short(expected[file.name])
            raise InputError(
                f"{file}: the roster has {listed} for {content.owner}, the file {short(content.public)}; "
                "rotate that key (again)"
            )
        named_anew = replaced == COORDINATOR_FILE
        if content.coordinator and content.coordinator != roster.coordinator and not named_anew:
            raise InputError(
                f"{file}: names another coordinator's key than the roster does; "
                "rotate the coordinator's (again)"
            )
    return roster
