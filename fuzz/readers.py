"""What is fuzzed: for each reader, tiny valid files to begin with, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import seeds
from seeds import Seed


@dataclass(frozen=True)
class Reader:
    """Seeds, and a function that reads the damaged file; it may raise errors of the project only."""

    seeds: Callable[[], list[Seed]]
    read: Callable[[Path], None]


def read_picture(path: Path) -> None:
    from densedepth.io import read_image, read_photo

    photo = read_photo(path)
    assert photo.image.dtype == np.uint8
    assert photo.image.shape[2] == 3
    read_image(path, (8, 8))
    read_image(path.read_bytes())


def read_depth(path: Path) -> None:
    """The reader for all depth files, and the strict one of the package's own."""
    from densedepth.data.readers.depth_files import read_depth_values
    from densedepth.io import load_depth

    try:
        read_depth_values(path)
    finally:
        if path.suffix in (".png", ".npz", ".tiff"):
            load_depth(path)


def read_bundle(path: Path) -> None:
    from densedepth.runtime import Bundle

    device = "openvino" if path.suffix == ".xml" else "onnxruntime"
    Bundle(path, device=device, threads=1).infer(np.full((1, 32, 40, 3), 100, np.uint8))


def read_card_only(path: Path) -> None:
    from densedepth.runtime import read_card

    read_card(path)


def dataset_reader(
    name: str, root: Callable[[Path], Path], split: str = "train", **options: Any
) -> Callable[[Path], None]:
    """Opens the data set and reads its first frames, also at half the size."""

    def read(path: Path) -> None:
        from densedepth.data import open_dataset
        from densedepth.data.base import read_frame

        dataset = open_dataset(name, root(path), split, **options)
        for index in range(min(2, len(dataset))):
            frame = read_frame(dataset, index)
            assert frame.image.shape[:2] == frame.depth_m.shape == frame.valid.shape
            read_frame(dataset, index, (8, 8))

    return read


def read_csv(path: Path) -> None:
    """The csv files of three layouts, told by their names."""
    name = path.name
    if name == "manifest.csv":
        dataset_reader("folder", lambda path: path.parent, metres_per_unit=0.001)(path)
    elif name.endswith(".txt"):
        dataset_reader("nyu-sync", lambda path: path.parent)(path)
    else:
        dataset_reader("nyu", lambda path: path.parents[1])(path)


def read_h5(path: Path) -> None:
    if path.suffix == ".mat":
        dataset_reader("nyu-mat", lambda path: path)(path)
    elif path.name == "keras.h5":
        from densedepth.models import keras_import

        keras_import.import_keras(path)
    else:
        dataset_reader("unreal", lambda path: path, "test")(path)


def read_splits(path: Path) -> None:
    from densedepth.data.readers.nyu_official import read_splits

    read_splits(path, 4)


def read_video(path: Path) -> None:
    from densedepth.runtime.video.opening import open_video
    from densedepth.runtime.video.reading import VideoReader

    container = open_video(path)
    try:
        for _ in islice(VideoReader(container, str(path)), 20):
            pass
    finally:
        container.close()


def read_checkpoint(path: Path) -> None:
    from densedepth.models import load_checkpoint

    load_checkpoint(path.parent)


READERS: dict[str, Reader] = {
    "images": Reader(seeds.pictures, read_picture),
    "depth": Reader(seeds.depth_files, read_depth),
    "onnx": Reader(seeds.onnx_bundles, read_bundle),
    "card": Reader(seeds.cards, read_card_only),
    "openvino": Reader(seeds.openvino_bundles, read_bundle),
    "csv": Reader(seeds.tables, read_csv),
    "mat5": Reader(seeds.splits, read_splits),
    "h5": Reader(seeds.hdf5_files, read_h5),
    "npy": Reader(seeds.arrays, dataset_reader("nyu-npy", lambda path: path.parent, "test", mask_crop=True)),
    "zip": Reader(seeds.zips, dataset_reader("nyu", lambda path: path)),
    "tar": Reader(seeds.tars, dataset_reader("shards", lambda path: path.parent)),
    "kitti": Reader(seeds.kitti_frames, dataset_reader("kitti-object", lambda path: path.parents[2])),
    "video": Reader(seeds.videos, read_video),
    "checkpoint": Reader(seeds.checkpoints, read_checkpoint),
}
