"""What the package is beyond `pyproject.toml`: where it lives, its examples, and the compiled core.

``make dist URL=https://forge.example/group/bnpg`` (it sets ``BNPG_URL``) makes every link of
the README absolute, so that a package index shows it right, and adds the addresses of the project.
"""

import os
import re
import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")
"""A link of Markdown, or a picture, to a file of the project."""


def absolute(text: str, url: str) -> str:
    """Return Markdown whose relative links lead into the project's repository."""

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        return f"{picture}[{words}]({url}/{'raw' if picture else 'blob'}/main/{target})"

    return RELATIVE.sub(link, text)


class CustomMetadataHook(MetadataHookInterface):
    """Fills in the README and the addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add what depends on where the project lives."""
        url = os.environ.get("BNPG_URL", "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, url) if url else text}
        metadata["urls"] = {
            name: f"{url}{path}"
            for name, path in (
                ("Homepage", ""),
                ("Documentation", "/blob/main/docs/index.md"),
                ("Changelog", "/blob/main/CHANGELOG.md"),
                ("Issues", "/issues"),
            )
            if url
        }


CORE = "protocol/bnpg_protocol/core"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the examples into the wheel, where `bnpg examples` finds them, and the core if it compiles."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them; an editable installation has them in the working folder."""
        if version != "editable":
            build_data["force_include"][str(Path(self.root, "examples"))] = "bnpg/examples"
        why: str = runpy.run_path(str(Path(self.root, CORE, "build.py")))["build"]()
        self.app.display_debug(f"core: {why or 'compiled'}")
        if version != "editable" and not why:
            # Such a wheel is for this version of Python and this kind of machine only.
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"] += [f"{CORE}/*.so", f"{CORE}/*.digest"]
