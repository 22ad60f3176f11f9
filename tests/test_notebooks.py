"""The form of the notebooks; `pytest --nbval` runs them."""

import ast
import itertools
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from scripts import show_sources, stamp_colab
from tests.support.notebooks import NOTEBOOKS, cells_of
from tests.support.trained import Flow

ROOT = Path(__file__).parents[1]
LESSONS = [path for path in NOTEBOOKS if not path.name.startswith("00")]
# What a reader may put into the first line of a `copy-me` cell: unlike what the notebook has there.
IMAGES = 'x = np.random.default_rng(0).random((96, 20, 14, 3)).astype("float32")'
YOUR_DATA = {
    "03_anomaly_detection": "import pandas as pd; rng = np.random.default_rng(0); x = pd.DataFrame({"
    '"kind": rng.choice(["a", "b"], 200), "size": rng.normal(size=200), "age": rng.choice([1, 2, np.nan], 200)})',
    "12_signature_verification": "from dlarch_keras.datasets import make_signatures; x = make_signatures(8, 5, 3)",
}
# And how it becomes shorter: it only has to run.
SHORTER = {"09_srgan": ("count=1600", "count=64"), "11_one_shot": ("STEPS = 4, 200", "STEPS = 4, 4")}


def text_of(path):
    return "\n".join(cell.source for cell in cells_of(path, "markdown"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param


def test_the_file_is_valid_small_and_of_no_particular_machine(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert path.stat().st_size <= 1.5e6
    raw = path.read_text(encoding="utf-8")
    assert not re.search(r"/(root|home|Users|work|tmp)/", raw)
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"


def test_no_picture_is_compared_which_is_another_on_each_machine(path):
    for cell in cells_of(path, "code"):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source


# A fit comes before what these cells print, and plays no part in it: `python -m scripts.processors` says so.
SAME_EVERYWHERE = "same-everywhere"


def test_no_result_of_training_is_compared_which_is_another_on_each_processor(path):
    flow = Flow()
    for cell in cells_of(path, "code"):
        shown = flow.read(cell.source)
        if cell.outputs and not {"nbval-ignore-output", SAME_EVERYWHERE} & set(cell.metadata.get("tags", [])):
            assert not shown, cell.source


AFTER_TRAINING = """
history = model.fit(x, epochs=2).history
fakes = model.generate(500, seed=0)
before = make_model()
rows = {}
for name, images in {"fakes": fakes, "real": x}.items():
    rows[name] = NearestNeighbors(n_neighbors=1).fit(features(x)).kneighbors(features(images))[0]
    kept = x.mean()


def score(images):
    return model.predict(images)


def train(network, data):
    network.fit(data)


def step(batch):
    gradients = slopes(looped, batch)
    optimizer.apply_gradients(zip(gradients, looped.trainable_variables))


train(other, x)
for batch in x:
    step(batch)
"""


@pytest.mark.parametrize(
    ("cell", "shows"),
    {
        # Notebook 06 compared this once.
        "medians = pd.Series({key: np.median(way) for key, way in rows.items()})\nmedians.round(2)": True,
        "print(history['loss'][-1])": True,
        "fakes.mean()": True,
        "fakes.mean();": False,
        "fakes.shape": False,
        "print(len(fakes), model.count_params(), model.output_shape)": False,
        "print(score(x))": True,
        "print(other.evaluate(x))": True,
        "print(looped.evaluate(x))": True,
        "print(x.mean(), kept)": False,
        "print(before.predict(x))": False,
        "model = make_model()\nmodel.predict(x)": False,
        "table = []\nfor image in fakes:\n    table.append(image.sum())\ntable": True,
        "for image in x:\n    print(image)": False,
        "try:\n    verify(fakes)\nexcept ValueError as error:\n    print(error)": True,
        "shown = [image for image in fakes]\nfakes = x\nfakes": False,
        "PCA(1).fit(x).transform(x)": False,
        "print(list(zip(x, x)))": False,
    }.items(),
)
def test_what_training_made_is_followed(cell, shows):
    flow = Flow()
    flow.read(AFTER_TRAINING)
    assert flow.read(cell) == shows


FILE_NAME = re.compile(r"[\w-]+\.(keras|h5|npz|npy|png|gif|zip|csv|onnx|tflite|verifier)")


def bare_names(source):
    """File names that a cell does not put after a folder and a slash."""
    tree = ast.parse("\n".join(line for line in source.splitlines() if not line.lstrip().startswith("%")))
    placed = [node.right for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and FILE_NAME.fullmatch(str(node.value)) and node not in placed
    ]


def test_nothing_is_written_beside_the_notebooks(path):
    assert bare_names('model.save("a.keras")\nfigure.savefig(folder / "a.png")') == ["a.keras"]
    for cell in cells_of(path, "code"):
        assert not bare_names(cell.source), cell.source


def test_it_is_stored_as_run_from_top_to_bottom_without_errors_or_logs(path):
    code = cells_of(path, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_the_code_it_shows_is_the_packages(path):
    assert not show_sources.refresh(nbformat.read(path, as_version=4)), "run `python scripts/show_sources.py`"


def test_stale_code_is_replaced():
    notebook = nbformat.read(next(path for path in LESSONS if "show_source(" in path.read_text("utf-8")), as_version=4)
    (output, *_) = [cell.outputs[0] for cell in notebook.cells if cell.source.startswith("show_source(")]
    output.data["text/markdown"] = "of last year"
    assert show_sources.refresh(notebook)
    assert "def train_step" in output.data["text/markdown"]
    assert not show_sources.refresh(notebook)


def test_cells_are_short_and_text_and_code_balance(lesson):
    lengths = [len(cell.source.splitlines()) for cell in cells_of(lesson, "code")]
    assert statistics.median(lengths) <= 8
    assert max(lengths) <= 40
    assert 0.6 <= len(cells_of(lesson, "markdown")) / len(lengths) <= 1.7
    assert len(text_of(lesson).split()) >= 800


def test_the_anatomy(lesson):
    text = text_of(lesson)
    assert text.startswith("# ")
    for part in ("What you'll do", "What you'll learn", "What you'll need", "KERAS_BACKEND", "Exercises", "References"):
        assert part in text
    assert "colab-badge" in cells_of(lesson)[0].source
    assert cells_of(lesson, tag="colab")
    assert any("assert " in cell.source for cell in cells_of(lesson, "code"))
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in cells_of(lesson, tag="solution"))
    assert len(cells_of(lesson, tag="solution")) >= 3


def test_tensorflow_is_told_to_be_fast_before_it_is_imported(path):
    first = cells_of(path, "code")[0].source
    assert 'os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")' in first
    assert not re.search(r"(import|from) (keras|dlarch_keras|tensorflow)", first)


def test_it_is_written_for_every_backend(path):
    code = "\n".join(cell.source for cell in cells_of(path, "code"))
    assert not re.search(r"^\s*(import|from) (tensorflow|jax|torch)\b|\btf\.", code, flags=re.MULTILINE)


def test_links_to_other_notebooks_lead_somewhere_or_to_a_later_one(path):
    planned = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\((\w+)\.ipynb\)", text_of(path)):
        assert name in planned


def test_the_map_of_the_start_leads_to_every_lesson_and_can_be_read():
    (cell,) = [cell for cell in cells_of(NOTEBOOKS[0], "code") if "decision_map" in cell.source]
    with plt.rc_context():
        exec(cell.source, {})
        figure = plt.gcf()
        boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]
        plt.close(figure)
    for (_, one), (_, other) in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    assert all(figure.bbox.containsx(box.x1) and figure.bbox.containsy(box.y0) for _, box in boxes)
    for lesson in LESSONS:
        assert any(text.startswith(lesson.stem[:2]) for text, _ in boxes)
        assert f"({lesson.name})" in text_of(NOTEBOOKS[0])


def test_its_picture_is_in_the_gallery(lesson):
    picture = f"notebooks/images/{lesson.stem}.png"
    assert (ROOT / picture).stat().st_size < 200_000
    assert picture in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The folders of the `copy-me` cells, each in a new file, on an array unlike the notebook's; and how they ended."""
    folder = tmp_path_factory.mktemp("copied")
    for lesson in LESSONS:
        (cell,) = cells_of(lesson, tag="copy-me")
        first, _, rest = cell.source.partition("\n")
        assert re.fullmatch(r"x = load_\w+\(.*\)\S*  # your array here.*", first)
        (folder / lesson.stem).mkdir()
        long, short = SHORTER.get(lesson.stem, ("", ""))
        assert long in rest
        rest = rest.replace(long, short)
        mine = f"import numpy as np\n{YOUR_DATA.get(lesson.stem, IMAGES)}\n{rest}\n"
        (folder / lesson.stem / f"{lesson.stem}.py").write_text(mine, encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.alone", folder / "ends.json", *folder.glob("*/*.py")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    ends = json.loads((folder / "ends.json").read_text("utf-8"))
    return folder, {Path(file).stem: end for file, end in ends.items()}


def test_the_copy_me_cell_runs_alone(lesson, copied):
    folder, ends = copied
    assert ends[lesson.stem] is None, ends[lesson.stem]
    assert [path.name for path in (folder / lesson.stem).iterdir()] == [f"{lesson.stem}.py"]  # writes nothing beside it


def test_stamping_for_colab(tmp_path):
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path)
    for repository in ("ada/autoencoders", "grace/networks"):  # the second time replaces the first
        stamp_colab.main([repository, "--notebooks", str(tmp_path)])
        for path in tmp_path.glob("*.ipynb"):
            raw = path.read_text(encoding="utf-8")
            assert f"github/{repository}/blob/main/notebooks/{path.name}" in raw
            (cell,) = cells_of(path, tag="colab")
            assert f'REPOSITORY = "{repository}"' in cell.source
    assert "ada/autoencoders" not in raw
    with pytest.raises(SystemExit):
        stamp_colab.main(["no slash"])
