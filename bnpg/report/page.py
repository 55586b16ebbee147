"""A page: sections in one self-contained HTML document, which loads nothing from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from bnpg import __version__
from bnpg_files.names import said


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    name : str
        Its anchor.
    title : str
    html : Markup
        Everything below the title.
    """

    name: str
    title: str
    html: Markup


@dataclass(frozen=True)
class Page:
    """What a document shows.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of Section
    live : bool
        Whether a server replaces sections while the page is open.
    scripts : tuple of str
        Scripts of this package that this page needs besides those of every page.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    live: bool = False
    scripts: tuple[str, ...] = ()


@cache
def environment() -> Environment:
    """Return the templates; everything put into them is escaped."""
    made = Environment(
        loader=PackageLoader("bnpg.report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = _asset
    return made


def render_section(name: str, title: str, template: str, **content: Any) -> Section:
    """Render one section from its template."""
    rendered = render_template(template, **content)
    return Section(name, title, Markup(rendered))  # noqa: S704 (an autoescaping template made it)


def render_template(template: str, **content: Any) -> str:
    """Return a part of a page, with all that is put into it escaped."""
    return said(environment().get_template(template).render(**content))


def render_page(page: Page, nonce: str = "") -> str:
    """Return the whole document.

    Parameters
    ----------
    page : Page
    nonce : str
        Lets the page's own style and script through a server's content security policy.
    """
    rendered = environment().get_template("page.html.j2").render(page=page, nonce=nonce, version=__version__)
    return said(rendered)


def _asset(name: str) -> Markup:
    """Return a style sheet or a script of this package, to be written into the page."""
    text = (files("bnpg.report") / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 (a file of this package)
