"""An architecture's file works in another project, with the few files that it imports and without the package."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.copied import MODELS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dlarch_keras"
EVERY = {"training", "gradients", "replicas", "storage", "checks"}  # which every architecture needs


def imported(name):
    """The files of the package that one of its files imports."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(module.startswith("dlarch_keras") for module in modules), f"{name} names the package"
    return names


def needed(name):
    """A file, and all that it needs."""
    found, todo = set(), {name}
    while todo:
        found |= todo
        todo = set().union(*map(imported, todo)) - found
    return found


def test_every_architecture_works_as_a_copy(tmp_path):
    for name in MODELS:
        folder = tmp_path / f"my_{name}"
        folder.mkdir()
        folder.joinpath("__init__.py").touch()
        for file in needed(name):
            shutil.copy(PACKAGE / f"{file}.py", folder)
    shutil.copy(ROOT / "tests" / "copied.py", tmp_path)
    command = [sys.executable, tmp_path / "copied.py", tmp_path]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.stdout.split() == list(MODELS), result.stderr[-3000:]


@pytest.mark.parametrize("name", MODELS)
def test_all_need_the_same_few_files_and_some_a_few_more(name):
    assert needed(name) >= EVERY
    assert len(needed(name) - EVERY) <= 4


def test_the_table_says_which_files_are_needed():
    rows = re.findall(r"^\| `(\w+)\.py` \| (.*) \|$", (ROOT / "docs" / "one_file.md").read_text("utf-8"), re.MULTILINE)
    stated = {name: set(re.findall(r"`(\w+)\.py`", others)) for name, others in rows}
    assert stated == {name: needed(name) - EVERY - {name} for name in MODELS}
