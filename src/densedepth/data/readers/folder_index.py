"""The frames of a plain folder, found without reading a pixel: pairs, scenes and splits."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from densedepth.data.readers.manifest import read_manifest
from densedepth.data.readers.pairing import find_pairs, key_of, sort_files, text_lines
from densedepth.errors import DataError
from densedepth.io.opening import one_line

MANIFEST = "manifest.csv"
SPLIT_NAMES = ("train", "val", "test")
_SPELLINGS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
#: Photos that are only numbered are cut into so many runs of neighbours.
RUNS = 10


@dataclass(frozen=True)
class Entry:
    """One frame.

    Attributes:
        photo: file.
        depth: file.
        key: the photo's path below the folder.
        scene: frames of one scene stay on one side of a split.
        split: "train", "test", ..., or None where the folder does not say.
        intrinsics: fx and perhaps fy, cx, cy in pixels, from the manifest.
        source: what messages name.
    """

    photo: Path
    depth: Path
    key: str
    scene: str
    split: str | None
    intrinsics: dict[str, float]
    source: str


@dataclass(frozen=True)
class FolderIndex:
    """All frames of a folder, and what has no partner.

    Attributes:
        entries: the frames.
        lone_photos: photos without depth, relative to the folder.
        lone_depths: depth files without a photo.
        missing: (source, file) of files that a manifest names and that are not there.
        pairs_from: how the pairs were found, for people.
        scenes_from: how the scenes were found, for people.
    """

    entries: list[Entry]
    lone_photos: list[str]
    lone_depths: list[str]
    missing: list[tuple[str, Path]]
    pairs_from: str
    scenes_from: str

    @property
    def splits(self) -> list[str]:
        """Names of the splits that the folder knows, usual ones first."""
        names = {entry.split for entry in self.entries if entry.split}
        return sorted(names, key=lambda name: (SPLIT_NAMES.index(name) if name in SPLIT_NAMES else 9, name))


def index_folder(
    root: Path, images: str | None = None, depths: str | None = None, manifest: str | None = None
) -> FolderIndex:
    """Find the frames.

    Args:
        root: the folder.
        images: subfolder or glob of the photos; None tells them by their names.
        depths: the same for the depth files.
        manifest: csv to use instead of names; None takes ``manifest.csv`` where it exists.

    Raises:
        DataError: no such folder, no photos or no depth files, or a manifest that cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}")
    if manifest is not None or (images is None and depths is None and (root / MANIFEST).is_file()):
        return _from_manifest(root, root / (manifest or MANIFEST))
    if images is None and depths is None:
        photo_files, depth_files = sort_files(root, _files(root))
    elif images is None or depths is None:
        raise DataError(f"{root}: give both images and depths, or neither")
    else:
        photo_files, depth_files = _chosen(root, images), _chosen(root, depths)
    for what, names in (("photos", photo_files), ("depth files", depth_files)):
        if not names:
            raise DataError(f"{root}: no {what} found; name them with the options images and depths, or in {MANIFEST}")
    pairing = find_pairs(root, photo_files, depth_files)
    splits = _splits(root, [photo for photo, _ in pairing.pairs])
    entries = [
        Entry(root / photo, root / depth, photo, "", split, {}, str(root / depth))
        for (photo, depth), split in zip(pairing.pairs, splits, strict=True)
    ]
    entries, scenes_from = _with_scenes(entries)
    return FolderIndex(entries, pairing.lone_photos, pairing.lone_depths, [], pairing.rule, scenes_from)


def _files(root: Path) -> list[str]:
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name).relative_to(root).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)


def _chosen(root: Path, pattern: str) -> list[str]:
    """Files of a subfolder at any depth, or those that a glob matches."""
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
        raise DataError(f"{root}: '{pattern}' must be a subfolder or a glob below this folder")
    try:
        paths = list((root / pattern).rglob("*") if (root / pattern).is_dir() else root.glob(pattern))
    except ValueError as error:
        raise DataError(f"{root}: '{pattern}' is no glob ({one_line(error)})") from None
    return sorted(
        path.relative_to(root).as_posix() for path in paths if path.is_file() and not path.name.startswith(".")
    )


def _from_manifest(root: Path, path: Path) -> FolderIndex:
    rows = read_manifest(path)
    missing = [(row.source, file) for row in rows for file in (row.image, row.depth) if not os.path.isfile(file)]
    entries = []
    for row in rows:
        key = os.path.relpath(row.image, root).replace(os.sep, "/")
        split = _SPELLINGS.get(row.split.lower(), row.split.lower()) if row.split else None
        entries.append(Entry(row.image, row.depth, key, row.scene or "", split, row.intrinsics, row.source))
    if all(entry.scene for entry in entries):
        scenes_from = "the column scene"
    elif any(entry.scene for entry in entries):
        without = next(entry for entry in entries if not entry.scene)
        raise DataError(f"{without.source}: no scene, but other lines have one")
    else:
        entries, scenes_from = _with_scenes(entries)
    if any(entry.split for entry in entries) and not all(entry.split for entry in entries):
        without = next(entry for entry in entries if not entry.split)
        raise DataError(f"{without.source}: no split, but other lines have one")
    gone = {file for _, file in missing}
    entries = [entry for entry in entries if entry.photo not in gone and entry.depth not in gone]
    return FolderIndex(entries, [], [], missing, path.name, scenes_from)


def _splits(root: Path, photos: Sequence[str]) -> list[str | None]:
    """From a folder called train or test on the way to the photo, or from train.txt and test.txt."""
    named = [
        next((split for part in PurePosixPath(name).parts[:-1] if (split := _split(part))), None) for name in photos
    ]
    if any(named):
        return named
    of: dict[str, str] = {}
    for split in SPLIT_NAMES:
        path = root / f"{split}.txt"
        if path.is_file():
            of.update((word, split) for line in text_lines(path) for word in line.split())
    # A line may name the photo by its path, its file name or its stem.
    spellings = [(name, PurePosixPath(name).name, PurePosixPath(name).stem) for name in photos]
    return [next((of[word] for word in words if word in of), None) for words in spellings]


def _split(part: str) -> str | None:
    name = _SPELLINGS.get(part.lower(), part.lower())
    return name if name in SPLIT_NAMES else None


def _with_scenes(entries: list[Entry]) -> tuple[list[Entry], str]:
    """Scenes from the first folder level under the photos, else from the stems without their numbers.

    Where neither tells frames apart, they may be one video: each split is cut into runs of neighbouring frames, so
    that a validation part drawn by scene shares at most the ends of its runs with the rest.
    """
    folders = [next((p for p in key_of(e.key)[:-1] if _split(p) is None and p != "data"), "") for e in entries]
    if len(set(folders)) > 1:
        return _scened(entries, folders), "the first folder level"
    stems = [re.sub(r"[\d_]+$", "", key_of(entry.key)[-1]) for entry in entries]
    if 1 < len(set(stems)) <= len(entries) / 2:
        return _scened(entries, stems), "file names without their numbers"
    scenes = [""] * len(entries)
    for split in {entry.split for entry in entries}:
        places = [place for place, entry in enumerate(entries) if entry.split == split]
        runs = min(RUNS, len(places))
        for number, place in enumerate(places):
            scenes[place] = f"{split or 'run'} {number * runs // len(places) + 1} of {runs}"
    return _scened(entries, scenes), "runs of neighbouring frames, because neither folders nor names tell scenes apart"


def _scened(entries: list[Entry], scenes: Sequence[str]) -> list[Entry]:
    return [replace(entry, scene=scene) for entry, scene in zip(entries, scenes, strict=True)]
