"""What the project says of itself: one version everywhere, and links that lead somewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


def test_the_citation_has_what_the_format_asks_for():
    """Citation File Format 1.2.0, as much of it as is used here."""
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION)
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software"
    assert all(set(author) == {"name"} for author in CITATION["authors"])


def test_the_version_is_one():
    assert CITATION["version"] == PROJECT["version"] and CITATION["license"] == PROJECT["license"]["text"]
    newest = re.search(r"^## \[(.+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest.groups() == (PROJECT["version"], str(CITATION["date-released"]))


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "README.md", ROOT / "data" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert page.parent.joinpath(target).exists(), target


def test_importing_the_package_costs_next_to_nothing_over_keras():
    code = "import time, keras; start = time.thread_time(); import dlarch_keras; print(time.thread_time() - start)"
    seconds = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1]
    assert float(seconds) < 0.1


def test_no_test_imports_another_test_or_a_benchmark():
    """What several need is in `tests/support`; the benchmarks' own tests are another matter."""
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"^(from|import) tests(\.\w+)*\.?( import)? ?test_", text, re.MULTILINE), path.name
        benchmark = re.search(r"^(from|import) benchmarks", text, re.MULTILINE)
        assert not benchmark or path.name == "test_benchmarks.py", path.name
