"""Making the keys of a deployment: a folder has all of them or none.

The coordinator's key is written first, under a name of its own, and gets its real one when everything else is
there. So that name says of a folder that whoever was making it was killed; nobody was ever told of what is in
there, and the next one begins anew over it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bnpg_protocol.process.files import sync_folder
from bnpg_protocol.process.security.keys import (
    COORDINATOR_FILE,
    ROSTER_FILE,
    KeyFile,
    agent_file,
    write_key_file,
)
from bnpg_protocol.process.security.roster import KeyRoster, write_roster
from bnpg_protocol.wire.addresses import process_name

from bnpg.locks import lock_alone, opened_folder
from bnpg.named_place import all_or_none, made, unwritable
from bnpg_math.errors import InputError

BEGUN_FILE = f".{COORDINATOR_FILE}.begun"
"""The coordinator's key, as long as others are missing."""


def make_keys(folder: Path, agents: int) -> KeyRoster:
    """Make a key pair for a coordinator and for each agent, and the roster of them.

    Parameters
    ----------
    folder : Path
        Made if missing; nobody else may read it.
    agents : int
        From 0 to `MOST_KEYS`.

    Raises
    ------
    InputError
        If there are keys already, somebody else is making some, or there can be none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    from bnpg_protocol.process.transport.curve import new_key_pair

    text = f"{folder} cannot be a folder of keys"
    own = [folder / agent_file(agent) for agent in range(agents)]
    begun, roster_file, last = folder / BEGUN_FILE, folder / ROSTER_FILE, folder / COORDINATOR_FILE
    with made(folder, text), alone(folder, text):
        _clear(folder, text)
        with all_or_none([*own, roster_file, last, begun]):
            coordinator = new_key_pair()
            try:
                folder.chmod(0o700)
                write_key_file(begun, KeyFile("coordinator", coordinator.public, coordinator.secret))
            except OSError as error:
                raise unwritable(text, error) from None
            public: dict[str, str] = {}
            for agent, file in enumerate(own):
                pair = new_key_pair()
                public[str(agent)] = pair.public
                content = KeyFile(process_name(agent), pair.public, pair.secret, coordinator.public)
                write_key_file(file, content)
            roster = KeyRoster(coordinator.public, public)
            write_roster(roster_file, roster)
            try:
                begun.rename(last)
                sync_folder(folder)
            except OSError as error:
                raise unwritable(text, error) from None
    return roster


@contextmanager
def alone(folder: Path, text: str) -> Iterator[None]:
    """Keep others from making or changing keys there.

    Parameters
    ----------
    folder : Path
    text : str
        What is said if it cannot be opened.

    Raises
    ------
    InputError
        If it cannot be opened, or somebody else is doing that.
    StorageFailed
        If the machine is short of something.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(opened_folder(folder))
        except OSError as error:
            raise unwritable(text, error) from None
        if not lock_alone(opened):
            raise InputError(f"{folder} is in use: another bnpg process is making or changing keys there")
        yield


def _clear(folder: Path, text: str) -> None:
    """Refuse a folder that has keys, but remove those that somebody was making who was killed."""
    if (folder / COORDINATOR_FILE).exists():
        raise InputError(
            f"{folder / COORDINATOR_FILE} exists already and is never overwritten; choose another folder"
        )
    found = [file for file in (folder / ROSTER_FILE, *sorted(folder.glob("agent-*.key"))) if file.exists()]
    if found and not (folder / BEGUN_FILE).exists():
        raise InputError(
            f"{found[0]} exists already and is never overwritten, and there is no {COORDINATOR_FILE}: "
            "put that back, or choose another folder"
        )
    try:
        for file in found:
            file.unlink()
    except OSError as error:
        raise unwritable(text, error) from None
