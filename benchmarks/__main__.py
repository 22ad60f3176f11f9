"""Lists the benchmarks, or runs some: `python -m benchmarks [NAME ... | all] [--quick]`.

Each runs in a process of its own, as `python -m benchmarks.NAME` does, with the options that follow the names.
"""

import ast
import itertools
import subprocess
import sys
from pathlib import Path


def benchmarks():
    """`{name: what it measures}`, read from the files: importing them would import Keras."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "tasks" for node in module.body):
            found[path.stem] = ast.get_docstring(module).splitlines()[0].split(": `")[0]
    return found


def main(arguments):
    """List, or run, and exit with an error if a name is unknown or a benchmark fails."""
    known = benchmarks()
    names = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    options = arguments[len(names) :]
    if names == ["all"]:
        names = list(known)
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(known)}, and all.")
    if not names:
        print(__doc__)
        for name, what in known.items():
            print(f"  {name:23} {what}")
    failed = []
    for name in names:
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        print(" ".join(["python", *command[1:]]), flush=True)
        if subprocess.run(command).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
