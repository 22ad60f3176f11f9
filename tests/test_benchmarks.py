"""The benchmark runner: what it measures is written once, and survives being killed."""

import pandas as pd
import pytest

from benchmarks import runner
from benchmarks.autoencoder import shifted


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


def test_shifts_keep_the_ink():
    import numpy as np

    images = np.zeros((200, 9, 9, 1), "float32")
    images[:, 4, 4] = 1
    moved = shifted(images, np.random.default_rng(0))
    rows, columns = np.nonzero(moved[..., 0])[1:]
    assert moved.sum() == 200
    assert {*rows} == {*columns} == {3, 4, 5}
    assert 80 < np.sum((rows == 4) & (columns == 4)) < 140  # half stay, and a ninth of the rest
