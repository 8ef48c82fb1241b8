"""How Sphinx builds the site: Markdown by MyST, the reference from docstrings. See `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = "Featrix Notebook"
author = "The Featrix Notebook authors"
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["pictures"]
myst_heading_anchors = 3
# Docstrings write a name between single backticks; where it is one of ours it becomes a link.
default_role = "py:obj"
napoleon_google_docstring = False
napoleon_use_ivar = True  # or attributes that are properties would be listed twice
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words

html_theme = "furo"
html_title = "Featrix Notebook"
html_show_sphinx = False
html_copy_source = False
