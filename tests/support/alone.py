"""Run files, each in a folder and names of its own, and say how each one ended: `alone.py REPORT FILE ...`.

One process imports Keras once for all of them.
"""

import contextlib
import json
import runpy
import sys
import traceback
from pathlib import Path

import keras
import matplotlib.pyplot as plt

if __name__ == "__main__":
    ends = {}
    for path in map(Path, sys.argv[2:]):
        ends[path.stem] = None
        keras.utils.clear_session()
        plt.close("all")
        with contextlib.chdir(path.parent):
            try:
                runpy.run_path(path.name, run_name="__main__")
            except Exception:
                ends[path.stem] = traceback.format_exc()
    Path(sys.argv[1]).write_text(json.dumps(ends))
