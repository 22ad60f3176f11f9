"""What `docs/your_data.md` shows, run as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CODE = re.findall(
    r"```python\n(.*?)```", Path(__file__).parents[1].joinpath("docs/your_data.md").read_text("utf-8"), re.S
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs an example in a folder of pictures and returns its names."""
    rng = np.random.default_rng(0)
    for name in ("photographs/a", "photographs/b", *(f"pets/{pet}/{k}" for pet in ("cat", "dog") for k in range(4))):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (80, 100, 3), "uint8")).save(path)
    (tmp_path / "masks").mkdir()
    for name in "ab":
        Image.fromarray(rng.integers(0, 2, (80, 100), "uint8")).save(tmp_path / "masks" / f"{name}.png")
    monkeypatch.chdir(tmp_path)

    def run(word):
        (code,) = (code for code in CODE if word in code)
        names = {}
        exec(code, names)
        return names

    return run


def test_pictures(run):
    found = run("load_image_pairs")
    assert found["wide"].shape == (2, 48, 64, 3) and found["masks"].shape == (2, 64, 64, 1)
    assert found["masks"].mean() == pytest.approx(0.5, abs=0.1)


def test_pictures_in_classes(run):
    found = run("load_labelled_images")
    assert found["names"] == ["cat", "dog"] and found["images"].shape == (8, 32, 32, 3)
    assert sorted(found["labels"].tolist()) == 4 * [0] + 4 * [1]


def test_sequences(run):
    found = run("sliding_windows")
    assert found["windows"].shape == (24 * 10 - 23, 24)
    assert found["points"].idxmax().date().isoformat() == "2026-02-05"
    assert "2026-02-05 12:00" <= str(found["alarms"].idxmax()) <= "2026-02-06 18:00"
