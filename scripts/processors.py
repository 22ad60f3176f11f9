"""Which cells come out otherwise on another processor: `python -m scripts.processors [notebooks ...] [--settings ...]`.

Training rounds differently with other instructions, another library of convolutions or another number of threads. Runs
each notebook as `pytest --nbval` does, once a setting, and lists the cells whose compared output differs or which fail,
the files that it leaves beside it, and the seconds of processor time.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDE = [name for name in np.show_config(mode="dicts")["SIMD Extensions"]["found"] if re.search("512|V4", name)]
AVX2, WITHOUT_ONEDNN = {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}
HASWELL = {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": " ".join(WIDE)}
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")
ONE_THREAD, ALL_THREADS = dict.fromkeys(THREADS, "1"), dict.fromkeys(THREADS, str(os.cpu_count()))
SETTINGS = {
    "as it is": {},
    "AVX2": AVX2,
    "AVX-512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "without oneDNN": WITHOUT_ONEDNN,
    "Haswell": HASWELL,
    "one thread": ONE_THREAD,
    "all threads": ALL_THREADS,
    "old laptop": AVX2 | WITHOUT_ONEDNN | HASWELL | ONE_THREAD,
}


def failures(report):
    """The cells that fail in a report of JUnit's form: {"Cell 3": "what differs, in a line"}."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        for failure in [*case.iter("failure"), *case.iter("error")]:
            text = re.sub(r"(\x1b|#x1B)\[[\d;]*m", "", failure.text)
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            # The line of the traceback that fails, or what is new in the output.
            told = [line for line in lines if re.match(r"-+> ?\d+|[+-](?![+-])|<<<|disagree", line)]
            found[case.get("name").rpartition("::")[2]] = " ".join((told or lines[-1:])[:2])[:160]
    return found


def run(notebook, setting):
    """The cells of a notebook that fail under a setting, and the seconds of processor time."""
    before, files = resource.getrusage(resource.RUSAGE_CHILDREN), set(notebook.parent.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "--nbval", "-n", "0", "-q", "-p", "no:cacheprovider"]
        command += [f"--junitxml={report}", str(notebook)]
        finished = subprocess.run(command, cwd=ROOT, env=os.environ | SETTINGS[setting], capture_output=True, text=True)
        if finished.returncode > 1:  # neither all cells pass nor some fail
            raise RuntimeError(finished.stdout + finished.stderr)
        failed = failures(report)
    if left := sorted(path.name for path in set(notebook.parent.iterdir()) - files):
        failed["files"] = ", ".join(left)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return failed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    options = parser.parse_args(arguments)
    rows = {}
    for notebook in options.notebooks:
        for setting in options.settings:
            failed, seconds = run(notebook.resolve(), setting)
            rows.setdefault(notebook.stem, {})[setting] = f"{', '.join(failed) or 'green'} ({seconds:.0f} s)"
            print(f"{notebook.stem}, {setting}: {seconds:.0f} s of processor time", flush=True)
            for cell, line in failed.items():
                print(f"    {cell}: {line}", flush=True)
    print(pd.DataFrame(rows).T.to_string())
    return any("green" not in cell for row in rows.values() for cell in row.values())


if __name__ == "__main__":
    sys.exit(main())
