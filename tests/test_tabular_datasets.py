"""The tables: generated transactions and flows keep their promises, and no feature looks ahead; loaders return what
their datasheets say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from dlarch_keras import datasets
from dlarch_keras.datasets import ADBENCH_NAMES, NSL_KDD_CATEGORIES, ai4i, credit_card, files, nsl_kdd, transactions
from dlarch_keras.datasets.network_flows import ATTACKS, FLOW_FEATURES
from dlarch_keras.datasets.windows import rolling

WINDOWS = (1, 7, 30)


def skip_unless_local(*names):
    missing = [name for name in names if not (files.data_dir() / name).is_file()]
    if missing:
        pytest.skip(f"no local copy of {', '.join(missing)}; set DLARCH_DATA_DIR to a folder that holds it")


def table(*rows, columns=("datetime", "customer_id", "terminal_id", "amount", "fraud")):
    made = pd.DataFrame(rows, columns=columns)
    return made.assign(datetime=pd.to_datetime(made["datetime"]))


# Transactions: the generator


@pytest.fixture(scope="module")
def payments():
    return datasets.generate_transactions(customers=400, terminals=800, days=60, seed=0)


def test_transactions_are_a_table_in_order_of_time(payments):
    assert tuple(payments.columns) == transactions.COLUMNS
    assert payments["transaction_id"].tolist() == list(range(len(payments)))
    assert payments["datetime"].is_monotonic_increasing
    days = payments["datetime"].dt.normalize()
    assert days.nunique() == 60 and days.min() == transactions.FIRST_DAY
    assert payments["customer_id"].between(0, 399).all() and payments["terminal_id"].between(0, 799).all()
    assert set(payments["fraud"]) == {0, 1} and set(payments["scenario"]) == {0, 1, 2, 3}
    assert ((payments["scenario"] > 0) == (payments["fraud"] == 1)).all()
    cents = 100 * payments["amount"]
    assert (payments["amount"] >= 0).all() and np.allclose(cents, cents.round())


def test_the_seed_decides_the_transactions():
    first, again, other = (datasets.generate_transactions(50, 80, 10, 20.0, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["amount"].head(100).equals(other["amount"].head(100))


def genuine(seed, customers=400, terminals=800, days=60, radius=5.0):
    return transactions._genuine(customers, terminals, days, radius, np.random.default_rng(seed))


def test_scenarios_do_to_amounts_what_they_say(payments):
    before = genuine(0)["amount"]
    stolen = payments["scenario"] == 3
    assert stolen.sum() > 20
    np.testing.assert_allclose(payments.loc[stolen, "amount"], 5 * before[stolen], atol=0.01)
    pd.testing.assert_series_equal(payments.loc[~stolen, "amount"], before[~stolen])
    assert (payments.loc[before > 220, "fraud"] == 1).all()
    assert (payments.loc[payments["scenario"] == 1, "amount"] > 220).all()
    assert (payments["scenario"] == 1).sum() > 10


def test_a_compromised_terminal_makes_every_payment_a_fraud_for_28_days(payments):
    day = (payments["datetime"] - transactions.FIRST_DAY).dt.days
    frauds = payments[payments["scenario"] == 2]
    assert frauds["terminal_id"].nunique() > 3
    for terminal, days in day[frauds.index].groupby(frauds["terminal_id"]):
        within = payments[
            (payments["terminal_id"] == terminal) & day.between(days.min(), min(days.max(), days.min() + 27))
        ]
        assert within["fraud"].all()


def test_active_for_a_duration_from_each_start():
    starts = np.zeros((8, 2), bool)
    starts[[1, 2], 0] = starts[6, 1] = True
    active = transactions._active(starts, duration=3)
    assert active[:, 0].tolist() == [False, True, True, True, True, False, False, False]
    assert active[:, 1].tolist() == [False] * 6 + [True] * 2


def test_customers_pay_within_reach_and_around_noon():
    made = genuine(3)
    random = np.random.default_rng(3)
    homes, places = random.uniform(0, 100, (400, 2)), random.uniform(0, 100, (800, 2))
    way = np.linalg.norm(homes[made["customer_id"]] - places[made["terminal_id"]], axis=1)
    assert 4.5 < way.max() <= 5
    # Uniform among the terminals of a disc: the mean distance is 2/3 of the radius (less what the square cuts off).
    assert 3.1 < way.mean() < 3.5
    hour = made["second"] % 86_400 / 3_600
    # A normal distribution of sd 20,000 s (5.56 h) cut off at 2.16 sd either side has sd 4.96 h.
    assert hour.mean() == pytest.approx(12, abs=0.1) and hour.std() == pytest.approx(4.96, abs=0.1)
    # 2 a day on average, 3.1 % of which fall outside the day; the mean rate of 400 customers has a sd of 3 %.
    in_reach = made["customer_id"].nunique()
    assert len(made) / 60 / in_reach == pytest.approx(2 * 0.969, rel=0.1)


def test_mean_amounts_are_the_customers_own():
    made = genuine(4, customers=60, terminals=50, days=200, radius=150.0)
    by_customer = made.groupby("customer_id")["amount"].agg(["mean", "std", "count"]).query("count > 150")
    assert len(by_customer) > 30
    # Normal with sd = mean / 2, its 2.3 % below 0 redrawn from U(0, 2 mean): mean 1.028, sd .47 of the mean.
    drawn = np.random.default_rng(4)
    drawn.uniform(size=(60, 2)), drawn.uniform(size=(50, 2))
    mean = drawn.uniform(5, 100, 60)[by_customer.index]
    np.testing.assert_allclose(by_customer["mean"] / mean, 1.028, atol=0.15)
    assert (by_customer["std"] / mean).mean() == pytest.approx(0.47, abs=0.02)


def test_the_share_of_frauds_is_the_books():
    shares = [datasets.generate_transactions(seed=seed)["fraud"].mean() for seed in range(3)]
    assert np.mean(shares) == pytest.approx(0.008, abs=0.0015)


def test_nobody_in_reach_of_a_terminal():
    made = datasets.generate_transactions(customers=20, terminals=1, days=5, radius=1e-6)
    assert made.empty and tuple(made.columns) == transactions.COLUMNS


# Transactions: features


def test_customer_windows_worked_by_hand():
    features = datasets.transaction_features(
        table(
            ("2024-01-01 12:00", 1, 8, 10.0, 0),  # Monday
            ("2024-01-01 13:00", 2, 8, 99.0, 0),
            ("2024-01-02 11:59", 1, 9, 20.0, 0),
            ("2024-01-02 12:00", 1, 9, 60.0, 0),  # a day after the first, which is just out
            ("2024-01-06 06:59", 2, 8, 1.0, 0),  # Saturday night
            ("2024-01-08 07:00", 1, 8, 40.0, 0),
        )
    )
    assert features["customer_count_1d"].tolist() == [1, 1, 2, 2, 1, 1]
    assert features["customer_mean_amount_1d"].tolist() == [10, 99, 15, 40, 1, 40]
    assert features["customer_count_7d"].tolist() == [1, 1, 2, 3, 2, 4]
    assert features["customer_mean_amount_7d"].tolist() == [10, 99, 15, 30, 50, 32.5]
    assert features["weekend"].tolist() == [0, 0, 0, 0, 1, 0]
    assert features["night"].tolist() == [0, 0, 0, 0, 1, 0]
    assert features["amount"].tolist() == [10, 99, 20, 60, 1, 40]
    assert (features.dtypes == "float64").all()


def test_terminal_windows_worked_by_hand():
    made = table(
        ("2024-01-01 12:00", 1, 8, 1.0, 1),
        ("2024-01-02 12:00", 1, 8, 1.0, 0),
        ("2024-01-07 12:00", 1, 8, 1.0, 1),
        ("2024-01-08 12:00", 1, 8, 1.0, 0),  # the window of 1 day is (Dec 31 noon, Jan 1 noon]: the first row
        ("2024-01-09 11:00", 1, 8, 1.0, 0),  # (Jan 1 11:00, Jan 2 11:00]: the first row
        ("2024-01-09 12:00", 1, 8, 1.0, 0),  # (Jan 1 noon, Jan 2 noon]: the second row
        ("2024-01-09 13:00", 1, 9, 1.0, 0),  # another terminal
        ("2024-01-14 12:00", 1, 8, 1.0, 0),  # 7 days: (Dec 31 noon, Jan 7 noon]: rows 1 to 3
    )
    risk = datasets.terminal_risk(made)
    assert risk["terminal_risk_1d"].tolist() == [0, 0, 0, 1, 1, 0, 0, 1]
    np.testing.assert_allclose(risk["terminal_risk_7d"], [0, 0, 0, 1, 1, 1 / 2, 0, 2 / 3])
    features = datasets.transaction_features(made)
    assert features["terminal_count_1d"].tolist() == [0, 0, 0, 1, 1, 1, 0, 1]
    assert features["terminal_count_7d"].tolist() == [0, 0, 0, 1, 1, 2, 0, 3]
    sooner = datasets.terminal_risk(made, windows=(2,), delay_days=1)
    np.testing.assert_allclose(sooner["terminal_risk_2d"], [0, 1, 0, 1, 1, 1 / 2, 0, 0])


def test_features_are_what_a_plain_loop_counts():
    made = datasets.generate_transactions(6, 4, 50, radius=80.0, seed=1)
    made.index = np.arange(len(made))[::-1] * 3  # any index will do
    features = datasets.transaction_features(made).join(datasets.terminal_risk(made))
    assert features.index.equals(made.index)
    time, day = made["datetime"], pd.Timedelta(days=1)
    for position in np.random.default_rng(0).integers(0, len(made), 60):
        row = made.iloc[position]
        past = (np.arange(len(made)) <= position) & (time <= row["datetime"])
        for days in WINDOWS:
            own = past & (time > row["datetime"] - days * day) & (made["customer_id"] == row["customer_id"])
            end = row["datetime"] - 7 * day
            there = (time <= end) & (time > end - days * day) & (made["terminal_id"] == row["terminal_id"])
            found = features.iloc[position]
            assert found[f"customer_count_{days}d"] == own.sum()
            assert found[f"customer_mean_amount_{days}d"] == pytest.approx(made.loc[own, "amount"].mean())
            assert found[f"terminal_count_{days}d"] == there.sum()
            assert found[f"terminal_risk_{days}d"] == pytest.approx(
                made.loc[there, "fraud"].sum() / max(there.sum(), 1)
            )


def test_no_feature_looks_ahead(payments):
    cut = len(payments) // 2
    before, risk_before = datasets.transaction_features(payments), datasets.terminal_risk(payments)
    later = np.arange(len(payments)) > cut
    changed = payments.assign(
        amount=payments["amount"] + 1000.0 * later,
        customer_id=np.where(later, 0, payments["customer_id"]),
        terminal_id=np.where(later, 0, payments["terminal_id"]),
        fraud=np.where(later, 1 - payments["fraud"], payments["fraud"]),
    )
    after, risk_after = datasets.transaction_features(changed), datasets.terminal_risk(changed)
    pd.testing.assert_frame_equal(after[: cut + 1], before[: cut + 1], check_exact=True)
    pd.testing.assert_frame_equal(risk_after[: cut + 1], risk_before[: cut + 1], check_exact=True)
    cut_off = payments[: cut + 1]
    pd.testing.assert_frame_equal(datasets.transaction_features(cut_off), before[: cut + 1], check_exact=True)
    assert not after[cut + 1 :].equals(before[cut + 1 :]), "the change does not show at all, so this test shows nothing"


def test_labels_count_once_they_are_known_and_not_sooner(payments):
    now = payments["datetime"].iloc[len(payments) // 2]
    unknown = payments["datetime"] > now - pd.Timedelta(days=7)
    changed = payments.assign(fraud=np.where(unknown, 1 - payments["fraud"], payments["fraud"]))
    before, after = datasets.terminal_risk(payments), datasets.terminal_risk(changed)
    known_by_now = payments["datetime"] <= now
    pd.testing.assert_frame_equal(after[known_by_now], before[known_by_now], check_exact=True)
    a_day_later = (payments["datetime"] > now) & (payments["datetime"] < now + pd.Timedelta(days=1))
    assert not after[a_day_later].equals(before[a_day_later])


def test_transaction_features_read_no_label(payments):
    without = payments.drop(columns=["fraud", "scenario"])
    pd.testing.assert_frame_equal(datasets.transaction_features(without), datasets.transaction_features(payments))


def test_rolling_keeps_the_rows_order_whatever_the_keys():
    made = table(*((f"2024-01-01 {hour}:00", key, 0, 1.0, 0) for hour, key in zip((1, 2, 2, 5), "baba")))
    assert rolling(made, "datetime", "customer_id", "amount", "2h", "count").tolist() == [1, 1, 2, 1]
    assert rolling(made, "datetime", "customer_id", "amount", "4h", "sum").tolist() == [1, 1, 2, 2]


def bad_tables(good):
    text = good.astype({"datetime": str})
    return {
        "DataFrame": {"None": None, "an array": good.to_numpy(), "a dictionary": {"datetime": []}, "text": "table"},
        "must have columns": {"columns": good.drop(columns="terminal_id"), "renamed": good.rename(columns=str.upper)},
        "must have rows": {"empty": good[:0]},
        "complete": {"missing id": good.assign(terminal_id=np.where(good.index == 1, np.nan, 1.0))},
        "datetimes": {"text for time": text, "seconds": good.assign(datetime=range(len(good)))},
        "in order of time": {"reversed": good[::-1]},
    }


GOOD = table(("2024-01-01", 1, 8, 1.0, 0), ("2024-01-02", 1, 8, 2.0, 1), ("2024-01-03", 2, 8, 3.0, 0))


@pytest.mark.parametrize("function", [datasets.transaction_features, datasets.terminal_risk])
@pytest.mark.parametrize("message", bad_tables(GOOD))
def test_bad_tables_are_refused(function, message):
    for bad in bad_tables(GOOD)[message].values():
        with pytest.raises(ValueError, match=message):
            function(bad)


@pytest.mark.parametrize("amount", [["1", "2", "3"], [1.0, np.inf, 1.0], [1.0, None, 1.0]])
def test_bad_amounts_are_refused(amount):
    with pytest.raises(ValueError, match="amount"):
        datasets.transaction_features(GOOD.assign(amount=amount))


@pytest.mark.parametrize("fraud", [["a", "b", "c"], [0, 1, 2], [-1, 1, 1], [0, np.nan, 1]])
def test_bad_labels_are_refused(fraud):
    with pytest.raises(ValueError, match="fraud"):
        datasets.terminal_risk(GOOD.assign(fraud=fraud))


def test_split_by_time_worked_by_hand():
    made = table(*((f"2024-01-{day:02} {hour}:00", 1, 8, 1.0, 0) for day in range(1, 21) for hour in (0, 23)))
    day = made["datetime"].dt.day.to_numpy()
    train, validation, test = datasets.split_by_time(made, 4, 3, 2, delay_days=5)
    assert [sorted(set(day[part])) for part in (train, validation, test)] == [[2, 3, 4, 5], [11, 12, 13], [19, 20]]
    assert [len(part) for part in (train, validation, test)] == [8, 6, 4]
    train, validation, test = datasets.split_by_time(made, 10, 5, 5, delay_days=0)
    assert np.concatenate([train, validation, test]).tolist() == list(range(40))


def test_split_by_time_refuses_what_does_not_fit():
    made = table(*((f"2024-01-{day:02}", 1, 8, 1.0, 0) for day in (1, 2, 3, 18, 19, 20)))
    with pytest.raises(ValueError, match="take 21 days, but `transactions` has 20"):
        datasets.split_by_time(made, 5, 5, 5, delay_days=3)
    with pytest.raises(ValueError, match="`validation_days` = 5 covers no row"):
        datasets.split_by_time(made, 5, 5, 5, delay_days=2)
    with pytest.raises(ValueError, match="DataFrame"):
        datasets.split_by_time(None, 1, 1, 1)


# Network flows


@pytest.fixture(scope="module")
def flows():
    return datasets.generate_flows(8_000, seed=0)


def test_flows_are_a_stream(flows):
    assert tuple(flows.columns) == ("time", "source", "destination", *FLOW_FEATURES, "attack")
    assert len(flows) == 8_000 and flows["time"].is_monotonic_increasing
    assert not flows.isna().any().any()
    assert flows["attack"].value_counts().to_dict() == {"normal": 7_600} | dict.fromkeys(ATTACKS, 100)
    assert set(flows["state"]) == {"SF", "S0", "REJ", "RST"} and set(flows["protocol"]) == {"tcp", "udp"}
    assert flows["service"].nunique() == 8
    numbers = flows.select_dtypes("number")
    assert (numbers >= 0).all().all() and numbers["source_packets"].min() == 1
    silent = flows["state"] == "S0"
    assert (flows.loc[silent, ["destination_bytes", "destination_packets", "duration"]] == 0).all().all()
    assert (flows["source_bytes"] <= 1_400 * flows["source_packets"]).all()


def test_the_seed_decides_the_flows(flows):
    pd.testing.assert_frame_equal(datasets.generate_flows(8_000, seed=0), flows)
    assert not datasets.generate_flows(8_000, seed=1)["duration"].equals(flows["duration"])


@pytest.mark.parametrize(("n", "share", "each"), [(100, 0, 0), (100, 0.5, 12), (250, 0.001, 0), (101, 0.04, 1)])
def test_flows_of_any_number(n, share, each):
    flows = datasets.generate_flows(n, attack_share=share, seed=3)
    assert len(flows) == n
    assert flows["attack"].value_counts().to_dict() == {"normal": n - 4 * each} | dict.fromkeys(
        ATTACKS if each else (), each
    )


def test_flow_windows_are_what_a_plain_loop_counts(flows):
    error = flows["state"].isin(["S0", "REJ"])
    attacked = np.flatnonzero(flows["attack"].isin(["flood", "port scan"]))[::20]
    for row in [0, 1, 99, 100, 101, *np.random.default_rng(0).integers(0, len(flows), 40), *attacked]:
        past = flows[: row + 1]
        here = flows.loc[row]
        recent = past["time"] > here["time"] - pd.Timedelta(seconds=2)
        same_host, same_service = past["destination"] == here["destination"], past["service"] == here["service"]
        last_100 = past.index > row - 100
        assert here["host_count_2s"] == (recent & same_host).sum()
        assert here["service_count_2s"] == (recent & same_service).sum()
        assert here["host_error_share_2s"] == pytest.approx(error[: row + 1][recent & same_host].mean(), abs=1e-4)
        assert here["host_count_100"] == (last_100 & same_host).sum()
        expected = (last_100 & same_host & same_service).sum() / (last_100 & same_host).sum()
        assert here["host_service_share_100"] == pytest.approx(expected, abs=1e-4)


def test_flows_load_in_order_of_time_and_at_the_frozen_difficulty():
    (x_train, y_train), (x_test, y_test) = datasets.load_network_flows(seed=0)
    assert tuple(x_train.columns) == tuple(x_test.columns) == FLOW_FEATURES
    assert (len(x_train), len(y_train), len(x_test), len(y_test)) == (24_000, 24_000, 16_000, 16_000)
    whole = datasets.generate_flows(seed=0)
    pd.testing.assert_frame_equal(pd.concat([x_train, x_test]), whole[list(FLOW_FEATURES)])
    assert whole["time"][x_train.index].max() <= whole["time"][x_test.index].min()
    assert set(y_train) == set(y_test) == {"normal", *ATTACKS}

    categories = OneHotEncoder(handle_unknown="ignore"), ["protocol", "service", "state"]
    encoder = make_column_transformer(categories, remainder="passthrough", sparse_threshold=0)
    forest = make_pipeline(encoder, IsolationForest(random_state=0)).fit(x_train[y_train == "normal"])
    scores = -forest.score_samples(x_test)
    assert roc_auc_score(y_test != "normal", scores) == pytest.approx(0.852, abs=0.02)
    among = {attack: y_test.isin(["normal", attack]) for attack in ATTACKS}
    areas = {attack: roc_auc_score(y_test[rows] == attack, scores[rows]) for attack, rows in among.items()}
    assert min(areas, key=areas.get) == "exfiltration" and areas["exfiltration"] == pytest.approx(0.648, abs=0.05)


# NSL-KDD

RECORD = "0,tcp,http,SF,181,5450,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0.00,0.00,0.00,0.00,1.00,0.00,0.00,9,9,1.00,0.00"


def test_nsl_kdd_reads_a_hand_made_file(monkeypatch, tmp_path):
    for name in ("KDDTrain+_20Percent.txt", "KDDTest+.txt"):
        rest = "0.11,0.00,0.00,0.00,0.00"
        (tmp_path / name).write_text(f"{RECORD},{rest},0.00,normal,20\n{RECORD},{rest},0.50,neptune,5\n")
    monkeypatch.setattr(nsl_kdd, "find_file", lambda name: tmp_path / name.removeprefix("nsl-kdd/"))
    (x, y), _ = datasets.load_nsl_kdd()
    assert tuple(x.columns) == nsl_kdd.COLUMNS and len(set(x.columns)) == 41
    assert y.tolist() == ["normal", "neptune"]
    assert x.loc[0, ["service", "src_bytes", "dst_host_count"]].tolist() == ["http", 181, 9]
    assert x["dst_host_srv_rerror_rate"].tolist() == [0, 0.5]


def test_nsl_kdd_is_the_published_set():
    skip_unless_local("nsl-kdd/KDDTrain+_20Percent.txt", "nsl-kdd/KDDTest+.txt")
    (x_train, y_train), (x_test, y_test) = datasets.load_nsl_kdd()
    assert x_train.shape == (25_192, 41) and x_test.shape == (22_544, 41)
    assert (y_train == "normal").sum() == 13_449 and (y_test == "normal").sum() == 9_711
    categories = y_test.map(NSL_KDD_CATEGORIES).value_counts().to_dict()
    assert categories == {"normal": 9_711, "dos": 7_458, "probe": 2_421, "r2l": 2_754, "u2r": 200}
    assert not y_train.map(NSL_KDD_CATEGORIES).isna().any()
    assert "difficulty" not in x_train
    for x in (x_train, x_test):
        text = x.select_dtypes(exclude="number")
        assert tuple(text.columns) == nsl_kdd.CATEGORICAL and not x.isna().any().any()
        rates = x.filter(like="_rate")
        assert rates.shape[1] == 15 and rates.min().min() == 0 and rates.max().max() == 1
        assert (x.select_dtypes("int64") >= 0).all().all() and x.select_dtypes("int64").shape[1] == 23


def test_nsl_kdd_categories_are_five():
    assert set(NSL_KDD_CATEGORIES.values()) == {"normal", "dos", "probe", "r2l", "u2r"}
    assert len(NSL_KDD_CATEGORIES) == 40 and NSL_KDD_CATEGORIES["neptune"] == "dos"


# ADBench

ADBENCH_SIZES = {
    "breastw": (683, 9, 239),
    "annthyroid": (7_200, 6, 534),
    "http": (567_498, 3, 2_211),
    "cardio": (1_831, 21, 176),
    "mammography": (11_183, 6, 260),
    "satimage-2": (5_803, 36, 71),
    "shuttle": (49_097, 9, 3_511),
    "thyroid": (3_772, 6, 93),
    "campaign": (41_188, 62, 4_640),
    "Cardiotocography": (2_114, 21, 466),
    "glass": (214, 7, 9),
    "Hepatitis": (80, 19, 13),
    "InternetAds": (1_966, 1_555, 368),
    "Lymphography": (148, 18, 6),
    "mnist": (7_603, 100, 700),
    "Pima": (768, 8, 268),
    "smtp": (95_156, 3, 30),
    "vertebral": (240, 6, 30),
    "WBC": (223, 9, 10),
    "wine": (129, 13, 10),
    "WPBC": (198, 33, 47),
    "yeast": (1_484, 8, 507),
}


def test_adbench_names():
    assert tuple(ADBENCH_SIZES) == ADBENCH_NAMES


@pytest.mark.parametrize("name", ADBENCH_NAMES)
def test_adbench_sets_are_the_published_ones(name):
    skip_unless_local(f"adbench/{datasets.adbench._FILES[name]}.npz")
    x, y = datasets.load_adbench(name)
    n, features, anomalies = ADBENCH_SIZES[name]
    assert x.shape == (n, features) and x.dtype == np.float32 and np.isfinite(x).all()
    assert y.shape == (n,) and y.dtype == np.int32
    assert np.bincount(y).tolist() == [n - anomalies, anomalies]


@pytest.mark.parametrize(("normals", "train"), [(2, 1), (7, 3), (8, 4)])
def test_one_class_split(normals, train):
    x = np.arange(normals + 3, dtype="float32")[:, None]
    y = np.array([1, 0, 1, 1, *[0] * (normals - 1)])
    (x_train, y_train), (x_test, y_test) = datasets.one_class_split(x, y, seed=0)
    assert len(x_train) == len(y_train) == train and not y_train.any()
    assert np.array_equal(np.sort(np.concatenate([x_train, x_test]), axis=0), x)  # every row once
    assert np.array_equal(y[x_test[:, 0].astype(int)], y_test) and y_test.sum() == 3
    assert (np.diff(x_train[:, 0]) > 0).all()


def test_the_seed_decides_the_one_class_split():
    x, y = np.arange(100.0)[:, None], np.repeat([0, 1], [90, 10])
    halves = [datasets.one_class_split(x, y, seed)[0][0] for seed in (1, 1, 2)]
    assert np.array_equal(halves[0], halves[1]) and not np.array_equal(halves[0], halves[2])
    assert [len(half) for half in halves] == [45, 45, 45]
    picked = np.mean([np.isin(0.0, datasets.one_class_split(x, y, seed)[0][0]) for seed in range(400)])
    assert picked == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("x", "y", "seed"),
    [
        (np.zeros((4, 2)), [0, 0, 1], 0),
        (np.zeros((4, 2)), [0, 0, 1, 2], 0),
        (np.zeros((4, 2)), ["0", "0", "1", "1"], 0),
        (np.zeros((4, 2)), [0, 0, 0, 0], 0),
        (np.zeros((4, 2)), [0, 1, 1, 1], 0),
        (np.zeros((4, 2)), [[0], [0], [1], [1]], 0),
        (np.zeros((4, 2)), None, 0),
        (np.zeros((0, 2)), np.zeros(0), 0),
        ([[1], [1, 2]], [0, 1], 0),
        (3.0, [0, 1], 0),
        (np.zeros((4, 2)), [0, 0, 1, 1], -1),
        (np.zeros((4, 2)), [0, 0, 1, 1], None),
    ],
)
def test_one_class_split_refuses(x, y, seed):
    with pytest.raises(ValueError, match="must"):
        datasets.one_class_split(x, y, seed)


# AI4I

AI4I_HEADER = "UDI,Product ID,Type,Air temperature [K],Process temperature [K],Rotational speed [rpm],Torque [Nm],"


def test_ai4i_reads_a_hand_made_file(monkeypatch, tmp_path):
    wears, failures = [0, 3, 3, 0, 2, 0, 4], [0, 0, 1, 0, 1, 0, 0]  # three tools
    rows = [
        f"{i + 1},M1486{i},{'MLH'[i % 3]},298.1,308.6,1551,42.8,{wear},{failed},{failed},0,0,0,0\n"
        for i, (wear, failed) in enumerate(zip(wears, failures))
    ]
    path = tmp_path / "ai4i.csv"
    path.write_text(
        AI4I_HEADER + "Tool wear [min],Machine failure,TWF,HDF,PWF,OSF,RNF\n" + "".join(rows), encoding="utf-8-sig"
    )
    monkeypatch.setattr(ai4i, "find_file", lambda name: path)
    (x_train, y_train), (x_test, y_test) = datasets.load_ai4i()
    assert x_train["tool_wear"].tolist() == [0, 3, 3, 0, 4] and x_test["tool_wear"].tolist() == [0, 2]
    assert y_train.tolist() == [0, 0, 1, 0, 0] and y_test.tolist() == [0, 1]
    assert x_test["type"].tolist() == ["M", "L"] and x_test.index.tolist() == [3, 4]


def test_ai4i_is_the_published_set_and_no_tool_is_in_both_parts():
    skip_unless_local("ai4i2020.csv")
    (x_train, y_train), (x_test, y_test) = datasets.load_ai4i()
    assert x_train.shape == (5_044, 6) and x_test.shape == (4_956, 6)
    assert y_train.sum() == 170 and y_test.sum() == 169
    x = pd.concat([x_train, x_test]).sort_index()
    assert x.index.tolist() == list(range(10_000)) and not x.isna().any().any()
    assert x["type"].value_counts().to_dict() == {"L": 6_000, "M": 2_997, "H": 1_003}
    for part in (x_train, x_test):  # each stretch of neighbouring rows is one tool's whole life: wear only grows
        stretch = (part.index.to_series().diff() != 1).cumsum()
        assert (part["tool_wear"].groupby(stretch).diff().dropna() >= 0).all()
    assert (x.loc[x_test.index[0], "tool_wear"], x.loc[x_test.index[0] - 1, "tool_wear"] > 100) == (0, True)


# The real card file


def write_cards(folder, change=lambda table: table, name="creditcard.csv"):
    random = np.random.default_rng(0)
    made = pd.DataFrame(random.normal(size=(6, 28)), columns=[f"V{i}" for i in range(1, 29)])
    made.insert(0, "Time", [0.0, 10.0, 86_399.0, 86_400.0, 100_000.0, 172_792.0])
    made["Amount"], made["Class"] = [149.62, 2.69, 378.66, 0.0, 69.99, 3.67], [0, 0, 1, 0, 1, 0]
    made = change(made)
    made.to_csv(folder / name, index=False)
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DLARCH_DATA_DIR", str(tmp_path))
    return tmp_path


def test_credit_card_splits_by_day(folder):
    made = write_cards(folder)
    (x_train, y_train), (x_test, y_test) = datasets.load_credit_card()
    assert tuple(x_train.columns) == credit_card.FEATURES and "Time" not in x_train and "Class" not in x_train
    assert y_train.tolist() == [0, 0, 1] and y_test.tolist() == [0, 1, 0]
    assert x_train["Amount"].tolist() == [149.62, 2.69, 378.66]
    np.testing.assert_allclose(x_test["V28"], made["V28"][3:], rtol=1e-14)  # pandas 2 reads the last digit otherwise
    assert (x_train.dtypes == "float64").all() and y_train.dtype == "int64"


def test_missing_card_file_says_where_to_get_it_and_where_to_put_it(folder):
    with pytest.raises(FileNotFoundError) as error:
        datasets.load_credit_card()
    for part in (str(folder / "creditcard.csv"), "kaggle.com/datasets/mlg-ulb/creditcardfraud", "DLARCH_DATA_DIR"):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="name must be one of"):  # it is not among what find_file could download
        files.find_file("creditcard.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="V7"), "columns"),
        (lambda table: table.rename(columns={"Class": "Fraud"}), "columns"),
        (lambda table: table[table.columns[::-1]], "columns"),
        (lambda table: table.assign(Hour=1), "columns"),
        (lambda table: table.assign(V3="a"), "finite numbers, got others in \\['V3'\\]"),
        (lambda table: table.assign(V3=[1, 2, 3, np.nan, 5, 6]), "finite numbers"),
        (lambda table: table.assign(Amount=np.inf), "finite numbers"),
        (lambda table: table.assign(Class=[0, 1, 2, 0, 0, 0]), "classes 0 and 1"),
        (lambda table: table[::-1], "out of order"),
        (lambda table: table[:3], "before and after 86,400 seconds"),
        (lambda table: table[3:], "before and after 86,400 seconds"),
        (lambda table: table[:0], "."),
    ],
)
def test_credit_card_refuses_another_table(folder, change, message):
    write_cards(folder, change)
    with pytest.raises(ValueError, match=message) as error:
        datasets.load_credit_card()
    assert str(folder / "creditcard.csv") in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage\x81", b"<html>Sign in</html>", b'a,b\n1,2,3\n"'])
def test_credit_card_refuses_what_is_no_table(folder, content):
    (folder / "creditcard.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"creditcard\.csv must"):
        datasets.load_credit_card()
