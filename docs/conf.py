"""How the documentation site is made: `make docs` builds it into `build/docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from bnpg_protocol.wire.version import PROTOCOL_VERSIONS  # noqa: E402

from bnpg import __version__  # noqa: E402 (the path comes first)

project = "bnpg"
author = "the maintainers of bnpg"
project_copyright = "the maintainers of bnpg, Apache-2.0"
version = release = __version__
_spoken = " and ".join(map(str, PROTOCOL_VERSIONS))
html_title = f"bnpg {release}, protocol {_spoken}"

extensions = [
    "myst_nb",  # pages in Markdown, and the notebook with what it showed
    "sphinx.ext.autodoc",
    "sphinx_click",
    "generated",
    "mathml",
]
exclude_patterns = [
    "_ext",
    "_static",
    "theory/exact-benchmark.md",
    "renew_notebook.py",
]  # the last is a part of a page

# Pages

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
nb_execution_mode = "off"  # the tests run it: tests/api/test_notebook.py
myst_heading_anchors = 4
myst_dmath_double_inline = True
highlight_language = "none"
smartquotes_action = "D"  # dashes; quotes stay as they are typed

# The reference; `_ext/generated.py` reads the docstrings, which are numpydoc.

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "literal"
add_module_names = False
python_maximum_signature_line_length = 100

# Warnings are errors. A name of ours that does not exist is one; libraries' documents cannot be looked into.

nitpicky = True
_OURS = r"(?:agents|bnpg_math|coordinator|protocol)\.|bnpg\.(?:testing\.\w+\.)?\w+$"
nitpick_ignore_regex = [(r"py:.*", rf"(?!{_OURS}).*"), (r"py:.*", r".*\._\w+|.*\.Kind")]
suppress_warnings = ["ref.python"]  # bnpg.InputError and bnpg_math.errors.InputError are the same
linkcheck_ignore = [r"tcp://", r"http://(127\.0\.0\.1|localhost)"]
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]

# How it looks

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
