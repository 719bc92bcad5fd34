"""Which layout a path is in: a table of signs, tried in order. What shows none of them is a plain folder."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from densedepth.data import DATASETS
from densedepth.data.readers.depth_files import picture_header
from densedepth.data.readers.folder_index import MANIFEST

FOLDER = "folder"
_USUAL_SPLITS = ("train", "val", "test")
#: Forms without parts, told by this folder right below the root: their reader gives everything under any name.
_WITHOUT_PARTS = {"kitti-object": "image_2", "kitti-depth": "rgb"}
_KITTI_WIDTH, _KITTI_HEIGHT = range(1200, 1260), range(340, 390)


def _has(*names: str) -> Callable[[Path], str]:
    """All of these (globs) exist in the folder."""
    return lambda path: ", ".join(names) if all(any(path.glob(name)) for name in names) else ""


def _ends(*suffixes: str) -> Callable[[Path], str]:
    """The path, or a file in the folder, has one of the suffixes."""

    def sign(path: Path) -> str:
        files = [path] if path.is_file() else sorted(path.glob("*"))
        return next((file.name for file in files if file.suffix.lower() in suffixes and file.is_file()), "")

    return sign


def _zip_of_nyu(path: Path) -> str:
    """A zip by itself is always taken for NYU's, the only one that is read zipped: its reader says what is wrong."""
    if path.is_file():
        return path.name if path.suffix.lower() == ".zip" else ""
    for each in sorted(path.glob("*.zip")):
        try:
            with zipfile.ZipFile(each) as archive:
                if any(name.endswith("nyu2_train.csv") for name in archive.namelist()):
                    return f"nyu2_train.csv inside {each.name}"
        except Exception:  # zipfile meets damaged directories with errors of any kind
            continue
    return ""


def _raw_days(path: Path) -> str:
    days = [each.name for each in path.glob("20*") if re.fullmatch(r"\d{4}_\d\d_\d\d", each.name)]
    return days[0] if days else ""


def _benchmark_pictures(path: Path) -> str:
    """rgb/ and depth/ are everybody's names; the size of the photos is KITTI's own."""
    photo = next(iter(sorted(path.glob("rgb/*.png"))), None)
    header = picture_header(photo) if photo is not None and (path / "depth").is_dir() else None
    if header is None or header[1][0] not in _KITTI_WIDTH or header[1][1] not in _KITTI_HEIGHT:
        return ""
    return f"rgb/ and depth/ with photos of {header[1][0]}x{header[1][1]}"


#: (data set, signs any of which is enough). A sign returns what it saw, or "".
SIGNS: list[tuple[str, tuple[Callable[[Path], str], ...]]] = [
    ("nyu", (_has("data/nyu2_*.csv"), _has("nyu2_*.csv"), _zip_of_nyu)),
    ("nyu-mat", (_ends(".mat"),)),
    ("nyu-npy", (_has("eigen_test_*.npy"),)),
    ("nyu-sync", (_has("sync_depth_*.png"), _has("*/sync_depth_*.png"), _has("*/*/sync_depth_*.png"))),
    ("unreal", (_ends(".h5", ".hdf5"),)),
    ("kitti-object", (_has("image_2", "velodyne", "calib"), _has("training/image_2", "training/velodyne"))),
    ("kitti-depth", (_has("*/*_sync/proj_depth"), _has("*val_selection_cropped"), _benchmark_pictures)),
    ("kitti", (_raw_days,)),
    (FOLDER, (_has(MANIFEST),)),
    ("shards", (_ends(".tar"),)),
    ("hf", (_has("dataset_info.json"), _has("dataset_dict.json"), _has("*.parquet"), _has("data/*.parquet"))),
]


def detect(path: Path) -> tuple[str, str]:
    """(name of the data set, why it is that one)."""
    for name, signs in SIGNS:
        if name in DATASETS:
            for sign in signs:
                seen = sign(path)
                if seen:
                    return name, f"it has {seen}" if path.is_dir() else f"it is a {path.suffix}"
    return FOLDER, "no sign of another layout"


def splits_of(name: str, path: Path) -> tuple[str, ...]:
    """Names of the splits to try on a data set."""
    whole = name in _WITHOUT_PARTS and (path / _WITHOUT_PARTS[name]).is_dir()
    whole |= name == "shards" and path.is_file()
    return ("train",) if whole else _USUAL_SPLITS
