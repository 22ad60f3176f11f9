"""Generated card transactions with three kinds of fraud, after the Fraud Detection Handbook's simulator.

Source of the model and its constants: Le Borgne, Siblini, Lebichot, Bontempi (2022), Reproducible machine learning for
credit card fraud detection: practical handbook, Université Libre de Bruxelles, chapter 3. The code is our own.
Datasheet: `data/transactions.md`.
"""

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from dlarch_keras.core import validation
from dlarch_keras.datasets.windows import rolling

FIRST_DAY = pd.Timestamp("2018-04-01")
SIDE = 100.0  # of the square in which customers and terminals lie
SECONDS_A_DAY = 86_400
COMPROMISED_TERMINALS = 2 / 10_000  # a day and terminal: 2 a day among the book's 10,000
LEAKED_CARDS = 3 / 5_000  # a day and customer: 3 a day among the book's 5,000
COLUMNS = ("transaction_id", "datetime", "customer_id", "terminal_id", "amount", "fraud", "scenario")


def generate_transactions(customers=1000, terminals=2000, days=120, radius=5.0, seed=0):
    """Generate card transactions, most of them genuine.

    A customer has a home in a square of side 100, a mean amount from U(5, 100) with half of it as standard deviation,
    and a mean number of transactions a day from U(0, 4), and pays at terminals within `radius` of home, on any of them
    alike. One with none in reach pays nowhere. Payments gather around noon. Then come the frauds, `scenario`:

    1. every amount above 220;
    2. every payment at a terminal that is compromised: 28 days from a random day on, amounts unchanged;
    3. a third of a customer's payments, amounts times 5, in the 14 days after a random day on which the card leaked.

    A later scenario overwrites an earlier one. Terminals and cards fall at the book's rate for each of them, whatever
    their numbers; so the share of frauds stays near the book's .8 % as long as there are about two terminals to a
    customer. The book's set is `generate_transactions(5000, 10_000, 183)`.

    Args:
        customers, terminals, days: how many.
        radius: how far from home a customer pays; with fewer terminals to the square, more of them have none in reach.
        seed: a non-negative integer.

    Returns:
        `pandas.DataFrame`, a row to a transaction in order of time: `transaction_id` (0, 1, ...), `datetime` (from
        1 April 2018, to the second), `customer_id`, `terminal_id`, `amount` (to the cent), `fraud` (0 or 1),
        `scenario` (0 where genuine, else 1 to 3).
    """
    for name, value in (("customers", customers), ("terminals", terminals), ("days", days)):
        validation.positive_int(name, value)
    validation.number("radius", radius, above=0)
    validation.non_negative_int("seed", seed)
    random = np.random.default_rng(seed)
    transactions = _genuine(customers, terminals, days, radius, random)
    _add_frauds(transactions, customers, terminals, days, random)
    transactions.insert(0, "datetime", FIRST_DAY + pd.to_timedelta(transactions.pop("second"), unit="s"))
    transactions.insert(0, "transaction_id", np.arange(len(transactions)))
    return transactions


def _genuine(customers, terminals, days, radius, random):
    """Return the payments before any fraud, ordered by `second`, which counts from the first midnight."""
    homes, places = random.uniform(0, SIDE, (customers, 2)), random.uniform(0, SIDE, (terminals, 2))
    mean_amount, daily = random.uniform(5, 100, customers), random.uniform(0, 4, customers)
    in_reach = KDTree(places).query_ball_point(homes, radius, return_sorted=True)
    choices = np.array([len(reached) for reached in in_reach])
    first_choice = np.cumsum(choices) - choices
    counts = random.poisson(daily, (days, customers)) * (choices > 0)
    n = counts.sum()
    customer = np.repeat(np.tile(np.arange(customers), days), counts.ravel())
    day = np.repeat(np.arange(days), counts.sum(axis=1))
    time = random.normal(SECONDS_A_DAY / 2, 20_000, n).astype(int)
    amount = random.normal(mean_amount[customer], mean_amount[customer] / 2)
    amount = np.where(amount < 0, random.uniform(0, 2 * mean_amount[customer]), amount).round(2)
    chosen = first_choice[customer] + random.integers(0, choices[customer])
    payments = pd.DataFrame(
        {
            "second": day * SECONDS_A_DAY + time,
            "customer_id": customer,
            "terminal_id": np.concatenate([*in_reach, []]).astype(int)[chosen],
            "amount": amount,
        }
    )
    within_the_day = (time > 0) & (time < SECONDS_A_DAY)  # the others never happen, as in the book
    return payments[within_the_day].sort_values("second", kind="stable", ignore_index=True)


def _add_frauds(transactions, customers, terminals, days, random):
    """Mark the frauds in two new columns, and change the amounts of those that the third scenario makes."""
    day = transactions["second"].to_numpy() // SECONDS_A_DAY
    scenario = np.where(transactions["amount"] > 220, 1, 0)
    compromised = _active(random.random((days, terminals)) < COMPROMISED_TERMINALS, duration=28)
    scenario[compromised[day, transactions["terminal_id"]]] = 2
    leaked = _active(random.random((days, customers)) < LEAKED_CARDS, duration=14)
    stolen = leaked[day, transactions["customer_id"]] & (random.random(len(day)) < 1 / 3)
    scenario[stolen] = 3
    transactions.loc[stolen, "amount"] = (5 * transactions.loc[stolen, "amount"]).round(2)
    transactions["fraud"], transactions["scenario"] = (scenario > 0).astype(int), scenario


def _active(starts, duration):
    """For each day (row) whether one of the last `duration` days, this one included, was a start."""
    total = np.cumsum(starts, axis=0)
    before = np.zeros_like(total)
    before[duration:] = total[:-duration]
    return total > before


def transaction_features(transactions, windows=(1, 7, 30), delay_days=7):
    """Features of each transaction from what is known when it happens; no label is read.

    Args:
        transactions: `pandas.DataFrame` in order of time with `datetime`, `customer_id`, `terminal_id` and `amount`.
        windows: their lengths in days.
        delay_days: how far back the terminal's windows end.

    Returns:
        `pandas.DataFrame` of floats with the index of `transactions`: `amount`; `weekend` and `night` (midnight to
        6:59), 0 or 1; for each window of w days `customer_count_{w}d` and `customer_mean_amount_{w}d`, over the
        customer's payments of the last w days up to and including this one, and `terminal_count_{w}d`, the terminal's
        payments in the w days that ended `delay_days` ago. A window of w days ends at this very second, which it
        includes, and begins w days before, which it does not; of several payments in one second, those further down
        do not count.

    Source: the handbook's chapter 3.4; see the module.
    """
    _check_table(transactions, ("datetime", "customer_id", "terminal_id", "amount"))
    windows = _check_windows(windows, delay_days)
    time = transactions["datetime"].dt
    features = {
        "amount": transactions["amount"].to_numpy("float64"),
        "weekend": (time.day_of_week >= 5).to_numpy("float64"),
        "night": (time.hour <= 6).to_numpy("float64"),
    }
    for days in windows:
        for statistic, name in (("count", "count"), ("mean", "mean_amount")):
            features[f"customer_{name}_{days}d"] = _last_days(transactions, "customer_id", "amount", days, statistic)
    for days, count in zip(windows, _delayed(transactions, "amount", "count", windows, delay_days)):
        features[f"terminal_count_{days}d"] = count
    return pd.DataFrame(features, index=transactions.index)


def terminal_risk(transactions, windows=(1, 7, 30), delay_days=7):
    """The share of frauds among a terminal's payments, as far as known: features that **use the labels**.

    Whether a payment was a fraud is taken to be known `delay_days` later. So these belong to a supervised model, or to
    one that is fed back what investigators found; for detectors that learn without labels there is
    `transaction_features` alone.

    Args:
        transactions: `pandas.DataFrame` in order of time with `datetime`, `terminal_id` and `fraud`.
        windows: their lengths in days.
        delay_days: how long it takes until a label is known.

    Returns:
        `pandas.DataFrame` of floats in [0, 1] with the index of `transactions`: `terminal_risk_{w}d`, over the w days
        that ended `delay_days` ago, and 0 where the terminal had no payments then.
    """
    _check_table(transactions, ("datetime", "terminal_id", "fraud"))
    windows = _check_windows(windows, delay_days)
    frauds = _delayed(transactions, "fraud", "sum", windows, delay_days)
    payments = _delayed(transactions, "fraud", "count", windows, delay_days)
    names = [f"terminal_risk_{days}d" for days in windows]
    risks = np.divide(frauds, payments, out=np.zeros_like(frauds), where=np.greater(payments, 0))
    return pd.DataFrame(dict(zip(names, risks)), index=transactions.index)


def _last_days(transactions, key, column, days, statistic):
    return rolling(transactions, "datetime", key, column, f"{days}D", statistic)


def _delayed(transactions, column, statistic, windows, delay_days):
    """Count or sum over the days that ended `delay_days` ago, for each window: a longer window less the recent part."""
    lengths = [delay_days, *(days + delay_days for days in windows)]
    recent, *longer = (_last_days(transactions, "terminal_id", column, days, statistic) for days in lengths)
    return [values - recent for values in longer]


def split_by_time(transactions, train_days, validation_days, test_days, delay_days=7):
    """Split by whole days, counted back from the last one, with a gap before validation and before test.

    In the gaps lie the payments whose labels are not yet known when the next part begins. Days before the training
    part are left over: they fill its first windows.

    Args:
        transactions: `pandas.DataFrame` in order of time with `datetime`.
        train_days, validation_days, test_days: the lengths.
        delay_days: the length of each gap; 0 for none.

    Returns:
        three integer arrays, the row positions (for `.iloc`) to train, to validate and to test on.

    Raises:
        ValueError: no such table; lengths that are not positive integers; more days than the table has; an empty part.
    """
    lengths = {"train_days": train_days, "validation_days": validation_days, "test_days": test_days}
    for name, value in lengths.items():
        validation.positive_int(name, value)
    validation.non_negative_int("delay_days", delay_days)
    _check_table(transactions, ("datetime",))
    midnight = transactions["datetime"].dt.normalize()
    day = (midnight - midnight.iloc[0]).dt.days.to_numpy()
    needed, available = sum(lengths.values()) + 2 * delay_days, day[-1] + 1
    if needed > available:
        raise ValueError(f"the parts and gaps take {needed} days, but `transactions` has {available}.")
    parts, end = [], available
    for length in (test_days, validation_days, train_days):
        parts.insert(0, np.flatnonzero((day >= end - length) & (day < end)))
        end -= length + delay_days
    for name, part in zip(lengths, parts):
        if not len(part):
            raise ValueError(f"`{name}` = {lengths[name]} covers no row of `transactions`.")
    return tuple(parts)


def _check_table(transactions, columns):
    """Raise a `ValueError` unless the table has the columns, complete and in order of time."""
    if not isinstance(transactions, pd.DataFrame):
        raise ValueError(f"`transactions` must be a pandas.DataFrame, got {type(transactions).__name__}.")
    if missing := [name for name in columns if name not in transactions.columns]:
        raise ValueError(f"`transactions` must have columns {list(columns)}, got none named {missing}.")
    if not transactions.columns.is_unique:
        raise ValueError("`transactions` must have each column once, got a name twice.")
    if transactions.empty:
        raise ValueError("`transactions` must have rows, got an empty table.")
    if incomplete := [name for name in columns if transactions[name].isna().any()]:
        raise ValueError(f"`transactions` must be complete, got missing values in {incomplete}.")
    if not pd.api.types.is_datetime64_dtype(transactions["datetime"]):
        raise ValueError(f"`datetime` must hold datetimes, got dtype {transactions['datetime'].dtype}.")
    if not transactions["datetime"].is_monotonic_increasing:
        raise ValueError("`transactions` must be in order of time, got rows of which a later one has an earlier time.")
    if "amount" in columns:
        amount = transactions["amount"]
        if not pd.api.types.is_numeric_dtype(amount) or not np.isfinite(amount.to_numpy("float64")).all():
            raise ValueError(f"`amount` must hold finite numbers, got dtype {amount.dtype} or infinity.")
    if "fraud" in columns and not transactions["fraud"].isin([0, 1]).all():
        raise ValueError(f"`fraud` must hold 0 and 1, got {transactions['fraud'].unique()[:5].tolist()}.")


def _check_windows(windows, delay_days):
    """`windows` as a tuple, or a `ValueError`."""
    validation.positive_int("delay_days", delay_days)
    return validation.positive_ints("windows", windows)
