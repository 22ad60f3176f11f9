"""Colab has the notebook and the installed package, and no checkout."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from scripts import stamp_colab
from tests.support.notebooks import NOTEBOOKS, cells_of

ROOT = Path(__file__).parents[1]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imports(source):
    """Names of the top-level modules that a cell imports."""
    names = set()
    for node in ast.walk(ast.parse(TransformerManager().transform_cell(source))):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[0] for name in names}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the package is installed into, from a copy without what earlier builds may have left."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "dlarch_keras", source / "dlarch_keras", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, cwd=target)
    wanted, found = (
        {path.relative_to(folder) for path in (folder / "dlarch_keras").rglob("*") if path.is_file()}
        for folder in (source, target)
    )
    assert found == wanted  # results, weights and styles, too
    return target


def test_the_notebooks_begin_without_the_checkout(installed, tmp_path):
    notebooks, home, work = (tmp_path / name for name in ("notebooks", "home", "work"))
    for folder in (notebooks, home, work):
        folder.mkdir()
    for path in NOTEBOOKS:
        shutil.copy(path, notebooks)
    stamp_colab.main(["ada/networks", "--notebooks", str(notebooks)])
    environment = {key: value for key, value in os.environ.items() if key not in ("DLARCH_DATA_DIR", "KERAS_HOME")}
    environment |= {"PYTHONPATH": str(installed), "HOME": str(home), "USERPROFILE": str(home)}
    report = tmp_path / "report.json"
    command = [sys.executable, "-P", ROOT / "tests" / "support" / "colab.py", report, *sorted(notebooks.iterdir())]
    subprocess.run(command, cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=300)
    report = json.loads(report.read_text("utf-8"))
    assert report["installs"] == ["install --quiet git+https://github.com/ada/networks"] * len(NOTEBOOKS)
    assert str(installed / "dlarch_keras" / "series.mplstyle") in report["opened"]
    from_checkout = {name for name in map(Path, report["opened"]) if name.is_relative_to(ROOT)}
    assert not {name for name in from_checkout if not name.is_relative_to(sys.prefix)}  # the environment may be inside
    assert not list(work.iterdir())


def test_what_the_notebooks_import_are_dependencies():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    declared = {canonical(re.match(r"[\w.-]+", each)[0]) for each in dependencies}
    distributions = packages_distributions()
    for path in NOTEBOOKS:
        for cell in cells_of(path, "code"):
            for module in imports(cell.source) - sys.stdlib_module_names - {"dlarch_keras"}:
                assert declared & {canonical(name) for name in distributions.get(module, [])}, f"{path.stem}: {module}"
