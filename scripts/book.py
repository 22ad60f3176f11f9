"""A Sphinx extension: the repository's notebooks, pages and names as sources of the book that `docs/conf.py` makes.

They are copied to `build/book`, laid out as in the repository, so that links from page to page hold.
"""

import base64
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import dlarch_keras

ROOT = Path(__file__).parents[1]
BOOK, STATIC, DOCTREES = (ROOT / "build" / name for name in ("book", "static", "doctrees"))
KATEX = ROOT / "docs" / "node_modules" / "katex" / "dist"
REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "OWNER/NAME")  # GitHub's own runners set it
PATTERNS = ("*.md", "benchmarks/README.md", "data/*.md", "docs/*.md", "notebooks/*.ipynb")
PAGES = {path for pattern in PATTERNS for path in ROOT.glob(pattern)}
LANGUAGES = {".py": "python", ".toml": "toml", "": "bash"}


def code_page(path):
    """Show a file of the repository as a page of the book, whose name is returned."""
    name = path.relative_to(ROOT).as_posix()
    copy = BOOK / "code" / f"{name.lstrip('.')}.md"
    copy.parent.mkdir(parents=True, exist_ok=True)
    text, language = path.read_text("utf-8"), LANGUAGES.get(path.suffix, "text")
    copy.write_text(f"---\norphan: true\nnosearch: true\n---\n# `{name}`\n\n````{language}\n{text}\n````\n", "utf-8")
    return copy.relative_to(BOOK).as_posix()


def in_the_book(page, link):
    """Where a page's link leads in the book: to a page, to a file shown as a page of its own, to a folder on GitHub."""
    path, hash_, anchor = link.partition("#")
    target = (page.parent / path).resolve()
    if not target.exists():
        return link  # Sphinx warns of it
    if target == ROOT / "README.md":
        return f"/index.md{hash_}{anchor}"
    if target / "README.md" in PAGES:
        target /= "README.md"
    name = target.relative_to(ROOT).as_posix()
    if target in PAGES:
        return f"/{name}{hash_}{anchor}"
    return f"https://github.com/{REPOSITORY}/tree/main/{name}" if target.is_dir() else f"/{code_page(target)}"


def rewritten(page, text):
    """A page's text with links as in the book; pictures of other hosts, such as Colab's badge, become words."""
    text = re.sub(r"!\[([^]]*)\]\(https?:[^)]*\)", r"\1", text)
    return re.sub(r"(?<=\]\()(?!https?:|#|attachment:)[^)\s]+", lambda link: in_the_book(page, link[0]), text)


def prepare_cell(page, cell):
    """Change a notebook's cell in place: what Jupyter folds is folded in the book, and what it attaches is a file."""
    if cell["cell_type"] == "markdown":
        text = rewritten(page, "".join(cell["source"]))
        cell["source"] = text.replace("attachment:", f"images/{page.stem}-")
        for name, picture in cell.get("attachments", {}).items():
            copy = BOOK / "notebooks" / "images" / f"{page.stem}-{name}"
            copy.write_bytes(base64.b64decode(picture["image/png"]))
    else:
        tags = cell["metadata"].setdefault("tags", [])
        if cell["metadata"].get("jupyter", {}).get("source_hidden"):
            tags.append("hide-input")
        if "widget" in tags:
            tags.append("remove-output")  # a slider that would move nothing


def copy_page(page):
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            prepare_cell(page, cell)
        text = json.dumps(notebook)
    else:
        text = rewritten(page, text)
    copy = BOOK / ("index.md" if page == ROOT / "docs" / "index.md" else page.relative_to(ROOT))
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, "utf-8")


def offers(module):
    """What a module offers, and as what: its own functions and classes; of a package, what it gathers and constants."""
    package, kinds = hasattr(module, "__path__"), {}
    for name, value in vars(module).items():
        if inspect.isfunction(value) or inspect.isclass(value):
            if value.__module__ == module.__name__ or (package and value.__module__.startswith("dlarch_keras.")):
                kinds[name] = "class" if inspect.isclass(value) else "function"
        elif package and name.isupper() and isinstance(value, tuple):
            kinds[name] = "data"
    return {name: kind for name, kind in kinds.items() if not name.startswith("_")}


def methods(cls):
    """The documented methods that are ours; those of `core.Model` stand on its own page only."""
    core = cls.__module__.startswith("dlarch_keras.core")
    ours = [base for base in cls.__mro__ if base.__module__.startswith("dlarch_keras")]
    members = [vars(base) for base in ours if core or not base.__module__.startswith("dlarch_keras.core")]
    kinds = (types.FunctionType, property, classmethod, staticmethod)
    names = {name: value for each in reversed(members) for name, value in each.items() if isinstance(value, kinds)}
    return [name for name, value in names.items() if not name.startswith("_") and value.__doc__]


def reference():
    """What the templates in `docs/_templates` list."""
    modules = [each.name for each in pkgutil.walk_packages(dlarch_keras.__path__, "dlarch_keras.")]
    offered = {name: offers(importlib.import_module(name)) for name in modules}
    classes = {key: name for name in modules for key, kind in offered[name].items() if kind == "class"}
    ours = {key: methods(getattr(sys.modules[name], key)) for key, name in classes.items()}
    return {"offered": offered, "ours": ours, "public": dlarch_keras.__all__}


def tidy_docstring(app, what, name, obj, options, lines):
    """Docstrings indent code and formulas without reStructuredText's `::`, and a constant's is its type's."""
    if what == "data":
        lines.clear()
    for i in range(len(lines) - 1, 1, -1):
        if lines[i].startswith("    ") and not lines[i - 1] and re.match(r"\S", lines[i - 2]):
            lines[i:i] = ["::", ""]


def constructor_signature(app, what, name, obj, options, signature, returned):
    """Keras's `__new__` takes anything: show what `__init__` takes."""
    if what == "class" and signature and signature.startswith("(*args"):
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        return str(inspect.Signature(parameters)), returned
    return None


def source_page(domain, info):
    """The page that shows the code of a name in the reference, whose pages lie two folders deep."""
    value = getattr(sys.modules.get(info["module"]), info["fullname"].partition(".")[0], None)
    path = getattr(sys.modules.get(getattr(value, "__module__", None)), "__file__", None)
    return path and f"../../code/{Path(path).relative_to(ROOT).as_posix()}.html"


def restore_notebooks(app, exception):
    """What a reader downloads is the notebook as it is stored."""
    for page in PAGES:
        if page.suffix == ".ipynb" and exception is None:
            shutil.copy(page, app.outdir / "_sources" / "notebooks")


def setup(app):
    for folder in (BOOK, STATIC, DOCTREES):  # whole builds only: they take a minute
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks" / "images", BOOK / "notebooks" / "images")
    for page in PAGES:
        copy_page(page)
    for path in (ROOT / "dlarch_keras").rglob("*.py"):
        code_page(path)
    if not KATEX.is_dir():
        subprocess.run([shutil.which("npm") or "npm", "ci", "--no-audit", "--no-fund"], cwd=ROOT / "docs", check=True)
    (STATIC / "katex" / "fonts").mkdir(parents=True)
    for path in (KATEX / "katex.min.css", *KATEX.glob("fonts/*.woff2")):
        shutil.copy(path, STATIC / "katex" / path.relative_to(KATEX))
    app.srcdir, app.doctreedir = BOOK, DOCTREES
    app.connect("autodoc-process-docstring", tidy_docstring, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", constructor_signature)
    app.connect("build-finished", restore_notebooks)
