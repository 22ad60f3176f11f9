"""AI4I 2020: a simulated milling machine and when it failed (Matzka, 2020). Datasheet: `data/ai4i.md`."""

import pandas as pd

from dlarch_keras.datasets.files import find_file

_FEATURES = ["type", "air_temperature", "process_temperature", "rotational_speed", "torque", "tool_wear"]


def load_ai4i():
    """Load AI4I 2020, 10,000 work pieces in the order they were made.

    A tool wears from piece to piece until it is changed; every second tool of the 120 is for testing, so no tool has
    pieces in both parts. The rule needs no random numbers and looks at no label.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `pandas.DataFrame`s with `type` (string: `"L"`, `"M"` or `"H"`, low to
        high quality), `air_temperature` and `process_temperature` (K), `rotational_speed` (1/min), `torque` (N m) and
        `tool_wear` (min), the index being the row in the file; `pandas.Series` of int64, 1 = the machine failed. The
        file's product number says nothing but the type, and its five failure modes are labels: both are left out.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: Matzka (2020), Explainable artificial intelligence for predictive maintenance applications, AI4I.
    """
    # The file begins with a byte order mark.
    table = pd.read_csv(find_file("ai4i2020.csv"), encoding="utf-8-sig", dtype={"Type": "str"})
    # "Torque [Nm]" becomes "torque"; the units are above.
    table = table.rename(columns=lambda name: name.split(" [")[0].lower().replace(" ", "_"))
    x, y = table[_FEATURES], table["machine_failure"].rename("failure")
    tool = (x["tool_wear"].diff() < 0).cumsum()
    tests = tool % 2 == 1
    return (x[~tests], y[~tests]), (x[tests], y[tests])
