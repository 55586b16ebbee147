"""What a process starts with: its own key, and the list of those it lets in."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from bnpg_files.reading import read_json
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.keys import KeyFile, KeyPair, check_key, read_key_file, write_key_file
from bnpg_protocol.process.security.roster import read_enrolled, read_public_key, read_roster
from bnpg_protocol.wire.errors import InsecureSetup

BINDINGS_FILE = "roster.json"
"""In the run folder: which enrolled key was given which id. Public keys only."""

_Agent = Annotated[str, Meta(pattern="^[0-9]{1,9}$")]


class Security(Struct):
    """The keys of a process: its own, and those it lets in."""

    own: KeyPair
    admission: Admission


def coordinator_security(
    key: Path | None, roster: Path | None, bindings: Path, group: bool = False
) -> Security | None:
    """Return the coordinator's keys, or None if it was given none.

    Parameters
    ----------
    key : Path, optional
        Its own key file.
    roster : Path, optional
        A roster file, or a folder with the public keys that may join.
    bindings : Path
        Which key of a folder was given which id so far.
    group : bool
        Whether the key file may be readable by its group.

    Raises
    ------
    InsecureSetup
        If one of them is missing or bad.
    """
    if key is None and roster is None:
        return None
    if key is None or roster is None:
        given, missing = ("--key", "--roster") if roster is None else ("--roster", "--key")
        raise InsecureSetup(f"{given} needs {missing}: whose keys are let in, and with which key of its own")
    own = read_key_file(key, group)
    if own.owner != "coordinator":
        raise InsecureSetup(f"{key}: expected the coordinator's key, got that of {own.owner}")
    owners, enrolled = allowed(roster, bindings)
    if roster.is_dir():
        return Security(own.pair, Admission(owners, enrolled, lambda: read_enrolled(roster)))
    return Security(own.pair, Admission(owners, read_again=_when_changed(roster)))


def _when_changed(roster: Path) -> Callable[[], dict[str, int] | None]:
    """Return what reads a roster file again, if it has changed since; a bad one changes nothing."""

    def stamp() -> tuple[int, int, int] | None:
        try:
            status = roster.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    seen = stamp()

    def read() -> dict[str, int] | None:
        nonlocal seen
        before, seen = seen, stamp()
        if seen in (None, before):
            return None
        try:
            return read_roster(roster).bound()
        except InsecureSetup:
            return None

    return read


def allowed(roster: Path, bindings: Path) -> tuple[dict[str, int], frozenset[str]]:
    """Return whom the roster's keys belong to, and the keys that may ask for an id.

    Raises
    ------
    InsecureSetup
        If the roster is missing or bad.
    """
    if not roster.is_dir():
        return read_roster(roster).bound(), frozenset()
    enrolled = read_enrolled(roster)
    # A key that was taken out of the folder is revoked, whatever id it once was given.
    return {key: agent for key, agent in read_bindings(bindings).items() if key in enrolled}, enrolled


def read_bindings(path: Path) -> dict[str, int]:
    """Return which enrolled key was given which id; empty if none was.

    Raises
    ------
    InsecureSetup
        If the file is bad.
    """
    try:
        return {key: int(agent) for agent, key in read_json(path, dict[_Agent, str], InsecureSetup).items()}
    except FileNotFoundError:
        return {}


def write_bindings(path: Path, owners: dict[str, int], fence: Fence) -> None:
    """Remember which key was given which id.

    Raises
    ------
    StorageFailed
        If it cannot be written.
    """
    by_agent = {str(agent): key for key, agent in sorted(owners.items(), key=lambda item: item[1])}
    write_atomically(path, (json.dumps(by_agent, indent=2) + "\n").encode(), fsync=True, fence=fence)


def agent_security(
    key: Path | None, coordinator: Path | None, group: bool = False
) -> tuple[Security | None, str]:
    """Return an agent's keys and the coordinator's public key; None and the empty text if it was given none.

    Parameters
    ----------
    key : Path, optional
        Its own key file.
    coordinator : Path, optional
        A file with the coordinator's public key, if the key file does not hold it.
    group : bool
        Whether the key file may be readable by its group.

    Raises
    ------
    InsecureSetup
        If one of them is missing or bad.
    """
    if key is None:
        if coordinator is not None:
            raise InsecureSetup("--coordinator-key needs --key: the agent's own key")
        return None, ""
    own = read_key_file(key, group)
    if own.owner == "coordinator":
        raise InsecureSetup(f"{key}: expected an agent's key, got that of the coordinator")
    expected = own.coordinator if coordinator is None else read_public_key(coordinator)
    if not expected:
        raise InsecureSetup(f"{key} does not name the coordinator's public key: give --coordinator-key FILE")
    return Security(own.pair, Admission()), expected


def enrol(key: Path, folder: Path, new_key_pair: Callable[[], KeyPair]) -> None:
    """Make an agent's own key unless it has one, and put its public half where the coordinator looks for it.

    The private key is made where it is used, so it never travels.

    Raises
    ------
    InsecureSetup
        If the key there is bad, or the folder is missing.
    StorageFailed
        If a file cannot be written.
    """
    if not key.exists():
        pair = new_key_pair()
        write_key_file(key, KeyFile("agent", pair.public, pair.secret))
    public = read_key_file(key).public
    check_key(public, str(key))
    if not folder.is_dir():
        raise InsecureSetup(f"--enrol {folder}: expected the folder where the coordinator looks for keys")
    name = hashlib.sha256(public.encode()).hexdigest()[:16]
    file = folder / f"{name}.pub"
    if not file.exists():
        write_atomically(file, f"{public}\n".encode(), fsync=False)
