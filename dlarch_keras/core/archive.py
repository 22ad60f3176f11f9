"""Files that come into being whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A path to write to; what is there takes the place of `path` when the block has ended without an error.

    Until then, and whatever happens (a full disk, a kill), a file that was at `path` stays as it was. A process that
    is killed while it writes leaves a folder `.saving-...` beside it.

    Args:
        path: of a local file, in a folder that exists.
    """
    path = Path(path).resolve()  # a link is followed, not replaced
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=path.parent) as folder:  # one rename away, on the same disk
        part = Path(folder, path.name)
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())  # or a crash of the machine could leave an empty file under the old name
        os.replace(part, path)
