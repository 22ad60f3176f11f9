"""Run files or modules, each with names of its own, and report how each ended: `alone.py REPORT TARGET ... [--OPTION]`.

One process imports Keras once for all of them. A file, `*.py`, runs in its folder; the options are for all of them.
"""

import contextlib
import json
import runpy
import sys
import traceback
from pathlib import Path

import keras
import matplotlib.pyplot as plt


def run(target):
    """The error of a file or module that runs as the main one, or None."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy("float32")
    plt.close("all")
    try:
        if target.endswith(".py"):
            with contextlib.chdir(Path(target).parent):
                runpy.run_path(target, run_name="__main__")
        else:
            runpy.run_module(target, run_name="__main__")
    except Exception:
        return traceback.format_exc()


if __name__ == "__main__":
    report, *arguments = sys.argv[1:]
    sys.argv[1:] = [argument for argument in arguments if argument.startswith("--")]
    ends = {argument: run(argument) for argument in arguments if not argument.startswith("--")}
    Path(report).write_text(json.dumps(ends), encoding="utf-8")
