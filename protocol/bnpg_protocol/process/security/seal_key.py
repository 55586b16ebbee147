"""The file of the key that an agent seals its checkpoints with, readable by its owner only.

It must be where the disk of the agent's folder is not, or both are lost together.
"""

import base64
import secrets
from pathlib import Path

from msgspec import Struct

from bnpg_files.reading import read_toml
from bnpg_protocol.process.security.keys import check_private, write_private
from bnpg_protocol.wire.errors import InsecureSetup

_BYTES = 64
"""Of a key of AES-SIV with 256 bits."""


class _Content(Struct, frozen=True, forbid_unknown_fields=True):
    seal: str

    def __repr__(self) -> str:
        return "_Content(seal=<hidden>)"


class _NoKeyFile(Exception):
    """It holds something else."""


def write_seal_key(path: Path) -> None:
    """Make a new key, and a file for it.

    Raises
    ------
    StorageFailed
        If it cannot be written.
    """
    key = base64.b64encode(secrets.token_bytes(_BYTES)).decode()
    write_private(
        path,
        f'# Opens the sealed checkpoints of its agents. Never copy it to the coordinator.\nseal = "{key}"\n',
    )


def read_seal_key(path: Path, group: bool = False) -> bytes:
    """Read a key, of 64 bytes.

    Parameters
    ----------
    path : Path
    group : bool
        Whether its group may read it too.

    Raises
    ------
    InsecureSetup
        If it cannot be read, is no such file, or can be read by others than its owner.
    """
    expected = f"{path}: expected a key to seal with, made by `bnpg keys seal`"
    try:
        check_private(path, group)
        key = base64.b64decode(read_toml(path, _Content, _NoKeyFile).seal, validate=True)
    except OSError as error:
        raise InsecureSetup(f"{path}: {error.strerror}") from None
    except (_NoKeyFile, ValueError):
        # The text of the error could quote the secret.
        raise InsecureSetup(expected) from None
    if len(key) != _BYTES:
        raise InsecureSetup(f"{expected}, of {_BYTES} bytes, got {len(key)}")
    return key
