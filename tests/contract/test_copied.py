"""`cp -r dlarch_keras/core dlarch_keras/gan.py somewhere/`: an architecture works without the rest of the package."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.copied import MODELS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dlarch_keras"
BESIDE = {"denoising_autoencoder": ["autoencoder"], "conditional_vae": ["vae"], "wgan_gp": ["gan"]}


def test_every_architecture_works_as_a_copy(tmp_path):
    for name in MODELS:
        folder = tmp_path / f"my_{name}"
        shutil.copytree(PACKAGE / "core", folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
        for file in (name, *BESIDE.get(name, [])):
            shutil.copy(PACKAGE / f"{file}.py", folder)
    shutil.copy(ROOT / "tests" / "support" / "copied.py", tmp_path)
    command = [sys.executable, tmp_path / "copied.py", tmp_path]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.stdout.split() == list(MODELS), result.stderr[-3000:]


def test_the_page_says_which_files_are_needed():
    page = (ROOT / "docs" / "one_file.md").read_text("utf-8")
    assert "cp -r dlarch_keras/core dlarch_keras/gan.py" in page
    for name, others in BESIDE.items():
        assert all(f"`{file}.py`" in page for file in (name, *others)), name
