"""NSL-KDD: network connections, normal and attacks (Tavallaee et al., 2009). Datasheet: `data/nsl_kdd.md`."""

import pandas as pd

from dlarch_keras.datasets.files import find_file

CATEGORICAL = ("protocol_type", "service", "flag")
# The published names, in the order of the files.
COLUMNS = (
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent",
    "hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted", "num_root",
    "num_file_creations", "num_shells", "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login",
    "count", "srv_count", "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate", "same_srv_rate",
    "diff_srv_rate", "srv_diff_host_rate", "dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate", "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate",
    "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
)  # fmt: skip
_ATTACKS = {
    "normal": "normal",
    "dos": "apache2 back land mailbomb neptune pod processtable smurf teardrop udpstorm",
    "probe": "ipsweep mscan nmap portsweep saint satan",
    "r2l": "ftp_write guess_passwd imap multihop named phf sendmail snmpgetattack snmpguess spy warezclient "
    "warezmaster worm xlock xsnoop",
    "u2r": "buffer_overflow httptunnel loadmodule perl ps rootkit sqlattack xterm",
}
NSL_KDD_CATEGORIES = {attack: category for category, attacks in _ATTACKS.items() for attack in attacks.split()}


def load_nsl_kdd():
    """Load NSL-KDD: the 20 % training file and the full test file, as published.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `pandas.DataFrame`s of 25,192 and 22,544 rows and the 41 published
        columns: `protocol_type`, `service` and `flag` strings, columns named `..._rate` floats in [0, 1], the others
        integers; and `pandas.Series` of strings, `"normal"` or the attack's name, which `NSL_KDD_CATEGORIES` maps to
        `"normal"`, `"dos"`, `"probe"`, `"r2l"` or `"u2r"`. The training rows hold attacks: for training on normal ones
        alone take `x_train[y_train == "normal"]`. The files' 43rd column, how many of 21 classifiers got the row right,
        is left out: it is made from the labels.

    Raises:
        ValueError, FileNotFoundError: as `find_file`, whose message says how to get the data.

    Source: Tavallaee, Bagheri, Lu, Ghorbani (2009), A detailed analysis of the KDD CUP 99 data set, CISDA.
    """
    return _read_part("KDDTrain+_20Percent"), _read_part("KDDTest+")


def _read_part(part):
    dtypes = {name: "float64" if name.endswith("_rate") else "int64" for name in COLUMNS}
    dtypes |= dict.fromkeys((*CATEGORICAL, "attack"), "str")
    names = [*COLUMNS, "attack", "difficulty"]
    table = pd.read_csv(find_file(f"nsl-kdd/{part}.txt"), names=names, dtype=dtypes, keep_default_na=False)
    return table[list(COLUMNS)], table["attack"]
