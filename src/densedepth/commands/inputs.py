"""Which files a command line names: files, folders and globs, each file once and in a stable order."""

from __future__ import annotations

import glob
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path

from densedepth.commands.outputs import is_output_name
from densedepth.io import IMAGE_SUFFIXES


@dataclass
class Inputs:
    """What was found.

    Attributes:
        files: (file, its path relative to the output folder), in the order given; folders sorted.
        problems: one line for every input that names nothing, or folder that cannot be read.
        left_alone: number of files in folders that are no pictures, or depth pictures written by us.
    """

    files: list[tuple[Path, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_alone: int = 0


def find_inputs(words: list[str]) -> Inputs:
    """Expand the words of a command line.

    A file is always taken. A folder gives its pictures at any depth, hidden ones and our own results left
    out. A pattern, also with `**`, stands for the files it matches, or for the folders when it matches no
    file. What lies in subfolders of a folder, or below the fixed part of a pattern, keeps that place in the
    output.
    """
    found = Inputs()
    for word in words:
        path = Path(word)
        if path.is_dir():
            _add_folder(found, path, Path())
        elif path.exists() or not glob.has_magic(word):
            found.files.append((path, Path(path.name)))
        else:
            _add_matches(found, word)
    unique: dict[Path, tuple[Path, Path]] = {}
    for file, place in found.files:
        unique.setdefault(file.resolve(), (file, place))
    found.files = list(unique.values())
    return found


def _add_matches(found: Inputs, pattern: str) -> None:
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
    if not matches:
        found.problems.append(f"{pattern}: no file matches; check the pattern")
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    files = [match for match in matches if not match.is_dir()]
    found.files += [(file, file.relative_to(fixed)) for file in files]
    for folder in [] if files else matches:
        _add_folder(found, folder, folder.relative_to(fixed))


def _add_folder(found: Inputs, root: Path, place: Path) -> None:
    before = len(found.files) + len(found.problems)

    def unreadable(error: OSError) -> None:
        found.problems.append(f"{error.filename}: cannot be read ({error.strerror})")

    for folder, subfolders, names in os.walk(root, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            file = Path(folder, name)
            if file.suffix.lower() in IMAGE_SUFFIXES and not is_output_name(name):
                found.files.append((file, place / file.relative_to(root)))
            else:
                found.left_alone += 1
    if len(found.files) + len(found.problems) == before:
        found.problems.append(f"{root}: no pictures in this folder")
