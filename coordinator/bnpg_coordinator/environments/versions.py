"""Which versions of which packages an environment is made of."""

import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata


@cache
def _owners() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Return the versions of the distributions that modules belong to, by name.

    A module that belongs to none, such as a file in the working folder, has no version; what it plays is
    compared instead (`bnpg_coordinator.environments.probe`).
    """
    found = {}
    for module in modules:
        for owner in _owners().get(module.partition(".")[0], ()):
            found[owner.lower()] = metadata.version(owner)
    if found:
        found["python"] = ".".join(map(str, sys.version_info[:2]))
    return dict(sorted(found.items()))
