"""The benchmarks: what they measure is written once, and survives being killed; all of them run, in small."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from benchmarks import gan, recipes, runner, srgan
from benchmarks.__main__ import benchmarks, main
from benchmarks.autoencoder import shifted
from dlarch_keras import GAN, networks
from dlarch_keras.datasets import read_images
from dlarch_keras.datasets.files import arrays_digest
from dlarch_keras.srgan import subpixel_generator


def task(values, calls):
    def measure(seed):
        calls.append(seed)
        if values[seed] is None:
            raise KeyboardInterrupt
        return {"dataset": "toy", "metric": "error", "value": values[seed], "seconds": 2.0, "parameters": 7}

    return measure


def test_means_spreads_and_resuming(tmp_path):
    folders = {"runs": tmp_path / "runs", "results": tmp_path}
    killed, calls = [1.0, None, 3.0], []
    with pytest.raises(KeyboardInterrupt):
        runner.main("toy", {"a": task(killed, calls)}, **folders, arguments=[])
    assert not (tmp_path / "toy.csv").exists()
    runner.main("toy", {"a": task([9.0, 2.0, 3.0], calls)}, **folders, arguments=[])
    assert calls == [0, 1, 1, 2]  # seed 0 was not run again
    row = pd.read_csv(tmp_path / "toy.csv").iloc[0]
    assert (row["task"], row["value"], row["sd"], row["seeds"], row["seconds"]) == ("a", 2.0, 1.0, 3, 2.0)


def test_some_tasks_only(tmp_path):
    calls, folders = [], {"runs": tmp_path / "runs", "results": tmp_path}
    tasks = {name: task([value] * 3, calls) for name, value in (("slow one", 1.0), ("fast one", 2.0))}
    runner.main("toy", tasks, **folders, arguments=["--only", "fast", "--seeds", "2"])
    assert calls == [0, 1]
    runner.main("toy", tasks, **folders, arguments=["--seeds", "1"])
    assert calls == [0, 1, 0]
    summary = pd.read_csv(tmp_path / "toy.csv").set_index("task")
    assert summary["seeds"].to_dict() == {"slow one": 1, "fast one": 2}
    with pytest.raises(SystemExit):
        runner.main("toy", tasks, **folders, arguments=["--only", "faster"])


def test_a_part_of_the_tasks_leaves_the_other_results(tmp_path):
    """As on a new clone, whose results came without the runs behind them."""
    tasks = {name: task([value] * 3, []) for name, value in (("first", 1.0), ("second", 2.0), ("third", 3.0))}
    runner.main("toy", tasks, runs=tmp_path / "old", results=tmp_path, arguments=[])
    tasks["second"] = task([5.0], [])
    folders = {"runs": tmp_path / "new", "results": tmp_path}
    runner.main("toy", tasks, **folders, arguments=["--only", "second", "--seeds", "1"])
    summary = pd.read_csv(tmp_path / "toy.csv")
    assert summary["task"].tolist() == ["first", "second", "third"]
    assert summary["value"].tolist() == [1.0, 5.0, 3.0] and summary["seeds"].tolist() == [3, 1, 3]


def test_shifts_keep_the_ink():
    images = np.zeros((200, 9, 9, 1), "float32")
    images[:, 4, 4] = 1
    moved = shifted(images, np.random.default_rng(0))
    rows, columns = np.nonzero(moved[..., 0])[1:]
    assert moved.sum() == 200
    assert {*rows} == {*columns} == {3, 4, 5}
    assert 80 < np.sum((rows == 4) & (columns == 4)) < 140  # half stay, and a ninth of the rest


def tiny_gan():
    generator = networks.dense_decoder((28, 28, 1), 2, (), seed=0)
    model = GAN(generator, networks.dense_encoder((28, 28, 1), 1, (), seed=1), average=0.5, seed=0)
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return model


def ink(images, dataset):
    return {"Fréchet distance": float(images.mean()), "effective classes": 1.0}


def test_a_killed_gan_goes_on_with_its_curve(tmp_path, monkeypatch):
    x = np.random.default_rng(0).random((64, 28, 28, 1), "float32")
    monkeypatch.setattr(runner, "RUNS", tmp_path)
    monkeypatch.setattr(gan, "generation_scores", ink)
    whole = gan.curve(tiny_gan(), x, "whole", "mnist", epochs=4, batch_size=32)
    assert list(whole["epoch"]) == [1, 2, 3, 4] and (whole["effective classes"] == 1).all()

    with monkeypatch.context() as killing:
        killing.setattr(keras.callbacks, "BackupAndRestore", KilledBeforeSaving)
        with pytest.raises(KeyboardInterrupt):
            gan.curve(tiny_gan(), x, "killed", "mnist", epochs=4, batch_size=32)
    resumed = gan.curve(tiny_gan(), x, "killed", "mnist", epochs=4, batch_size=32)
    assert list(resumed["epoch"]) == [1, 2, 3, 4]
    assert np.allclose(resumed["Fréchet distance"], whole["Fréchet distance"], atol=1e-6)

    model = tiny_gan()
    assert gan.curve(model, x, "whole", "mnist", epochs=4, batch_size=32).equals(whole)  # nothing is trained again
    assert int(model.optimizer["generator"].iterations) == 0


class KilledBeforeSaving(keras.callbacks.BackupAndRestore):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        super().on_epoch_end(epoch, logs)


def test_curves_are_timed_and_kept_and_judged_at_their_best(tmp_path, monkeypatch):
    paces = pd.read_csv(runner.RESULTS / "gan_pace.csv").set_index("task")["value"]
    epoch = paces["recipe"]
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in (0, 1):
        pd.DataFrame({"epoch": [1, 2], "Fréchet distance": [9.0, 8.0]}).to_csv(folder / f"recipe_MNIST_{seed}.csv")
        gan.write_curves(folder, tmp_path)
        (folder / f"recipe_MNIST_{seed}.csv").unlink()  # what is no longer there stays in the results
    rows = pd.read_csv(tmp_path / "gan_curves.csv")
    assert (rows["run"] == "recipe").all() and rows["seed"].tolist() == [0, 0, 1, 1]
    assert rows["seconds"].tolist() == pytest.approx(2 * [epoch, 2 * epoch], abs=2e-3)
    assert paces["convolutional"] < paces["wasserstein"] < epoch  # a critic's steps, and a network many times the size

    asked = []
    monkeypatch.setattr(gan, "trained", lambda setup, epochs, *_: asked.append(epochs))
    gan.theirs("MNIST")
    assert asked[0] * epoch <= 6000 < (asked[0] + 1) * epoch  # the epochs that end within 100 minutes
    curve = pd.DataFrame({"Fréchet distance": [9.0, 4.0, 5.0], "seconds": [1, 2, 3]})
    assert gan.best(curve)["seconds"] == 2


def test_the_gan_of_the_race_has_the_tutorials_layers():
    model = gan.recipe(0)
    kinds = [[type(layer).__name__ for layer in each.layers[1:]] for each in (model.generator, model.discriminator)]
    doubling, halving = ["Conv2DTranspose", "LeakyReLU"], ["Conv2D", "LeakyReLU"]
    assert kinds[0] == ["Dense", "LeakyReLU", "Reshape", *doubling, *doubling, "Conv2D"]
    assert kinds[1] == [*halving, *halving, "GlobalMaxPooling2D", "Dense"]
    generator = 129 * 7 * 7 * 128 + 2 * 128 * (128 * 4 * 4 + 1) + (128 * 7 * 7 + 1)
    assert gan.weights(model) == generator + 64 * (3 * 3 + 1) + 128 * (64 * 3 * 3 + 1) + 129


def test_the_gan_of_the_race_takes_the_tutorials_step():
    """Which says 1 to fakes and 0 to real images: the same step, with a discriminator of the opposite sign."""
    ours, theirs = gan.recipe(0), recipes.their_gan()
    theirs.generator.set_weights(ours.generator.get_weights())
    *features, kernel, bias = ours.discriminator.get_weights()
    theirs.discriminator.set_weights([*features, -kernel, -bias])
    x = recipes.digits(16)
    mine, tutorials = (each.fit(x, batch_size=8, epochs=2, shuffle=False, verbose=0).history for each in (ours, theirs))
    assert mine["discriminator_loss"] == pytest.approx(tutorials["d_loss"], rel=1e-5)
    assert mine["generator_loss"] == pytest.approx(tutorials["g_loss"], rel=1e-5)


def test_super_resolution_is_timed_epoch_by_epoch_and_trained_once(tmp_path, monkeypatch):
    gains = iter([0.1, 0.7, 0.6])
    monkeypatch.setattr(runner, "RUNS", tmp_path)
    monkeypatch.setattr(srgan, "race_baseline", lambda: 20.0)
    monkeypatch.setattr(srgan, "race_psnr", lambda enlarge: 20 + next(gains))
    monkeypatch.setattr(srgan, "set5_scores", lambda enlarge: {srgan.PSNR: float(enlarge(x[:1]).shape[1])})
    x, y = np.zeros((8, 4, 4, 1), "float32"), np.zeros((8, 12, 12, 1), "float32")
    asked = []

    def pairs(epoch):
        asked.append(epoch)
        return x, y

    def train():
        model = subpixel_generator(1, 3, 2, 1, seed=0)
        model.compile("sgd", "mae")
        return srgan.run(model, 3, 4, pairs)

    result = srgan.kept("tiny", train)
    assert srgan.kept("tiny", train) == result and asked == [0, 1, 2]  # the second time it is read
    seconds, measured = zip(*result["curve"])
    assert seconds[0] > 0 and list(seconds) == sorted(seconds)
    assert measured == pytest.approx([0.1, 0.7, 0.6]) and result[srgan.PSNR] == 12
    assert srgan.seconds_to_goal(result["curve"]) == seconds[1]
    assert srgan.seconds_to_goal([(1.0, 0.5)]) == np.inf


def test_the_recipe_has_four_convolutions_and_no_more():
    """Their weights and biases by hand, and three times the size."""
    model = srgan.recipe(0)
    assert model.count_params() == 64 * 26 + 64 * (64 * 9 + 1) + 32 * (64 * 9 + 1) + 9 * (32 * 9 + 1)
    assert model.compute_output_shape((1, 8, 5, 1)) == (1, 24, 15, 1)


DATA = Path(os.environ.get("DLARCH_DATA_DIR") or "data")
FOLDER = Path(runner.__file__).parent


@pytest.mark.skipif(not (DATA / "bsds500").is_dir(), reason="needs BSDS500 and Set5 under DLARCH_DATA_DIR")
def test_no_test_picture_is_in_training():
    """By digest, for ours and for our run of the recipe; keras.io's has them in its training folder."""
    trained = {arrays_digest({"": each}) for part in ("train", "val") for each in srgan.photographs(part)}
    pictures = [*srgan.photographs("test")[50:60], *read_images(DATA / "set5").values()]
    tested = {arrays_digest({"": each}) for each in pictures}
    assert len(trained) == 300 and len(tested) == 15 and trained.isdisjoint(tested)


# The list, and quick runs


def test_every_benchmark_is_listed(capsys):
    main([])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert list(lines) == [
        path.stem for path in sorted(FOLDER.glob("*.py")) if "runner.main(" in path.read_text("utf-8")
    ]
    assert lines["siamese"].endswith("Pairs of MNIST digits, the same or not, and a race")


def test_an_unknown_benchmark_is_an_error(monkeypatch):
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    with pytest.raises(SystemExit, match=r"no benchmark perceptron; there are .*vae.*, and all"):
        main(["vae", "perceptron"])


def test_what_is_named_runs_with_the_options_in_a_process_of_its_own(monkeypatch):
    commands = []

    def run(command):
        commands.append(command[1:])
        return subprocess.CompletedProcess(command, returncode="benchmarks.gan" in command)

    monkeypatch.setattr(subprocess, "run", run)
    main(["vae", "srgan", "--quick", "--only", "race"])
    assert commands == [["-m", f"benchmarks.{name}", "--quick", "--only", "race"] for name in ("vae", "srgan")]
    commands.clear()
    with pytest.raises(SystemExit, match="Failed: gan"):
        main(["all"])
    assert commands == [["-m", f"benchmarks.{name}"] for name in benchmarks()]  # also those after the one that failed


def test_a_quick_run_has_one_seed_and_starts_afresh(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "QUICK", True)
    calls, folders = [], {"runs": tmp_path / "runs", "results": tmp_path / "runs" / "results"}
    for _ in range(2):
        runner.main("toy", {"a": task([1.0] * 3, calls)}, **folders, arguments=["--quick"])
        assert not (tmp_path / "runs" / "left over").exists()
        (tmp_path / "runs" / "left over").touch()
    assert calls == [0, 0] and len(pd.read_csv(tmp_path / "runs" / "toy.csv")) == 1
    assert capsys.readouterr().out.count("means nothing") == 2
    assert runner.size("full", "quick") == "quick"


def test_quick_is_never_half_on(tmp_path, capsys):
    """Read when the runner is imported: given later, the sizes would be those of a full run."""
    with pytest.raises(SystemExit):
        runner.main("toy", {"a": None}, runs=tmp_path, results=tmp_path, arguments=["--quick"])
    assert "must be written in full" in capsys.readouterr().err
    assert runner.size("full", "quick") == "full"


NEEDS = {
    "anomaly_detection": ("adbench", "nsl-kdd"),
    "one_shot": ("omniglot",),
    "pix2pix": ("bsds500",),
    "srgan": ("bsds500", "set5"),
}


@pytest.mark.parametrize("name", benchmarks())
def test_every_benchmark_runs_in_small(name):
    for folder in NEEDS.get(name, ()):
        if not (DATA / folder).is_dir():
            pytest.skip(f"needs {folder} under DLARCH_DATA_DIR")
    before = contents(runner.RESULTS)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--quick"], cwd=FOLDER.parent, check=True)
    assert contents(runner.RESULTS) == before
    results = FOLDER / "runs" / "quick" / name / "results"
    table = pd.read_csv(results / f"{name}.csv")
    assert set(table["seeds"]) == {1} and table["task"].is_unique
    assert (results / "gan_curves.csv").exists() == (name in ("gan", "wgan_gp"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
