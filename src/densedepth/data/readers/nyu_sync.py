"""NYU Depth v2 as folders of ``rgb_00045.jpg`` + ``sync_depth_00045.png`` (16-bit mm), one folder a scene.

So the toolbox's synchronised frames are handed around, with lists of pairs (``nyudepthv2_train_files_with_gt.txt``):
``/bathroom/rgb_00045.jpg /bathroom/sync_depth_00045.png 518.8579``, the last the focal length in pixels.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.archive import name_inside
from densedepth.data.readers.nyu import KINECT, inside_border, read_nyu_depth_m
from densedepth.errors import DataError
from densedepth.io import read_image
from densedepth.types import Camera

LIST_NAME = "nyudepthv2_{split}_files_with_gt.txt"
#: Below the root, where the frames of a part are usual, in the order in which they are looked for.
FOLDERS = {
    "train": ("train", "sync", "official_splits/train"),
    "test": ("test", "official_splits/test"),
}
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")


class NyuSync:
    """One part of the set as a :class:`~densedepth.data.base.DepthDataset`.

    What belongs to a part is told, in this order, by ``files``, by ``nyudepthv2_{split}_files_with_gt.txt`` in the
    root, or by a folder there: ``train``, ``sync`` or ``official_splits/train``; ``test`` or ``official_splits/test``.
    Where nothing speaks of parts, all frames are "train".

    Args:
        root: the folder of the frames; names in a list are relative to it, or to the part's folder in it.
        split: "train" or "test".
        files: the list of this part.
        mask_border: mark the pixels of the white border invalid (for training; evaluation has crops of its own).

    Raises:
        DataError: no such folder or part, no frames, a photo without depth or the reverse, or (with its line) a row
            of the list that is not a pair in the folder.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: Literal["train", "test"] = "train",
        *,
        files: str | os.PathLike[str] | None = None,
        mask_border: bool = False,
    ) -> None:
        root = Path(root)
        if split not in FOLDERS:
            raise DataError(f"{root}: there is no split '{split}', only train and test")
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; check --data.root / --root")
        list_path = Path(files) if files is not None else root / LIST_NAME.format(split=split)
        if files is not None or list_path.exists():
            self.pairs = _listed(list_path, root, split)
        else:
            self.pairs = _found(_folder(root, split))
        self.mask_border = mask_border
        self.scenes = [pair.scene for pair in self.pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Frame:
        pair = self.pairs[index]
        depth_m = read_nyu_depth_m(pair.depth, eight_bit=False)
        return checked_frame(
            read_image(pair.photo),
            depth_m,
            valid=inside_border(*depth_m.shape) if self.mask_border else None,
            camera=pair.camera,
            scene=pair.scene,
            key=f"{pair.scene}/{pair.photo.name}",
            source=str(pair.depth),
        )


class Pair(NamedTuple):
    """Where one frame lies."""

    photo: Path
    depth: Path
    scene: str
    camera: Camera


def _folder(root: Path, split: str) -> Path:
    for name in FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    speaking = [name for names in FOLDERS.values() for name in names if (root / name).is_dir()]
    lists = [LIST_NAME.format(split=part) for part in FOLDERS]
    speaking += [name for name in lists if (root / name).exists()]
    if split == "train" and not speaking:
        return root
    looked_for = ", ".join((LIST_NAME.format(split=split), *(f"{name}/" for name in FOLDERS[split])))
    found = f"it has only {', '.join(speaking)}" if speaking else "nothing there speaks of parts, so all is 'train'"
    raise DataError(f"{root}: has no part '{split}': {found}; looked for {looked_for}")


def _found(folder: Path) -> list[Pair]:
    """All pairs below ``folder``, recursively, in the order of their names."""
    pairs, lonely = [], []
    for where, below, names in os.walk(folder, followlinks=True):
        below.sort()
        here = Path(where)
        photos = _numbered(here, names, "rgb_", PHOTO_SUFFIXES)
        depths = _numbered(here, names, "sync_depth_", (".png",))
        lonely += [(photos | depths)[number] for number in sorted(photos.keys() ^ depths.keys())]
        scene = _scene(here, folder)
        pairs += [Pair(photos[n], depths[n], scene, KINECT) for n in sorted(photos.keys() & depths.keys())]
    if lonely:
        raise DataError(
            f"{lonely[0]}: its other half (rgb_* or sync_depth_*) is missing, as for {len(lonely)} files of "
            f"{len(pairs) * 2 + len(lonely)} in all; complete them or take them away"
        )
    if not pairs:
        raise DataError(f"{folder}: holds no rgb_*.jpg with sync_depth_*.png")
    return pairs


def _numbered(here: Path, names: list[str], prefix: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The files in ``here`` whose names are ``prefix``, a number and one of ``suffixes``, by number."""
    files: dict[str, Path] = {}
    for path in (here / name for name in names):
        if path.stem.startswith(prefix) and path.suffix.lower() in suffixes:
            other = files.setdefault(path.stem.removeprefix(prefix), path)
            if other != path:
                raise DataError(f"{path}: {other.name} is a second file of the same number; keep one of them")
    return files


def _listed(path: Path, root: Path, split: str) -> list[Pair]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    pairs: list[Pair] = []
    folder: Path | None = None
    for number, line in enumerate(lines, start=1):
        source, row = f"{path}, line {number}", line.split()
        if not row:
            continue
        if len(row) not in (2, 3):
            raise DataError(f"{source}: expected 'photo depth [focal length]', got {len(row)} fields")
        # Lists write names with a leading '/', and mean the folder.
        photo, depth = (name_inside(cell.lstrip("/"), source) for cell in row[:2])
        if folder is None:
            bases = [root, *(root / name for name in FOLDERS[split])]
            folder = next((base for base in bases if os.path.isfile(base / photo)), root)
        pair = Pair(folder / photo, folder / depth, _scene((folder / photo).parent, folder), _camera(row[2:], source))
        for file in (pair.photo, pair.depth):
            if not os.path.isfile(file):
                raise DataError(f"{source}: {file} is missing")
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path}: holds no rows")
    return pairs


def _scene(here: Path, folder: Path) -> str:
    return folder.name if here == folder else here.relative_to(folder).as_posix()


def _camera(cells: list[str], source: str) -> Camera:
    """The Kinect's, or one of the focal length that the row names, which the lists give for its width."""
    if not cells:
        return KINECT
    try:
        focal_px = float(cells[0])
        return replace(KINECT, fx=focal_px, fy=KINECT.fy * (focal_px / KINECT.fx))
    except ValueError:  # no number, or none that a camera can have
        raise DataError(f"{source}: the focal length must be a positive number of pixels, it is {cells[0]!r}") from None
