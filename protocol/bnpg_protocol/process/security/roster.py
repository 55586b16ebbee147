"""Rosters: the public keys a coordinator lets in.

A roster is a file or a folder. The *file* binds each key to an agent::

    coordinator = "..."
    [agents]
    0 = "..."

The *folder* holds a file `*.pub` for every key that may join; its agent is not known beforehand. The first
agent id a key is given at joining stays its own for the whole run.
"""

from pathlib import Path

from msgspec import Struct

from bnpg_files.reading import read_text, read_toml
from bnpg_protocol.process.security.keys import check_key, write_private
from bnpg_protocol.wire.errors import InsecureSetup

MOST_KEYS = 4096
"""Public keys an enrolment folder may hold, and agents for which keys are made at once."""


class KeyRoster(Struct, frozen=True, forbid_unknown_fields=True):
    """Public keys of a deployment."""

    coordinator: str = ""
    agents: dict[str, str] = {}
    """From agent id to public key."""

    def bound(self) -> dict[str, int]:
        """Return whom each key belongs to."""
        return {key: int(agent) for agent, key in self.agents.items()}


def read_roster(path: Path) -> KeyRoster:
    """Read a roster file.

    Raises
    ------
    InsecureSetup
        If it cannot be read or is no roster; the text names the entry.
    """
    try:
        roster = read_toml(path, KeyRoster, InsecureSetup)
    except FileNotFoundError as error:
        raise InsecureSetup(f"{path}: {error.strerror}") from None
    owners: dict[str, str] = {}
    for agent, key in roster.agents.items():
        if not (agent.isascii() and agent.isdecimal() and len(agent) <= 9):
            raise InsecureSetup(f"{path}: an agent is named by its number, got {agent!r:.40}")
        check_key(key, f"{path}: agent {agent}")
        if key in owners:
            raise InsecureSetup(
                f"{path}: agents {owners[key]} and {agent} have the same key, each needs its own"
            )
        owners[key] = agent
    return roster


def write_roster(path: Path, roster: KeyRoster) -> None:
    """Write a roster file.

    Raises
    ------
    StorageFailed
        If it cannot be written.
    """
    lines = ["# Public keys. The coordinator lets in exactly these agents, each as itself."]
    lines += [f'coordinator = "{roster.coordinator}"', "", "[agents]"]
    lines += [
        f'{agent} = "{key}"' for agent, key in sorted(roster.agents.items(), key=lambda item: int(item[0]))
    ]
    write_private(path, "\n".join(lines) + "\n")


def read_public_key(path: Path) -> str:
    """Read a file with nothing but a public key in it.

    Raises
    ------
    InsecureSetup
        If it cannot be read or holds something else.
    """
    try:
        text = read_text(path, InsecureSetup, 256).strip()
    except FileNotFoundError as error:
        raise InsecureSetup(f"{path}: {error.strerror}") from None
    check_key(text, str(path))
    return text


def read_enrolled(folder: Path) -> frozenset[str]:
    """Return the keys of an enrolment folder; what is no key is left out, as anybody enrolled may write here.

    Raises
    ------
    InsecureSetup
        If the folder cannot be read.
    """
    keys = set()
    try:
        files = sorted(folder.glob("*.pub"))[:MOST_KEYS]
    except OSError as error:
        raise InsecureSetup(f"{folder}: {error.strerror}") from None
    for file in files:
        try:
            keys.add(read_public_key(file))
        except InsecureSetup:
            continue
    return frozenset(keys)
