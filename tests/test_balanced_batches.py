"""What forms data and labels may come in; what a batch holds is tested with `SiameseNetwork`."""

import numpy as np
import pandas as pd
import pytest

from dlarch_keras import BalancedBatches

X = np.random.default_rng(0).random((12, 4, 4, 1)).astype("float32")
Y = np.repeat([0, 1, 2], 4)


@pytest.mark.parametrize("x", [list(X), tuple(X), X.tolist()], ids=["list", "tuple", "lists of numbers"])
@pytest.mark.parametrize(
    "y", [Y.tolist(), pd.Series(Y, range(5, 17)), pd.Categorical(Y)], ids=["list", "series", "kinds"]
)
def test_lists_and_series_are_what_arrays_are(x, y):
    images, labels = BalancedBatches(x, y, 2, 2, seed=np.int64(3))[0]
    wanted = BalancedBatches(X, Y, 2, 2, seed=3)[0]
    np.testing.assert_allclose(images, wanted[0])
    np.testing.assert_array_equal(labels, wanted[1])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([X[0], X[0, :2]] * 6, "that is none"),
        (list(np.zeros((12, 4, 4), "uint8")), "dtype uint8"),
        ([], "shape \\(0,\\)|empty"),
        (None, "None"),
    ],
    ids=["unequal", "bytes", "empty", "None"],
)
def test_bad_lists_are_refused(x, message):
    with pytest.raises(ValueError, match=rf"`x` must be an array.*({message})"):
        BalancedBatches(x, Y, 2, 2)
