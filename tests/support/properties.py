"""What every model of the package must do, as functions that are true or false: for tests and for `mistakes.py`."""

import itertools

import keras
import numpy as np

from dlarch_keras import srgan
from dlarch_keras.core import gradients
from dlarch_keras.images.resampling import downscale as shrink_by_means
from dlarch_keras.networks.upscaling import upscale as upscale_in_tiles


def logs_epoch_means(model, x, **fit_arguments):
    """Whether the logged loss is the mean over all examples, with batches of unequal size. Learning rate 0."""
    logged = model.fit(x, batch_size=8, epochs=1, shuffle=False, verbose=0, **fit_arguments).history["loss"][0]
    one_batch = model.evaluate(x, batch_size=len(x), verbose=0)
    return bool(np.isclose(logged, one_batch, rtol=1e-4))


def resumes_where_it_stopped(make, fit, path):
    """Whether two epochs, save, load and two more equal four epochs. `fit(model, epochs)` trains."""
    uninterrupted, first = make(), make()
    fit(uninterrupted, 4)
    fit(first, 2)
    first.save(path)
    resumed = keras.saving.load_model(path)
    fit(resumed, 2)
    return all(
        np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(uninterrupted.get_weights(), resumed.get_weights())
    )


def comes_back_as_it_was(model, path, x):
    """Whether a saved model is loaded as one of its class, which can go on training."""
    model.save(path)
    loaded = keras.saving.load_model(path)
    if type(loaded) is not type(model):
        return False
    loaded.fit(x, verbose=0)
    return True


def loads_safely(model, path):
    """Whether the model can be saved and, in Keras's safe mode, loaded."""
    model.save(path)
    try:
        keras.saving.load_model(path, safe_mode=True)
    except (TypeError, ValueError):
        return False
    return True


def refuses_a_loss_that_it_would_ignore(model):
    """Whether a model that computes its own loss says so when it is compiled with another one."""
    try:
        model.compile("adam", loss="mae")
    except ValueError as error:
        return "`loss` must be left out" in str(error)
    return False


def trains_with_policy(policy, make, *data):
    """Whether a model made and trained under a dtype policy logs finite values."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        history = make().fit(*data, batch_size=8, verbose=0).history
    finally:
        keras.config.set_dtype_policy(before)
    return bool(np.isfinite(list(history.values())).all())


def are_disjoint(train, test):
    """Whether no row (or image) of one occurs in the other."""
    return not {row.tobytes() for row in train} & {row.tobytes() for row in test}


def scores_do_not_change(detector, x):
    """Whether a fitted detector gives a row the same score each time, whatever the rows beside it."""
    scores = detector.score_samples(x)
    return np.array_equal(scores, detector.score_samples(x)) and np.array_equal(
        scores[:5], detector.score_samples(x[:5])
    )


def alerts_keep_to_the_share(detector, normal_rows):
    """Whether a detector with a contamination of .1 alerts on about a tenth of normal rows it has not seen."""
    share = np.mean(detector.predict(normal_rows) == -1)
    return bool(0.04 < share < 0.2)


def tells_right_from_wrong(measure):
    """Whether `measure(scores, labels)` is higher where the anomalies have the highest scores than the other way."""
    scores, labels = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    return bool(measure(scores, labels) > measure(scores, 1 - labels))


def features_ignore_the_future(make_features, table):
    """Whether the features of the first half of a table in order of time stay when the second half is left out."""
    half = len(table) // 2
    return bool(make_features(table)[:half].equals(make_features(table[:half])))


def features_reach_the_last_row(make_features, table):
    """Whether every row of a table in order of time has features, and those of the last row depend on its amount."""
    changed = table.copy()
    changed.loc[changed.index[-1], "amount"] *= 2
    before, after = make_features(table), make_features(changed)
    return len(before) == len(table) and not before[-1:].equals(after[-1:])


def is_minus_the_elbo_of_coin_tosses(model, latent_dim, pixels):
    """Whether a VAE with q = N(1, 1) and even odds for every pixel logs `pixels` log 2 and `latent_dim` / 2 nats."""
    logs = model.evaluate(np.ones((8, pixels), "float32"), verbose=0, return_dict=True)
    return bool(
        np.isclose(logs["reconstruction_loss"], pixels * np.log(2), rtol=1e-4)
        and np.isclose(logs["kl_loss"], latent_dim / 2, rtol=1e-4)
    )


def terms_add_up(model, x):
    """Whether loss = reconstruction loss + beta × KL term, in training and on held-out data."""
    try:
        history = model.fit(x, validation_data=(x, None), batch_size=8, epochs=2, verbose=0).history
        terms = [[np.array(history[p + n]) for n in ("loss", "reconstruction_loss", "kl_loss")] for p in ("", "val_")]
    except (KeyError, ValueError):
        return False
    return all(np.allclose(loss, reconstruction + model.beta * kl, rtol=1e-5) for loss, reconstruction, kl in terms)


def targets_lie_within_0_and_1(model):
    """Whether no discriminator, however sure of itself, gets a loss below 0, as targets outside [0, 1] would allow."""
    sure = np.full((1, 1), 1e4, "float32")
    pairs = itertools.product([-sure, 0 * sure, sure], repeat=2)
    losses = [keras.ops.convert_to_numpy(model.discriminator_loss(real, fake, None)) for real, fake in pairs]
    return bool(np.min(losses) >= 0)


def shrinks_by_means(downscale):
    """Whether stripes one pixel wide become an even grey in the small picture."""
    stripes = np.zeros((1, 36, 36, 1), "float32")
    stripes[:, :, ::2] = 1
    return bool(np.abs(downscale(stripes, 3)[:, 2:-2, 2:-2] - 0.5).max() < 0.06)


def trains_on_what_it_is_tested_on(make_pairs):
    """Whether the small pictures to train on are the large ones shrunk as those of the tests are: bicubically."""
    picture = np.random.default_rng(0).random((24, 24, 1), "float32")
    small, large = make_pairs([picture], 3, 8, 2)
    return bool(np.allclose(small, shrink_by_means(large, 3), atol=1e-5))


def leaves_no_seams(upscale):
    """Whether tiles of a picture, each enlarged by `upscale(generator, x, tile)`, equal the whole picture enlarged."""
    generator = srgan.subpixel_generator(1, 3, 4, 2, seed=0)
    x = np.random.default_rng(0).random((2, 23, 31, 1)).astype("float32")
    whole = upscale_in_tiles(generator, x, tile=64)
    return all(np.allclose(upscale(generator, x, tile).clip(0, 1), whole, atol=1e-5) for tile in (7, 16))


def interpolates_between_real_and_fake(model):
    """Whether a WGAN-GP draws the places of its penalty between real examples and fakes, and evenly: α ~ U(0, 1)."""
    alpha = keras.ops.convert_to_numpy(model.sample_alpha(2000, 4, training=True)).ravel()
    return bool(alpha.min() >= 0 and alpha.max() <= 1 and abs(alpha.mean() - 0.5) < 0.05 and alpha.std() > 0.25)


def has_a_gradient_where_the_discriminator_is_flat(kind):
    """Whether a WGAN-GP of this class survives a step that begins with a discriminator of slope 0."""
    code, x = keras.Input((2,)), keras.Input((4,))
    flat = keras.layers.Dense(1, kernel_initializer="zeros")
    model = kind(keras.Model(code, keras.layers.Dense(4)(code)), keras.Model(x, flat(x)), data_range=None)
    model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd")
    model.train_on_batch(np.ones((10, 4), "float32"))
    return bool(np.isfinite(flat.get_weights()[0]).all())


def makes_fakes_outside_the_discriminators_gradient(kind, discriminator_steps=3):
    """Whether a WGAN-GP of this class runs its generator once within a gradient, that of the generator, in a step.

    On torch, where every tensor remembers how it was made: nor may the discriminator's fakes.
    """
    within, remembered = [], []

    class Watched(keras.layers.Layer):
        def call(self, x):
            within.append(gradients.is_differentiating())
            return x

    code, x = keras.Input((2,)), keras.Input((3,))
    generator = keras.Model(code, keras.layers.Dense(3)(Watched()(code)))
    discriminator = keras.Model(x, keras.layers.Dense(1)(x))
    model = kind(generator, discriminator, discriminator_steps=discriminator_steps, data_range=None)
    model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd", run_eagerly=True)
    discriminator_loss = model.discriminator_loss

    def watched_loss(real, fake, condition, **arguments):
        remembered.append(getattr(fake, "requires_grad", False))
        return discriminator_loss(real, fake, condition, **arguments)

    model.discriminator_loss = watched_loss
    within.clear()
    model.train_on_batch(np.ones((discriminator_steps * 2, 3), "float32"))
    return within == [False] * discriminator_steps + [True] and not any(remembered)


def pulls_and_pushes_to_the_margin(loss):
    """Whether a contrastive loss with the margin 1 is 0 for equal similar pairs and for dissimilar ones beyond 1.

    And whether similar pairs cost the more the farther they are apart, dissimilar ones the more the closer.
    """

    def cost(distance, different):
        distances = keras.ops.convert_to_tensor(np.float32([distance]))
        return float(keras.ops.convert_to_numpy(loss(distances, keras.ops.convert_to_tensor([different]))))

    similar, dissimilar = ([cost(distance, kind) for distance in (0.0, 0.5, 1.0, 3.0)] for kind in (0, 1))
    return (
        similar[0] < 1e-6
        and bool(np.all(np.diff(similar) > 0))
        and dissimilar[0] > dissimilar[1] > 0
        and max(dissimilar[2:]) < 1e-6
    )


def threshold_ignores_the_test_pairs(accuracy):
    """Whether `accuracy(validation, test)` is a half where every test pair is farther apart than any for validation."""
    different = np.array([0, 1, 0, 1])
    validation, test = np.array([0.4, 0.6, 0.4, 0.6]), np.array([2.0, 3.0, 2.0, 3.0])
    return accuracy((validation, different), (test, different)) == 0.5


def counts_ties_as_failures(accuracy):
    """Whether `accuracy(distances, answers)` is 1 where the right class is nearest, and 0 where all are as near."""
    near, tied, each = 1.0 - np.eye(5), np.ones((5, 5)), np.arange(5)
    return [accuracy(near, each), accuracy(tied, each), accuracy(tied, 0 * each)] == [1, 0, 0]
