"""The template of `CONTRIBUTING.md`, `docs/template`, works: copied into place, its test and its benchmark run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "docs" / "template"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project's code with the template in it."""
    folder = tmp_path_factory.mktemp("project")
    ignore = shutil.ignore_patterns("__pycache__", "runs")
    for name in ("dlarch_keras", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(TEMPLATE, folder, ignore=ignore, dirs_exist_ok=True)
    return folder


def run(copy, *arguments):
    # The copy comes first, before an installed package of this name.
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)


def test_nothing_of_the_template_is_in_place_already():
    for path in TEMPLATE.rglob("*.py"):
        assert not (ROOT / path.relative_to(TEMPLATE)).exists()


def test_its_test_passes(copy):
    arguments = ("-q", "-p", "no:cacheprovider", "-o", "addopts=", "tests/test_my_architecture.py")
    result = run(copy, "pytest", *arguments)
    assert result.returncode == 0 and " passed" in result.stdout, result.stdout[-3000:]


def test_its_benchmark_runs(copy):
    result = run(copy, "benchmarks.my_architecture", "--quick")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "linear regression, seed 0: test MSE" in result.stdout and "my architecture, seed 0" in result.stdout
