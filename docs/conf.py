"""The book: `sphinx-build -W docs site`, the notebooks, pages and docstrings of this checkout as a website.

Nothing is run: notebooks appear as they are stored. Formulas are drawn by KaTeX while the book is built (this needs
Node, 18 or newer), so that a page needs neither JavaScript nor another host.
"""

import os
import sys
from pathlib import Path

from myst_nb import sphinx_ext
from sphinxcontrib import katex

os.environ.setdefault("KERAS_BACKEND", "jax")  # the lightest to install; docstrings are the same on any
sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts import book

project = "dlarch-keras"
author = "dlarch-keras maintainers"
project_copyright = f"2026, {author}. MIT License"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib.katex",
    "scripts.book",
]
exclude_patterns = ["README.md"]  # index.md includes it
templates_path = [str(Path(__file__).parent / "_templates")]

myst_enable_extensions = ["attrs_block", "dollarmath", "html_image"]
myst_heading_anchors = 3
myst_dmath_allow_space = False
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # from other hosts, and without a kernel nothing moves
sphinx_ext.OUTPUT_FOLDER = "build/outputs"  # not beside the site

html_math_renderer = "katex"
katex_prerender = True
katex_js_path, katex_css_path = str(book.KATEX / "katex.min.js"), "katex/katex.min.css"
katex.KATEX_DEFAULT_OPTIONS["throwOnError"] = True  # rather than a red formula

default_role = "code"
autosummary_context = book.reference()
linkcode_resolve = book.source_page
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # what only Keras describes is left out
python_maximum_signature_line_length = 88
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"

html_theme = "sphinx_book_theme"
html_title = "Deep learning architectures in Keras"
html_static_path = ["_static", str(book.STATIC)]
html_css_files = ["book.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_use_index = html_domain_indices = False  # the reference lists every name
html_scaled_image_link = False  # a picture of the gallery opens its notebook
html_theme_options = {
    "repository_url": f"https://github.com/{book.REPOSITORY}",
    "repository_branch": "main",
    "use_repository_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "navbar_persistent": [],  # one search field is enough
    "show_toc_level": 2,
}
copybutton_selector = "div.cell_input pre, div.highlight-python pre, div.highlight-sh pre"
