"""Make the notebooks open in Colab from your GitHub repository: `python scripts/stamp_colab.py OWNER/NAME`.

Puts a badge under each title and the repository into the install cell. Run it again to change the repository.
"""

import argparse
import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
BADGE = re.compile(r"<!-- colab-badge -->[^\n]*")


def stamp(path, repository, branch):
    """Write the badge and the install cell's repository into the notebook at `path`.

    Args:
        path: `pathlib.Path` of an `.ipynb` file.
        repository: "OWNER/NAME" on GitHub.
        branch: the branch that Colab opens.

    Raises:
        ValueError: if the notebook lacks the badge's place or the install cell.
    """
    notebook = nbformat.read(path, as_version=4)
    address = f"https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{path.name}"
    badge = (
        f"<!-- colab-badge -->[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"
    )
    title = notebook.cells[0]
    installs = [cell for cell in notebook.cells if "colab" in cell.metadata.get("tags", [])]
    if not BADGE.search(title.source) or len(installs) != 1:
        raise ValueError(f"{path} must have a colab-badge comment in its first cell and one cell tagged colab.")
    title.source = BADGE.sub(lambda _: badge, title.source)
    installs[0].source = re.sub(
        r'^REPOSITORY = "[^"]*"', f'REPOSITORY = "{repository}"', installs[0].source, flags=re.MULTILINE
    )
    nbformat.write(notebook, path)


def repository_name(text):
    """The argument, if it is of the form OWNER/NAME."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"expected OWNER/NAME, got {text!r}")
    return text


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", type=repository_name, help="OWNER/NAME on GitHub")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for path in sorted(options.notebooks.glob("*.ipynb")):
        stamp(path, options.repository, options.branch)


if __name__ == "__main__":
    main()
