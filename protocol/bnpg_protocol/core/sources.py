"""The sources of the core, and what tells one state of them from another."""

import hashlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIGEST_FILE = f"_steady{EXTENSION_SUFFIXES[0]}.digest"
"""Beside what was compiled for this Python: from which sources."""


def sources() -> list[Path]:
    """Return the files that are compiled, always in the same order; none where they did not come along."""
    return sorted([*HERE.glob("*.pyx"), *HERE.glob("*.pxi")])


def digest() -> str:
    """Return 32 hexadecimal digits that belong to their content."""
    content = hashlib.sha256()
    for source in sources():
        content.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return content.hexdigest()[:32]


def built_from() -> str:
    """Return the digest of the sources of what was compiled; empty if nothing was."""
    try:
        return (HERE / DIGEST_FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
