"""Sphinx configuration: pages in Markdown, the reference from docstrings and option models."""

from __future__ import annotations

import sys
from pathlib import Path

from hpcbudget import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "hpcbudget"
author = "the hpcbudget authors"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",  # docs/_ext/mathml.py
    "reference",  # docs/_ext/reference.py: command line, configuration and modules
]
exclude_patterns = ["_build", "_ext", "**.ipynb"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# pages are read in the repository as well, where links lead to configurations and tests
suppress_warnings = [
    "myst.xref_missing",
    "misc.highlighting_failure",
    "docutils",  # docstrings are written for readers of the source first
    "ref.python",  # a bare name in a docstring may mean several things; the reader sees which
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the signature of the source and in the docstrings
autodoc_class_signature = "separated"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
smartquotes = False  # an option is spelt --json
default_role = "py:obj"
nitpicky = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"hpcbudget {version}"
html_copy_source = False
html_show_sphinx = False
linkcheck_timeout = 20
linkcheck_anchors = False
