"""Formulas as MathML, which every browser shows by itself: the pages need no script and no network.

`docs/decisions/0013-formulas-as-mathml.md` says why. A formula that cannot be read is a warning of the build.
"""

import html
import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

# The glyph of a prime is high already; browsers would raise it once more.
_PRIMED = re.compile(r"<msup>(<mi>[^<]*</mi>)(<mo>[′″‴]</mo>)</msup>")
_converter = LatexToMathML(fancy_error=False, annotation=True)
_log = logging.getLogger(__name__)


def _markup(node: nodes.Element, *, display: bool) -> str:
    latex = node.astext().strip()
    if display and r"\\" in latex and r"\begin{" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    try:
        mathml = _converter.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        _log.warning("formula %r: %s", latex, error, location=node, type="mathml")
        return f"<code>{html.escape(latex)}</code>"
    return _PRIMED.sub(r"<mrow>\1\2</mrow>", mathml)


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(_markup(node, display=False))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="formula"))
    writer.body.append(_markup(node, display=True))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the renderer, for `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
