"""Where the furniture comes from: a folder of `.sh3f` files, or Debian's package, unpacked without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from densedepth.errors import DataError

PACKAGE = "sweethome3d-furniture"
INSTALLED = Path("/usr/share/sweethome3d/furniture")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/densedepth/rooms`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "densedepth" / "rooms"


def find_assets(assets: str | None) -> Path:
    """The folder with the furniture files.

    Args:
        assets: a folder; "apt" downloads Debian's package into the cache folder and needs no root; None takes the
            installed package, or what "apt" has downloaded before.

    Raises:
        DataError: none there, with the command that gets it.
    """
    if assets == "apt":
        return _fetch()
    if assets is not None:
        return Path(assets)
    for folder in (INSTALLED, _fetched()):
        if any(folder.glob("*.sh3f")):
            return folder
    raise DataError(
        f"no furniture in {INSTALLED}: apt install {PACKAGE}, or let --assets apt fetch it without root "
        "(120 MB, CC BY and CC0)"
    )


def _fetched() -> Path:
    return cache_folder() / PACKAGE / INSTALLED.relative_to("/")


def _fetch() -> Path:
    if any(_fetched().glob("*.sh3f")):
        return _fetched()
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise DataError(f"--assets apt needs {program}; elsewhere unpack the Debian package {PACKAGE} by hand")
    target = cache_folder() / PACKAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        _run(["apt-get", "download", PACKAGE], folder)
        package = next(folder.glob("*.deb"), None)
        if package is None:
            raise DataError(f"apt-get download {PACKAGE} left no package; try it by hand")
        _run(["dpkg-deb", "-x", package.name, "unpacked"], folder)
        shutil.rmtree(target, ignore_errors=True)
        (folder / "unpacked").rename(target)
    return _fetched()


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{' '.join(command)} failed: {last}; run apt-get update first, or give --assets FOLDER")
