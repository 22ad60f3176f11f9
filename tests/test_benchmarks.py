"""The benchmarks: what they measure is written once, and survives being killed; all of them run, in small."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from benchmarks import gan, one_shot, recipes, siamese, srgan
from benchmarks.__main__ import benchmarks, main
from benchmarks.autoencoder import shifted
from benchmarks.common import resume, runner
from benchmarks.common.race import SHARE, beside, seconds_until
from benchmarks.common.timing import Clock, processor_seconds, seconds_a_step, timed
from benchmarks.common.training import warmed_cosine
from dlarch_keras import GAN, BalancedBatches, SiameseNetwork, networks
from dlarch_keras.datasets import read_images
from dlarch_keras.datasets.files import arrays_digest
from dlarch_keras.srgan import subpixel_generator

# The runner


def task(method, values, calls):
    """A task whose method has a value for each seed; None: the process is killed."""

    def measure(seed):
        calls.append(seed)
        if values[seed] is None:
            raise KeyboardInterrupt
        return runner.rows(method, "toy", {("error", "1"): values[seed]}, 2.0, 7)

    return measure


def run(tasks, runs, results, *arguments, **settings):
    return runner.main("toy", lambda quick: tasks, runs=runs, results=results, arguments=arguments, **settings)


def test_means_spreads_and_resuming(tmp_path):
    folders = tmp_path / "runs", tmp_path
    calls = []
    with pytest.raises(KeyboardInterrupt):
        run({"a": task("A", [1.0, None, 3.0], calls)}, *folders)
    assert not (tmp_path / "toy.csv").exists()
    run({"a": task("A", [9.0, 2.0, 3.0], calls)}, *folders)
    assert calls == [0, 1, 1, 2]  # seed 0 was not run again
    table = pd.read_csv(tmp_path / "toy.csv")
    expected = ["A", "toy", "error", 1, 2.0, 1.0, 3, 2.0, 7, keras.backend.backend()]
    assert list(table) == runner.COLUMNS and table.to_numpy().tolist() == [expected]


def test_a_task_may_measure_several_figures_of_several_methods(tmp_path):
    def both(seed):
        figures = {("error", "1"): seed, ("time", "s"): 5 + seed}
        return runner.rows("A", "toy", figures, 3.0, 7) + runner.rows("B", "toy", {("error", "1"): 4})

    table = run({"both": both}, tmp_path / "runs", tmp_path, "--seeds", "2")
    assert table[["method", "metric", "unit"]].to_numpy().tolist() == [
        ["A", "error", "1"],
        ["A", "time", "s"],
        ["B", "error", "1"],
    ]
    assert table["value"].tolist() == [0.5, 5.5, 4.0] and table["seconds"].tolist() == [3.0, 3.0, 0.0]


def test_some_tasks_only(tmp_path):
    calls, folders = [], (tmp_path / "runs", tmp_path)
    tasks = {f"{name} one": task(name, [value] * 3, calls) for name, value in (("slow", 1.0), ("fast", 2.0))}
    run(tasks, *folders, "--only", "fast", "--seeds", "2")
    assert calls == [0, 1]
    run(tasks, *folders, "--seeds", "1")
    assert calls == [0, 1, 0]
    summary = pd.read_csv(tmp_path / "toy.csv").set_index("method")
    assert summary["seeds"].to_dict() == {"slow": 1, "fast": 2}
    with pytest.raises(SystemExit):
        run(tasks, *folders, "--only", "faster")


def test_a_part_of_the_tasks_leaves_the_other_results(tmp_path):
    """As on a new clone, whose results came without the runs behind them."""
    tasks = {name: task(name, [value] * 3, []) for name, value in (("first", 1.0), ("second", 2.0), ("third", 3.0))}
    run(tasks, tmp_path / "old", tmp_path)
    tasks["second"] = task("second", [5.0], [])
    run(tasks, tmp_path / "new", tmp_path, "--only", "second", "--seeds", "1")
    summary = pd.read_csv(tmp_path / "toy.csv")
    assert summary["method"].tolist() == ["first", "second", "third"]
    assert summary["value"].tolist() == [1.0, 5.0, 3.0] and summary["seeds"].tolist() == [3, 1, 3]


def test_a_quick_run_has_one_seed_and_starts_afresh(tmp_path, capsys):
    calls, runs, quick, finished = [], tmp_path / "runs", [], []

    def tasks(is_quick):
        quick.append(is_quick)
        return {"a": task("A", [1.0] * 3, calls)}

    def finish(*folders):
        finished.append(folders)

    for _ in range(2):
        runner.main("toy", tasks, runs=runs, finish=finish, arguments=["--quick"])
        assert not (runs / "left over").exists()
        (runs / "left over").touch()
    assert calls == [0, 0] and quick == [True, True] and len(pd.read_csv(runs / "runs.csv")) == 1
    assert pd.read_csv(runs / "results" / "toy.csv")["seeds"].tolist() == [1]
    assert finished == [(runs, runs / "results")] * 2
    assert capsys.readouterr().out.count("means nothing") == 2
    run({"a": tasks(False)["a"]}, tmp_path / "other", tmp_path, "--seeds", "1")
    assert runner.folder("toy", quick=True) != runner.folder("toy", quick=False)


def test_no_benchmark_reads_the_command_line_at_import():
    """So that `--quick` is a value, and an import never a run."""
    for path in FOLDER.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        readers = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.argv", "parser.parse_args")
        ]
        guarded = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.If))]
        inside = {id(each) for node in guarded for each in ast.walk(node)}
        assert all(id(node) in inside for node in readers), path.name


# Clocks, races, and training that goes on


def test_clocks(monkeypatch):
    ticks = iter(range(100))
    assert timed(lambda: "result", lambda: next(ticks)) == ("result", 1)
    durations = iter([9.0, 9.0, 9.0, 1.0, 5.0, 2.0])  # the first three warm up
    monkeypatch.setattr("benchmarks.common.timing.timed", lambda step: (None, next(durations)))
    assert seconds_a_step(None, 3) == 2.0
    assert processor_seconds() > 0


def test_a_clock_adds_up_epochs_and_ends_training(tmp_path):
    ticks = iter(range(0, 1000, 2))  # an epoch takes 2
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.zeros((4, 1), "float32")
    clock = Clock(tmp_path / "clock.json", lambda: next(ticks), enough=6)
    model.fit(x, x, epochs=9, verbose=0, callbacks=[clock])
    assert clock.seconds == [2, 4, 6]
    again = Clock(tmp_path / "clock.json", lambda: next(ticks))  # a killed process's; its last epoch was not saved
    model.fit(x, x, initial_epoch=2, epochs=4, verbose=0, callbacks=[again])
    assert again.seconds == [2, 4, 6, 8]
    model.fit(x, x, epochs=1, verbose=0, callbacks=[again])
    assert again.seconds == [2]


def test_a_race_measures_the_recipe_before_and_after():
    order, recipe = [], iter([30.0, 50.0])

    def recipe_seconds():
        order.append("recipe")
        return next(recipe)

    def train():
        order.append("ours")
        return "model", 10.0

    assert beside(recipe_seconds, train) == ("model", 10.0, 0.25) and order == ["recipe", "ours", "recipe"]
    assert seconds_until([1, 2, 3], [False, True, True]) == 2 and seconds_until([1.0], [False]) == np.inf


def test_a_rate_climbs_and_falls():
    rate = warmed_cosine(1.0, steps=100, warmup=10, start=0.1, end=0.01)
    assert [float(rate(step)) for step in (0, 10, 100)] == pytest.approx([0.1, 1.0, 0.01])
    assert float(warmed_cosine(1.0, steps=4, warmup=10)(2)) == pytest.approx(1.0)  # a training shorter than the climb


def test_what_is_kept_is_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"seconds": [1.5, 2.0]}

    path = tmp_path / "folder" / "made.json"
    assert resume.kept(path, make) == resume.kept(path, make) == {"seconds": [1.5, 2.0]} and made == [1]


class KilledBeforeSaving(keras.callbacks.BackupAndRestore):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        super().on_epoch_end(epoch, logs)


def killed(train, monkeypatch):
    """Train until the third epoch has ended, before it is saved."""
    with monkeypatch.context() as killing:
        killing.setattr(keras.callbacks, "BackupAndRestore", KilledBeforeSaving)
        with pytest.raises(KeyboardInterrupt):
            train()


def embedding():
    inputs = keras.Input((4,))
    return SiameseNetwork(
        keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(inputs)), data_range=None
    )


def test_a_killed_training_goes_on_and_a_finished_one_is_not_repeated(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 4)).astype("float32"), np.arange(32) % 4

    def train(name):
        model, batches = embedding(), BalancedBatches(x, y, 4, 2, seed=0, steps=2)
        model.compile(keras.optimizers.SGD(0.1))
        tell = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch))
        return model.get_weights(), resume.fit(model, batches, tmp_path / name, 4, [tell], shuffle=False), model

    _, seconds, whole = train("whole")
    killed(lambda: train("killed"), monkeypatch)
    _, resumed_seconds, resumed = train("killed")
    assert seconds > 0 and resumed_seconds > 0
    np.testing.assert_allclose(resumed.embed(x), whole.embed(x), atol=1e-6)
    monkeypatch.setattr(SiameseNetwork, "fit", pytest.fail)
    untrained, again, model = train("whole")
    assert again == seconds and not np.allclose(untrained[0], model.get_weights()[0])
    np.testing.assert_array_equal(model.embed(x), whole.embed(x))


def test_one_shot_trains_on_batches_that_know_their_epoch(tmp_path, monkeypatch):
    x = np.random.default_rng(0).random((160, 28, 28, 1), "float32")
    data = x, np.arange(40).repeat(4), np.array(list("abcd")).repeat(10)
    sizes = one_shot.QUICK._replace(epochs=3)
    vectors = []
    for name in ("whole", "killed"):
        if name == "killed":
            killed(lambda: one_shot.train(*data, tmp_path / "killed", sizes, 0), monkeypatch)
        model, seconds = one_shot.train(*data, tmp_path / name, sizes, 0)
        assert seconds > 0
        vectors.append(model.embed(x))
    np.testing.assert_allclose(*vectors, atol=1e-5)


# What single benchmarks do


def test_shifts_keep_the_ink():
    images = np.zeros((200, 9, 9, 1), "float32")
    images[:, 4, 4] = 1
    moved = shifted(images, np.random.default_rng(0))
    rows, columns = np.nonzero(moved[..., 0])[1:]
    assert moved.sum() == 200
    assert {*rows} == {*columns} == {3, 4, 5}
    assert 80 < np.sum((rows == 4) & (columns == 4)) < 140  # half stay, and a ninth of the rest


def tiny_gan(seed):
    generator = networks.dense_decoder((28, 28, 1), 2, (), seed=0)
    model = GAN(generator, networks.dense_encoder((28, 28, 1), 1, (), seed=1), ema_decay=0.5, seed=0)
    return gan.compiled(model, 1e-2)


def ink(images, dataset):
    return {"Fréchet distance": float(images.mean()), "effective classes": 1.0}


def test_a_killed_gan_goes_on_with_its_curve(tmp_path, monkeypatch):
    x = np.random.default_rng(0).random((64, 28, 28, 1), "float32")
    monkeypatch.setattr(gan, "generation_scores", ink)
    monkeypatch.setattr(gan, "load_mnist", lambda size: ((x[:40], None), (x[40:], None)))
    setup = gan.Setup("GAN", tiny_gan, 32, 64, 4)
    sizes = {name: gan.Sizes(drawn=100, runs=tmp_path / name) for name in ("whole", "killed")}
    whole, parameters = gan.curve(setup, "MNIST", sizes["whole"], 0)
    assert list(whole["epoch"]) == [1, 2, 3, 4] and (whole["effective classes"] == 1).all()
    assert parameters == 3 * 784 + 785

    killed(lambda: gan.curve(setup, "MNIST", sizes["killed"], 0), monkeypatch)
    resumed, _ = gan.curve(setup, "MNIST", sizes["killed"], 0)
    assert list(resumed["epoch"]) == [1, 2, 3, 4]
    assert np.allclose(resumed["Fréchet distance"], whole["Fréchet distance"], atol=1e-6)

    monkeypatch.setattr(GAN, "fit", pytest.fail)  # nothing is trained again
    assert gan.curve(setup, "MNIST", sizes["whole"], 0)[0].equals(whole)


def test_curves_are_timed_and_kept_and_judged_at_their_best(tmp_path, monkeypatch):
    paces = gan.paces()
    epoch, run_ = paces["keras.io's GAN"], {"method": "keras.io's GAN", "dataset": "MNIST"}
    scores = {"epoch": [1, 2], "Fréchet distance": [9.0, 8.0], "effective classes": 1.0}
    (tmp_path / "curves").mkdir()
    for seed in (0, 1):
        path = tmp_path / "curves" / f"{seed}.csv"
        pd.DataFrame({**run_, "seed": seed, **scores}).to_csv(path, index=False)
        gan.write_curves(tmp_path, tmp_path)
        path.unlink()  # what is no longer there stays in the results
    rows = pd.read_csv(tmp_path / "gan_curves.csv")
    assert list(rows)[:5] == ["method", "dataset", "seed", "epoch", "seconds"] and rows["seed"].tolist() == [0, 0, 1, 1]
    assert rows["seconds"].tolist() == pytest.approx(2 * [epoch, 2 * epoch], abs=2e-3)
    assert list(rows) == list(pd.read_csv(runner.RESULTS / "gan_curves.csv"))
    assert paces["GAN"] < paces["WGAN-GP"] < epoch  # more discriminator steps, and a network many times the size

    asked = []
    monkeypatch.setattr(resume, "fit", lambda model, x, path, epochs, *_, **__: asked.append(epochs))
    monkeypatch.setattr(gan, "timed", lambda curves: curves)
    monkeypatch.setattr(pd, "read_csv", lambda path, read=pd.read_csv: read(path) if "pace" in path.name else None)
    monkeypatch.setattr(gan, "load_mnist", lambda size: ((np.zeros((1, 28, 28, 1)), None),))
    gan.curve(gan.RECIPE, "MNIST", gan.Sizes(runs=tmp_path), 0)
    assert asked[0] * epoch <= 6000 < (asked[0] + 1) * epoch  # the epochs that end within 100 minutes
    curve = pd.DataFrame({"Fréchet distance": [9.0, 4.0, 5.0], "seconds": [1, 2, 3]})
    assert gan.best(curve)["seconds"] == 2


def test_the_race_of_gans_ends_at_the_recipes_best(monkeypatch):
    curves = {"GAN": ([9.0, 5.0, 3.0], [10, 20, 30]), "keras.io's GAN": ([8.0, 4.0, 6.0], [100, 200, 300])}

    def curve(setup, *_):
        distances, seconds = curves[setup.method]
        return pd.DataFrame({"Fréchet distance": distances, "seconds": seconds}), 7

    monkeypatch.setattr(gan, "curve", curve)
    (row,) = gan.race("MNIST", gan.Sizes(), 0)
    assert (row["metric"], row["unit"]) == SHARE and row["value"] == 30 / 200 and row["seconds"] == 30


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


def test_super_resolution_is_timed_and_judged_epoch_by_epoch(monkeypatch):
    gains = iter([0.1, 0.7, 0.6])
    monkeypatch.setattr(srgan, "race_baseline", lambda: 20.0)
    monkeypatch.setattr(srgan, "race_psnr", lambda enlarge: 20 + next(gains))
    monkeypatch.setattr(srgan, "set5_scores", lambda enlarge: [float(enlarge(x[:1]).shape[1]), 0.9])
    x, y = np.zeros((8, 4, 4, 1), "float32"), np.zeros((8, 12, 12, 1), "float32")
    asked = []

    def pairs(epoch):
        asked.append(epoch)
        return x, y

    model = subpixel_generator(1, 3, 2, 1, seed=0)
    model.compile("sgd", "mae")
    result = srgan.train(model, 3, 4, pairs)
    assert asked == [0, 1, 2] and result["seconds"][0] > 0 and result["seconds"] == sorted(result["seconds"])
    assert result["gains"] == pytest.approx([0.1, 0.7, 0.6]) and result["set5"] == [12, 0.9]
    assert srgan.seconds_to_goal(result) == result["seconds"][1]
    assert srgan.seconds_to_goal({"seconds": [1.0], "gains": [0.5]}) == np.inf
    last = srgan.rows("A", result)[-1]
    assert last["value"] == pytest.approx(0.6) and last["seconds"] == result["seconds"][-1]


def test_the_recipe_has_four_convolutions_and_no_more():
    """Their weights and biases by hand, and three times the size."""
    model = srgan.recipe(0)
    assert model.count_params() == 64 * 26 + 64 * (64 * 9 + 1) + 32 * (64 * 9 + 1) + 9 * (32 * 9 + 1)
    assert model.compute_output_shape((1, 8, 5, 1)) == (1, 24, 15, 1)


def test_pairs_are_half_of_the_same_digit():
    y = np.arange(10).repeat(4)
    a, b, different = siamese.pairs_of(y, 0)
    assert len(a) == 80 and np.array_equal(a, np.repeat(np.arange(40), 2))
    assert np.array_equal(y[a] != y[b], different == 1) and different.mean() == 0.5


def test_pair_accuracy_takes_the_threshold_of_the_validation_pairs():
    validation = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    assert siamese.pair_accuracy(validation, validation) == 1.0
    test = np.array([0.1, 0.95, 0.85, 0.05]), np.array([0, 0, 1, 1])
    assert siamese.pair_accuracy(validation, test) == 0.5


DATA = Path(os.environ.get("DLARCH_DATA_DIR") or "data")
FOLDER = Path(runner.__file__).parents[1]


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


NEEDS = {
    "anomaly_detection": ("adbench", "nsl-kdd"),
    "anomaly_settings": ("adbench",),
    "one_shot": ("omniglot",),
    "pix2pix": ("bsds500",),
    "srgan": ("bsds500", "set5"),
}


@pytest.fixture(scope="module")
def ends(request, tmp_path_factory):
    """How the quick runs of the benchmarks that are tested ended: one process imports Keras once for all of them."""
    wanted = [item.callspec.params["name"] for item in request.session.items if "in_small" in item.name]
    modules = {f"benchmarks.{name}" for name in wanted if not missing(name)}
    report = tmp_path_factory.mktemp("quick") / "ends.json"
    command = [sys.executable, "-m", "tests.support.alone", report, *sorted(modules), "--quick"]
    before = contents(runner.RESULTS)
    subprocess.run(command, cwd=FOLDER.parent, check=True)
    assert contents(runner.RESULTS) == before
    return json.loads(report.read_text("utf-8"))


def missing(name):
    return [folder for folder in NEEDS.get(name, ()) if not (DATA / folder).is_dir()]


@pytest.mark.parametrize("name", benchmarks())
def test_every_benchmark_runs_in_small(name, ends):
    if missing(name):
        pytest.skip(f"needs {', '.join(missing(name))} under DLARCH_DATA_DIR")
    assert ends[f"benchmarks.{name}"] is None, ends[f"benchmarks.{name}"]
    results = runner.folder(name, quick=True) / "results"
    table = pd.read_csv(results / f"{name}.csv")
    assert set(table["seeds"]) == {1} and not table.duplicated(runner.KEYS).any()
    assert (results / "gan_curves.csv").exists() == (name in ("gan", "wgan_gp"))
    stored = pd.read_csv(runner.RESULTS / f"{name}.csv")  # what is measured there is called the same here
    assert set(table["metric"]) & set(stored["metric"]) and set(table["method"]) & set(stored["method"])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
