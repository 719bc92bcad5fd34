"""Hugging Face data sets made on the spot: every form a depth column takes, saved, and read back without a network."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from densedepth.data import open_dataset
from densedepth.data.readers.hub import HubDataset
from densedepth.errors import DataError

datasets = pytest.importorskip("datasets")

HEIGHT, WIDTH, ROWS = 12, 16, 6
RNG = np.random.default_rng(0)
PHOTOS = [RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(ROWS)]
MILLIMETRES = [RNG.integers(500, 5000, (HEIGHT, WIDTH)).astype(np.uint16) for _ in range(ROWS)]
SCENES = list("aabbcc")
ARRAY = datasets.Array2D((HEIGHT, WIDTH), "float32")
LISTS = datasets.Sequence(datasets.Sequence(datasets.Value("float32")))


@pytest.fixture(autouse=True)
def quiet_and_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True, raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def table(depths: list[Any], feature: Any, image: str = "image", depth: str = "depth") -> Any:
    features = datasets.Features({image: datasets.Image(), depth: feature, "room": datasets.Value("string")})
    photos = [Image.fromarray(photo) for photo in PHOTOS]
    return datasets.Dataset.from_dict({image: photos, depth: depths, "room": SCENES}, features=features)


def saved(path: Path, *arguments: Any, **names: Any) -> Path:
    table(*arguments, **names).save_to_disk(str(path))
    return path


def pictures(dtype: type, factor: float = 1) -> list[Image.Image]:
    return [Image.fromarray((values * factor).astype(dtype)) for values in MILLIMETRES]


FORMS: dict[str, tuple[list[Any], Any, float | None]] = {
    "16-bit": (pictures(np.uint16), datasets.Image(), 0.001),
    "32-bit": (pictures(np.int32), datasets.Image(), 0.001),
    "float": (pictures(np.float32, 0.001), datasets.Image(), None),
    "float in mm": (pictures(np.float32), datasets.Image(), 0.001),
    "array": ([values.astype(np.float32) / 1000 for values in MILLIMETRES], ARRAY, None),
    "whole array": (MILLIMETRES, datasets.Array2D((HEIGHT, WIDTH), "uint16"), 0.001),
    "lists": ([(values / 1000).tolist() for values in MILLIMETRES], LISTS, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_depth_of_every_form(form: str, tmp_path: Path) -> None:
    depths, feature, scale = FORMS[form]
    root = saved(tmp_path / "set", depths, feature)
    read = open_dataset("hf", root, "train", metres_per_unit=scale, scene_column="room")
    assert len(read) == ROWS
    assert list(read.scenes) == SCENES
    for index in (4, 0):
        frame = read[index]
        np.testing.assert_array_equal(frame.image, PHOTOS[index])
        np.testing.assert_allclose(frame.depth_m, MILLIMETRES[index] / 1000, rtol=1e-6)
        assert (frame.scene, frame.key, frame.camera) == (SCENES[index], str(index), None)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read))[2].depth_m, read[2].depth_m)


@pytest.mark.parametrize(("image", "depth"), [("rgb", "depth_map"), ("pixel_values", "label"), ("Image", "Depth")])
def test_columns_are_told_by_name(image: str, depth: str, tmp_path: Path) -> None:
    root = saved(tmp_path / "set", *FORMS["float"][:2], image=image, depth=depth)
    read = HubDataset(root)
    assert (read.image_column, read.depth_column) == (image, depth)
    assert read[1].depth_m.shape == (HEIGHT, WIDTH)


def test_names_nobody_can_guess(tmp_path: Path) -> None:
    root = saved(tmp_path / "set", *FORMS["float"][:2], image="before", depth="after")
    with pytest.raises(
        DataError, match=r"no column is obviously the image; set image_column to one of: before \(Image"
    ):
        HubDataset(root)
    with pytest.raises(DataError, match="no column is obviously the depth; set depth_column"):
        HubDataset(root, image_column="before")
    with pytest.raises(DataError, match="there is no column 'later'"):
        HubDataset(root, image_column="before", depth_column="later")
    with pytest.raises(DataError, match="photo and depth are both 'before'"):
        HubDataset(root, image_column="before", depth_column="before")
    with pytest.raises(DataError, match="there is no column 'place'; set scene_column"):
        HubDataset(root, image_column="before", depth_column="after", scene_column="place")
    assert len(HubDataset(root, image_column="before", depth_column="after")) == ROWS


def test_without_scenes_each_frame_is_one(tmp_path: Path) -> None:
    assert len(set(HubDataset(saved(tmp_path / "set", *FORMS["float"][:2])).scenes)) == ROWS


def test_splits(tmp_path: Path) -> None:
    whole = table(*FORMS["float"][:2])
    parts = datasets.DatasetDict({"train": whole.select(range(4)), "test": whole.select(range(4, 6))})
    parts.save_to_disk(str(tmp_path / "set"))
    assert (len(HubDataset(tmp_path / "set")), len(HubDataset(tmp_path / "set", "test"))) == (4, 2)
    with pytest.raises(DataError, match="has no split 'validation'; it has: train, test"):
        HubDataset(tmp_path / "set", "validation")


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    whole = table(*FORMS["16-bit"][:2])
    whole.select(range(4)).to_parquet(str(folder / "train-00000-of-00001.parquet"))
    whole.select(range(4, 6)).to_parquet(str(folder / "test-00000-of-00001.parquet"))
    train, test = (HubDataset(folder, split, metres_per_unit=0.001) for split in ("train", "test"))
    assert (len(train), len(test)) == (4, 2)
    np.testing.assert_allclose(test[1].depth_m, MILLIMETRES[5] / 1000, rtol=1e-6)
    assert len(HubDataset(folder / "train-00000-of-00001.parquet", metres_per_unit=0.001)) == 4


def test_photos_as_jpeg_bytes_with_a_turn(tmp_path: Path) -> None:
    """The bytes go to our own reader: the EXIF turn counts."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(np.rot90(PHOTOS[0])).save(file, "JPEG", quality=95, exif=exif)
    features = datasets.Features({"image": datasets.Image(), "depth": ARRAY})
    rows = {"image": [{"bytes": file.getvalue(), "path": None}], "depth": [MILLIMETRES[0] / 1000]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    assert HubDataset(tmp_path / "set")[0].image.shape == (HEIGHT, WIDTH, 3)


def test_whole_numbers_need_a_unit(tmp_path: Path) -> None:
    root = saved(tmp_path / "set", *FORMS["16-bit"][:2])
    with pytest.raises(DataError, match=r"row 3, depth: whole numbers \(uint16\) of unknown unit; set metres_per_unit"):
        HubDataset(root)[3]
    with pytest.raises(DataError, match="metres_per_unit must be a positive number, got '0'"):
        HubDataset(root, metres_per_unit=0)
    with pytest.raises(DataError, match="invalid must be a number or nan, got 'none'"):
        HubDataset(root, invalid="none")  # type: ignore[arg-type]


def arrays_with(value: float) -> list[np.ndarray]:
    depths = [values.astype(np.float32) / 1000 for values in MILLIMETRES]
    depths[2][3, 4] = value
    return depths


@pytest.mark.parametrize(("value", "invalid"), [(np.nan, "nan"), (np.inf, "nan"), (-1.0, -1)])
def test_marks_for_no_depth(value: float, invalid: Any, tmp_path: Path) -> None:
    root = saved(tmp_path / "set", arrays_with(value), ARRAY)
    frame = HubDataset(root, invalid=invalid)[2]
    assert np.argwhere(~frame.valid).tolist() == [[3, 4]]
    with pytest.raises(DataError, match=r"row 2: 1 pixels (are NaN or infinite|have negative depth)") as caught:
        HubDataset(root)[2]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("depths", "feature", "problem"),
    [
        ([np.zeros((HEIGHT, WIDTH), np.float32)] * ROWS, ARRAY, "no pixel has a depth"),
        ([np.ones((9, 9), np.float32)] * ROWS, datasets.Array2D((9, 9), "float32"), "depth is 9x9, its photo 16x12"),
        ([Image.fromarray(photo) for photo in PHOTOS], datasets.Image(), "mode RGB"),
        ([None] * ROWS, datasets.Image(), "depth must be numbers|is empty"),
        ([1.5] * ROWS, datasets.Value("float32"), "depth must be numbers"),
    ],
    ids=["all zero", "other size", "a photo", "none", "a number"],
)
def test_rows_that_are_damaged(depths: list[Any], feature: Any, problem: str, tmp_path: Path) -> None:
    root = saved(tmp_path / "set", depths, feature)
    with pytest.raises(DataError, match=problem) as caught:
        HubDataset(root)[0]
    assert "row 0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_photos_as_floats_are_refused(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Array3D((HEIGHT, WIDTH, 3), "float32"), "depth": ARRAY})
    rows = {"image": [PHOTOS[0] / 255], "depth": [MILLIMETRES[0] / 1000]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(DataError, match="row 0, image: a photo has whole numbers from 0 to 255"):
        HubDataset(tmp_path / "set")[0]


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder, and no name on the hub"):
        HubDataset(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: cannot be loaded"):
        HubDataset(tmp_path / "empty")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"damaged\.parquet: cannot be loaded") as caught:
        HubDataset(tmp_path / "damaged.parquet")
    assert "\n" not in str(caught.value)


def test_a_name_that_the_hub_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", missing)
    with pytest.raises(DataError, match="someone/nothing: no such folder, and not to be had from the hub"):
        HubDataset("someone/nothing")
