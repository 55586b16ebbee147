"""Key files: a CURVE key pair with its owner, readable by that owner only.

A private key is read from a file and lives in the process that owns it; it is never in the environment, on a
command line, in a log, in a trace or in a run folder. What is shared is the *roster*: public keys only.

::

    keys/                   0700
      coordinator.key       0600   public, secret
      agent-0.key           0600   public, secret, the coordinator's public key
      roster.toml           0600   public keys of the coordinator and of every agent
"""

import os
import re
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from bnpg_files.reading import read_toml
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.addresses import process_name
from bnpg_protocol.wire.errors import InsecureSetup

KEY_TEXT = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
"""A CURVE key as Z85 text: 40 characters for 32 bytes."""
COORDINATOR_FILE = "coordinator.key"
ROSTER_FILE = "roster.toml"


class KeyPair(Struct, frozen=True):
    """A CURVE key pair as Z85 text."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r}, secret=<hidden>)"


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What a key file holds."""

    owner: str
    """`coordinator`, `agent-3`, or `agent` for one whose id is given at joining."""
    public: str
    secret: str
    coordinator: str = ""
    """The coordinator's public key; empty in the coordinator's own file."""

    @property
    def pair(self) -> KeyPair:
        """The key pair in it."""
        return KeyPair(self.public, self.secret)

    def __repr__(self) -> str:
        return f"KeyFile(owner={self.owner!r}, public={self.public!r}, secret=<hidden>)"


class _NoKeyFile(Exception):
    """It holds something else."""


def agent_file(agent: int) -> str:
    """Return the name of an agent's key file."""
    return f"{process_name(agent)}.key"


def short(key: str) -> str:
    """Return the part of a public key by which logs and errors name it."""
    return f"{key[:8]}.."


def write_key_file(path: Path, content: KeyFile) -> None:
    """Write a key file that only its owner can read.

    Raises
    ------
    StorageFailed
        If it cannot be written.
    """
    lines = [f"# Private key of {content.owner}. It belongs to that process alone: never copy or commit it."]
    fields = msgspec.to_builtins(content)
    lines += [f'{field} = "{value}"' for field, value in fields.items() if value]
    write_private(path, "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, at every instant.

    Raises
    ------
    StorageFailed
        If it cannot be written.
    """
    before = os.umask(0o077)
    try:
        write_atomically(path, text.encode(), fsync=True)
    finally:
        os.umask(before)


def group_reads(path: Path) -> bool:
    """Whether the group of a file may read it."""
    return bool(path.stat().st_mode & stat.S_IRGRP)


def check_private(path: Path, group: bool = False) -> None:
    """Refuse a file of a secret that others than its owner can read.

    Parameters
    ----------
    path : Path
    group : bool
        Whether its group may read it too, as it may those that Kubernetes mounts.

    Raises
    ------
    InsecureSetup
        If they can, or if it is no file.
    OSError
        If it is not there.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise InsecureSetup(f"{path}: expected a key file, got something else")
    if stat.S_IMODE(mode) & (0o037 if group else 0o077):
        raise InsecureSetup(
            f"{path}: a private key must be readable by its owner{' and group' * group} only, "
            f"got mode {stat.S_IMODE(mode):04o}; correct it with `chmod 600 {path}`"
        )


def read_key_file(path: Path, group: bool = False) -> KeyFile:
    """Read a private key.

    Parameters
    ----------
    path : Path
    group : bool
        Whether its group may read it too, as it may those that Kubernetes mounts.

    Raises
    ------
    InsecureSetup
        If it cannot be read, is no key file, or can be read by others than its owner.
    """
    try:
        check_private(path, group)
        content = read_toml(path, KeyFile, _NoKeyFile)
    except OSError as error:
        raise InsecureSetup(f"{path}: {error.strerror}") from None
    except _NoKeyFile:
        # The text of the error could quote the secret.
        raise InsecureSetup(f"{path}: expected a key file with owner, public and secret") from None
    for field in ("public", "secret"):
        check_key(getattr(content, field), f"{path}: {field}")
    if content.coordinator:
        check_key(content.coordinator, f"{path}: coordinator")
    return content


def check_key(text: str, where: str) -> None:
    """Refuse what is no key.

    Raises
    ------
    InsecureSetup
        If it is not 40 characters of Z85; the text of the key is never repeated.
    """
    if not KEY_TEXT.fullmatch(text):
        raise InsecureSetup(f"{where}: a key has 40 characters of Z85, got {len(text)} characters")
