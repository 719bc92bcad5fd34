"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a hidden name beside `path` to write to; on success it becomes `path`, on any failure it disappears.

    Missing parent folders are made. The hidden name keeps the suffix, because libraries choose formats by it. It is
    drawn anew each time: others, on other machines too, may write the same file, and the last to finish wins. Hence
    nobody can tell whether a hidden file is still in use, and what a killed process leaves stays there.

    Args:
        path: the file that is meant; one that exists is replaced.

    Returns:
        A context manager that gives the hidden name, of an empty file.

    Raises:
        OSError: the folder cannot be made or written to, or `path` is a folder itself.
    """
    if path.is_dir():  # before all the work, not after it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.absolute().with_name(f".densedepth-{secrets.token_hex(8)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_written(path: Path) -> bool:
    """Whether a file is there and not empty: a power cut may leave the name of a new file without its content."""
    return path.is_file() and path.stat().st_size > 0
