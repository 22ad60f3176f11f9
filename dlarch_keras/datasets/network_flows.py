"""Generated network flows: the services of an office, and four attacks among them. Datasheet: `data/network_flows.md`.

The columns are modelled on those of NSL-KDD (Tavallaee et al., 2009); the services, attacks and figures are our own.
"""

import numpy as np
import pandas as pd

from dlarch_keras.core import validation
from dlarch_keras.datasets.windows import rolling

CLIENTS, OUTSIDE = 60, 400  # hosts in the office, hosts elsewhere
FLOWS_A_SECOND = 5.0
ATTACKS = ("port scan", "flood", "brute force", "exfiltration")
FLOW_FEATURES = (
    "duration", "protocol", "service", "state", "source_bytes", "destination_bytes", "source_packets",
    "destination_packets", "host_count_2s", "service_count_2s", "host_error_share_2s", "host_count_100",
    "host_service_share_100",
)  # fmt: skip
# Of each service: its share of all sessions; mean flows a session and seconds between them; median bytes both ways and
# the spread of their logarithm; median seconds for which nothing is sent; its servers, 0 for hosts outside.
_SERVICES = pd.DataFrame(
    columns=["service", "protocol", "sessions", "flows", "gap", "sent", "received", "spread", "pause", "servers"],
    data=[
        ("web", "tcp", 0.34, 6, 0.4, 900, 14_000, 1.2, 0.15, 0),
        ("name", "udp", 0.22, 3, 0.3, 45, 120, 0.35, 0.01, 1),
        ("mail", "tcp", 0.12, 1.5, 4, 7_000, 900, 1.4, 0.8, 2),
        ("shell", "tcp", 0.08, 2, 6, 3_000, 5_000, 1.3, 4, 6),
        ("file transfer", "tcp", 0.1, 3, 5, 90_000, 90_000, 1.6, 0.5, 3),
        ("database", "tcp", 0.07, 4, 1, 600, 4_000, 1.0, 0.05, 2),
        ("time", "udp", 0.03, 1, 1, 48, 48, 0.0, 0.02, 1),
        ("other", "tcp", 0.04, 2, 3, 1_500, 3_000, 1.8, 1, 8),
    ],
)


def generate_flows(n=40_000, attack_share=0.05, seed=0):
    """Generate a stream of network flows at about five a second.

    People of an office open sessions of several flows each. A service has its own distribution of bytes both ways
    (heavy-tailed, and correlated through how much there was to do), of packets, which follow from the bytes, and of
    duration, which follows from bytes, the host's line and pauses. File transfers and some mail go either way. Some
    sessions fail. Among them run attacks, a quarter of the attacking flows each:

    - port scan: one outsider tries port after port of a server; most refuse or keep silent;
    - flood: many short web requests at one server, some of them left half-open;
    - brute force: log-ins at a shell server, short and alike, one after the other;
    - exfiltration: from within, uploads by file transfer, web or name service, held back so as not to stand out.

    Args:
        n: number of flows, at least 100.
        attack_share: share of them that are attacks, from 0 to .5.
        seed: a non-negative integer.

    Returns:
        `pandas.DataFrame`, a row to a flow in the order of their beginnings: `time` (datetime), `source` and
        `destination` (host numbers), then `FLOW_FEATURES`, then `attack` (string: `"normal"` or one of `ATTACKS`). The
        features: `duration` (s), `protocol`, `service`, `state` (`"SF"` normal, `"S0"` no answer, `"REJ"` refused,
        `"RST"` broken off), bytes and packets both ways; over the last 2 s, this flow included, the flows to the same
        destination and to the same service, and the share of the former with state S0 or REJ; among the last 100 flows
        those to the same destination, and the share of these with the same service.
    """
    validation.positive_int("n", n, minimum=100)
    validation.non_negative_int("seed", seed)
    validation.number("attack_share", attack_share, at_most=0.5)
    random = np.random.default_rng(seed)
    seconds = n / FLOWS_A_SECOND
    attacks = [_attack(kind, int(n * attack_share / len(ATTACKS)), seconds, random) for kind in ATTACKS]
    normal = _normal(n - sum(map(len, attacks)), seconds, random)
    flows = pd.concat([normal, *attacks]).sort_values("second", kind="stable", ignore_index=True)
    _add_sizes(flows, random)
    _add_windows(flows)
    return flows[["time", "source", "destination", *FLOW_FEATURES, "attack"]]


def load_network_flows(seed=0):
    """Generate 40,000 flows; the first 60 % train, the later ones test.

    Args:
        seed: a non-negative integer.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `pandas.DataFrame`s of 24,000 and 16,000 rows with `FLOW_FEATURES`;
        `pandas.Series` of strings, `"normal"` or one of `ATTACKS`. About one training row in 20 is an attack: for
        training on normal ones alone take `x_train[y_train == "normal"]`. Test windows look back into the training
        time, as they would in use; training windows never look ahead.
    """
    flows = generate_flows(seed=seed)
    x, y, first = flows[list(FLOW_FEATURES)], flows["attack"], len(flows) * 6 // 10
    return (x[:first], y[:first]), (x[first:], y[first:])


def _normal(n, seconds, random):
    """Return the sessions' flows, `n` of them, without bytes, packets and durations."""
    kind = random.choice(len(_SERVICES), n, p=_SERVICES["sessions"])  # more sessions than are needed
    of_session = _SERVICES.iloc[kind]
    flows = random.geometric(1 / of_session["flows"])
    client = (CLIENTS * random.random(n) ** 1.7).astype(int)  # some work more than others
    # Servers follow the clients, ten numbers to a service.
    server = CLIENTS + 10 * kind + (random.random(n) ** 1.5 * of_session["servers"]).astype(int)
    server = np.where(of_session["servers"] > 0, server, _outsider(n, random))
    failed = np.where(random.random(n) < 0.03, random.choice(["S0", "REJ"], n), "SF")
    session = np.repeat(np.arange(n), flows)[:n]
    of_flow = of_session.iloc[session]
    elapsed = pd.Series(random.exponential(of_flow["gap"])).groupby(session).cumsum().to_numpy()
    broken = (failed[session] == "SF") & (of_flow["protocol"] == "tcp") & (random.random(n) < 0.015)
    return pd.DataFrame(
        {
            "second": random.uniform(0, seconds, n)[session] + elapsed,
            "source": client[session],
            "destination": server[session],
            "service": of_flow["service"].to_numpy(),
            "state": np.where(broken, "RST", failed[session]),
            "attack": "normal",
        }
    )


def _outsider(n, random):
    """Hosts outside, the first of them far more popular than the last."""
    return 200 + (OUTSIDE * random.random(n) ** 3).astype(int)


# Of each attack: flows an episode (least, most); seconds between them (least, most); states and their shares.
_EPISODES = {
    "port scan": (20, 60, 0.1, 4.0, {"REJ": 0.55, "S0": 0.3, "SF": 0.15}),
    "flood": (50, 120, 0.03, 0.2, {"SF": 0.6, "S0": 0.4}),
    "brute force": (15, 40, 1.0, 4.0, {"SF": 0.85, "RST": 0.15}),
    "exfiltration": (2, 8, 10.0, 90.0, {"SF": 1.0}),
}
_TARGETS = {  # and the services that it goes for, with their shares
    "port scan": {"other": 0.6, "web": 0.1, "mail": 0.1, "shell": 0.1, "database": 0.1},
    "flood": {"web": 1.0},
    "brute force": {"shell": 1.0},
    "exfiltration": {"file transfer": 0.6, "web": 0.25, "name": 0.15},
}


def _attack(attack, n, seconds, random):
    """Return an attack's flows, `n` of them in episodes, without bytes, packets and durations."""
    least, most, quick, slow, states = _EPISODES[attack]
    size = random.integers(least, most, n, endpoint=True)
    episode = np.repeat(np.arange(n), size)[:n]
    episodes = episode.max(initial=0) + 1
    start = (np.arange(n) + random.random(n)) * seconds / episodes  # spread over the stream
    gap = random.exponential(np.exp(random.uniform(np.log(quick), np.log(slow), n))[episode])
    service = random.choice(list(_TARGETS[attack]), n, p=list(_TARGETS[attack].values()))
    inside = (CLIENTS * random.random(n)).astype(int)
    target = CLIENTS + 10 * random.integers(len(_SERVICES), size=n)  # the first server of some service
    if attack == "brute force":
        target[:] = CLIENTS + 10 * list(_SERVICES["service"]).index("shell")
    if leaves := attack == "exfiltration":
        service = service[episode]  # one way out an episode; a scan tries many ports
    return pd.DataFrame(
        {
            "second": start[episode] + pd.Series(gap).groupby(episode).cumsum().to_numpy(),
            "source": (inside if leaves else _outsider(n, random))[episode],
            "destination": (_outsider(n, random) if leaves else target)[episode],
            "service": service,
            "state": random.choice(list(states), n, p=list(states.values())),
            "attack": attack,
        }
    )


def _add_sizes(flows, random):
    """Add bytes, packets, duration and protocol, drawn for normal flows and attacks alike, with what attacks change."""
    n, attack, name = len(flows), flows["attack"], flows["service"]
    service = _SERVICES.set_index("service").loc[name].reset_index(drop=True)
    # How much there is to do: shared by both directions, heavy-tailed, but no transfer of terabytes.
    work = 0.8 * np.clip(random.standard_t(4, n), -4, 4)
    sent, received = (
        service[way] * np.exp(service["spread"] * (work + 0.5 * random.normal(size=n))) for way in ("sent", "received")
    )
    either_way = (name == "file transfer") | ((name == "mail") & (random.random(n) < 0.3))
    upload = either_way & (random.random(n) < 0.5)
    acknowledged = random.uniform(150, 800, n)
    sent = np.where(either_way & ~upload, acknowledged, sent)
    received = np.where(either_way & upload, acknowledged, received)
    rate = 2e6 * np.exp(0.5 * random.normal(size=n)) / (1 + flows["source"].to_numpy() % 7)  # bytes a second
    pause = service["pause"] * np.exp(0.8 * random.normal(size=n))

    alike = 1 + 0.1 * random.normal(size=n)
    alikes = [attack == "flood", attack == "brute force"]
    sent = np.select(alikes, [350 * alike, 1_600 * alike], sent)
    received = np.select(alikes, [600 * alike, 2_300 * alike], received)
    pause = np.where(attack == "brute force", 2 * alike, pause)
    leak = (attack == "exfiltration").to_numpy()
    bulk = name.map({"file transfer": 120_000, "web": 30_000, "name": 150}) * np.exp(0.7 * random.normal(size=n))
    sent, received = np.where(leak, bulk, sent), np.where(leak, acknowledged / (1 + 4 * (name == "name")), received)
    rate = np.where(leak, rate / 8, rate)

    tcp = service["protocol"].to_numpy() == "tcp"
    answered = flows["state"].isin(["SF", "RST"]).to_numpy()
    part = np.where(flows["state"] == "RST", random.random(n), 1.0) * answered  # of the bytes, until it broke off
    udp_request = ~tcp & ~answered
    sent = np.maximum(sent * part, 0).round() + udp_request * service["sent"].to_numpy()
    received = np.maximum(received * part, 0).round()
    data_out, data_in = np.ceil(sent / 1_400), np.ceil(received / 1_400)
    handshake, goodbye = 2 * tcp, 2 * (tcp & answered)
    flows["protocol"] = service["protocol"]
    flows["source_bytes"], flows["destination_bytes"] = sent.astype(int), received.astype(int)
    packets_out = data_out + handshake + goodbye + tcp * data_in // 2
    packets_in = data_in + handshake // 2 + goodbye + tcp * data_out // 2
    flows["source_packets"] = np.where(answered, packets_out, 1 + random.integers(0, 3, n)).astype(int)
    flows["destination_packets"] = np.where(answered, packets_in, flows["state"] == "REJ").astype(int)
    flows["duration"] = np.where(answered, (pause * part + (sent + received) / rate), 0).round(3)


def _add_windows(flows):
    """Add `time` and the features that count earlier flows."""
    flows["time"] = pd.Timestamp("2024-01-08 09:00") + pd.to_timedelta(flows["second"].round(3), unit="s")
    flows["error"] = flows["state"].isin(["S0", "REJ"]).astype(float)
    flows["host_count_2s"] = rolling(flows, "time", "destination", "error", "2s", "count").astype(int)
    flows["service_count_2s"] = rolling(flows, "time", "service", "error", "2s", "count").astype(int)
    flows["host_error_share_2s"] = rolling(flows, "time", "destination", "error", "2s", "mean").round(4)
    # For windows that count flows instead of seconds, the flows' own clock: it ticks once a flow.
    flows["tick"] = pd.to_datetime(np.arange(len(flows)), unit="s")
    same_host = rolling(flows, "tick", "destination", "error", "100s", "count")
    same_service = rolling(flows, "tick", ["destination", "service"], "error", "100s", "count")
    flows["host_count_100"] = same_host.astype(int)
    flows["host_service_share_100"] = (same_service / same_host).round(4)
