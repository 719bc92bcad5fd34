"""`densedepth data inspect` on deliberately broken data sets: exactly the right finding each, none on a clean one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densedepth.data.inspection import CODES, Finding, Inspection, inspect_dataset
from densedepth.types import DepthMap
from rooms import millimetres, room, save, write_rooms

Pairs = list[tuple[Path, Path]]


def look(root: Path) -> Inspection:
    return inspect_dataset(root)


def codes(result: Inspection) -> dict[str, int]:
    return dict(Counter(finding.code for finding in result.findings))


def only(result: Inspection) -> Finding:
    assert len(result.findings) == 1, [str(finding) for finding in result.findings]
    return result.findings[0]


def depth_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def change(path: Path, how: Callable[[np.ndarray], np.ndarray]) -> Path:
    return save(np.ascontiguousarray(how(depth_of(path))), path)


def change_all(pairs: Pairs, how: Callable[[np.ndarray], np.ndarray], suffix: str = ".png") -> list[Path]:
    """Rewrite all depth files, from millimetres."""
    files = []
    for _, depth in pairs:
        values = how(depth_of(depth))
        depth.unlink()
        files.append(save(values, depth.with_suffix(suffix)))
    return files


@pytest.fixture(scope="session")
def clean_rooms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pairs]:
    root = tmp_path_factory.mktemp("clean")
    return root, write_rooms(root)


@pytest.fixture
def rooms(clean_rooms: tuple[Path, Pairs], tmp_path: Path) -> tuple[Path, Pairs]:
    """A copy of the clean folder to break."""
    clean, pairs = clean_rooms
    root = tmp_path / "frames"
    shutil.copytree(clean, root)
    return root, [(root / photo.relative_to(clean), root / depth.relative_to(clean)) for photo, depth in pairs]


def test_clean(rooms: tuple[Path, Pairs]) -> None:
    root, _ = rooms
    result = look(root)
    assert not result.findings, [str(finding) for finding in result.findings]
    assert (result.dataset, len(result.items), result.looked) == ("folder", 12, 12)
    assert {item.scene for item in result.items} == {"room_a", "room_b", "room_c"}
    assert result.conventions is not None
    assert result.conventions.metres_per_unit == 0.001


@pytest.mark.parametrize(
    ("metres_per_unit", "suffix", "dtype"),
    [
        (1 / 5000, ".png", np.uint16),
        (0.01, ".png", np.uint16),
        (1.0, ".npy", np.float32),
    ],
)
def test_units_that_are_told(rooms: tuple[Path, Pairs], metres_per_unit: float, suffix: str, dtype: type) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: (mm / 1000 / metres_per_unit).astype(dtype), suffix)
    result = look(root)
    assert result.conventions is not None
    assert result.conventions.metres_per_unit == metres_per_unit
    assert codes(result).keys() <= {"unit-ambiguous"}


def test_streets_are_told_from_rooms(tmp_path: Path) -> None:
    """Wide photos with sparse depth: 256 units a metre, although millimetres would make a room."""
    rng = np.random.default_rng(0)
    for number in range(6):
        photo, depth_m = room(number)
        street_m = depth_m[20:80] ** 2 * 1.2
        seen = rng.random(street_m.shape) < 0.3
        save(photo[20:80], tmp_path / "rgb" / f"{number}.png")
        save(np.where(seen, street_m * 256, 0).astype(np.uint16), tmp_path / "depth" / f"{number}.png")
    result = look(tmp_path)
    assert result.conventions is not None
    assert result.conventions.metres_per_unit == 1 / 256
    assert "sparse" in codes(result)


def test_unit_wrong(rooms: tuple[Path, Pairs]) -> None:
    """Files of this package say that they hold millimetres; here all depth is a hundredth of the truth."""
    root, pairs = rooms
    for _, depth in pairs:
        DepthMap((depth_of(depth) / 100 / 1000).astype(np.float32)).save(depth)
    result = look(root)
    assert "unit-implausible" in codes(result)
    assert codes(result).keys() <= {"unit-implausible", "coarse-steps"}


def test_floats_that_are_no_metres(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: mm.astype(np.float32), ".npy")
    result = look(root)
    assert only(result).code == "unit-implausible"
    assert result.conventions is not None
    assert result.conventions.metres_per_unit == 0.001


def test_unit_unknown(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: mm.astype(np.float32) / 60000, ".npy")
    assert codes(look(root)).keys() <= {"unit-implausible", "unit-unknown"} != set()


def test_eight_bit(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: np.rint(mm / 1000 * 25.5).astype(np.uint8))
    result = look(root)
    assert only(result).code == "eight-bit"
    assert result.conventions is not None
    assert result.conventions.metres_per_unit == pytest.approx(10 / 255)


@pytest.mark.parametrize("name", ["depth", "disparity"])
def test_disparity(rooms: tuple[Path, Pairs], name: str) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: np.rint(20000 * 1000 / mm).astype(np.uint16))
    (root / "depth").rename(root / name)
    finding = only(look(root))
    assert finding.code == "disparity"
    assert "lower half" in finding.what


def test_shifted_pair(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change(pairs[5][1], lambda mm: np.roll(mm, (-5, 12), (0, 1)))
    finding = only(look(root))
    assert (finding.code, finding.where) == ("shifted", str(pairs[5][1]))
    assert "12 px left and 5 px down" in finding.what, "where the depth has to go"


def test_shifted_set(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: np.roll(mm, 4, 1))
    finding = only(look(root))
    assert finding.code == "shifted-set"
    assert "moved 4 px left" in finding.what


def test_mirrored_pair(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change(pairs[3][1], lambda mm: mm[:, ::-1])
    finding = only(look(root))
    assert (finding.code, finding.where) == ("mirrored", str(pairs[3][1]))


def test_upside_down_pair(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change(pairs[3][1], lambda mm: mm[::-1])
    finding = only(look(root))
    assert (finding.code, finding.where) == ("upside-down", str(pairs[3][1]))


def test_swapped_pairs(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    one, two = pairs[1][1], pairs[9][1]
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    result = look(root)
    assert codes(result) == {"swapped": 2}
    assert [finding.where for finding in result.findings] == [str(one), str(two)]
    assert str(pairs[9][0]) in result.findings[0].what


def test_unrelated(tmp_path: Path) -> None:
    """Photos and depth of different rooms throughout."""
    for number in range(10):
        save(room(number)[0], tmp_path / "rgb" / f"{number}.png")
        save(millimetres(room(number + 100)[1]), tmp_path / "depth" / f"{number}.png")
    assert "unrelated" in codes(look(tmp_path))


def test_duplicate_photo(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    for side in (0, 1):
        shutil.copy(pairs[0][side], pairs[0][side].with_name("0100.png"))
    finding = only(look(root))
    assert (finding.code, finding.where) == ("duplicate", str(root / "rgb/room_a/0100.png"))


def test_near_duplicate_in_another_scene(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    photo, depth = pairs[0]
    save((np.asarray(Image.open(photo)) * 0.99).astype(np.uint8), root / "rgb/room_c/0100.png")
    shutil.copy(depth, root / "depth/room_c/0100.png")
    finding = only(look(root))
    assert (finding.code, finding.where) == ("near-duplicate", str(root / "rgb/room_c/0100.png"))


def by_split(root: Path, pairs: Pairs, test_scenes: set[str]) -> None:
    for photo, depth in pairs:
        split = "test" if photo.parent.name in test_scenes else "train"
        for file, kind in ((photo, "rgb"), (depth, "depth")):
            target = root / split / kind / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    for kind in ("rgb", "depth"):
        shutil.rmtree(root / kind)


def test_clean_splits(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    by_split(root, pairs, {"room_c"})
    result = look(root)
    assert not result.findings
    assert result.splits == {"train": 8, "test": 4}


def test_scene_in_both_splits(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    by_split(root, pairs, {"room_c"})
    for kind in ("rgb", "depth"):
        (root / "train" / kind / "room_c").mkdir()
        (root / "test" / kind / "room_c/0011.png").rename(root / "train" / kind / "room_c/0011.png")
    finding = only(look(root))
    assert (finding.code, finding.where) == ("split-scene", "scene room_c")


@pytest.mark.parametrize("exact", [True, False])
def test_photo_in_both_splits(rooms: tuple[Path, Pairs], exact: bool) -> None:
    root, pairs = rooms
    by_split(root, pairs, {"room_c"})
    copy = root / "test/rgb/room_c/0500.png"
    shutil.copy(root / "train/rgb/room_a/0001.png", copy)
    if not exact:
        change(copy, lambda rgb: (rgb * 0.99).astype(np.uint8))
    shutil.copy(root / "train/depth/room_a/0001.png", root / "test/depth/room_c/0500.png")
    finding = only(look(root))
    assert finding.code == "split-duplicate"
    assert {"train", "test"} <= set(finding.what.replace(",", "").split())


def test_holes(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    rng = np.random.default_rng(0)
    change_all(pairs, lambda mm: np.where(rng.random(mm.shape) < 0.35, 0, mm).astype(np.uint16))
    finding = only(look(root))
    assert finding.code == "holes"
    assert "35 %" in finding.what


def test_saturation(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs, lambda mm: np.minimum(mm, 3500).astype(np.uint16))
    result = look(root)
    finding = only(result)
    assert finding.code == "saturated"
    assert "3500 (3.5 m)" in finding.what


def test_one_number_above_all_means_no_depth(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    rng = np.random.default_rng(0)
    change_all(pairs, lambda mm: np.where(rng.random(mm.shape) < 0.05, 65535, mm).astype(np.uint16))
    result = look(root)
    assert not result.findings, [str(finding) for finding in result.findings]
    assert result.conventions is not None
    assert result.conventions.invalid == 65535


def test_nan_that_means_no_depth(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    rng = np.random.default_rng(0)
    change_all(pairs, lambda mm: np.where(rng.random(mm.shape) < 0.05, np.nan, mm / 1000).astype(np.float32), ".npy")
    result = look(root)
    assert not result.findings, [str(finding) for finding in result.findings]
    assert result.conventions is not None
    assert np.isnan(result.conventions.invalid)


def test_nan_and_negative_numbers_by_accident(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    files = change_all(pairs, lambda mm: (mm / 1000).astype(np.float32), ".npy")
    for file, bad in ((files[2], np.nan), (files[4], -0.5)):
        values = np.load(file)
        values[10, 20] = bad
        np.save(file, values)
    result = look(root)
    assert [(f.code, f.where) for f in result.findings] == [("nan", str(files[2])), ("negative", str(files[4]))]


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("no-depth", lambda mm: np.zeros_like(mm)),
        ("constant", lambda mm: np.full_like(mm, 2000)),
        ("size-mismatch", lambda mm: mm[:-2]),
        ("few-pixels", lambda mm: np.where(np.arange(mm.size).reshape(mm.shape) % 97, 0, mm)),
    ],
)
def test_one_bad_depth_file(rooms: tuple[Path, Pairs], code: str, how: Callable[[np.ndarray], np.ndarray]) -> None:
    root, pairs = rooms
    change(pairs[7][1], how)
    finding = only(look(root))
    assert (finding.code, finding.where) == (code, str(pairs[7][1]))


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("part", [0, 0.02, 0.7])
def test_unreadable_file(rooms: tuple[Path, Pairs], side: int, part: float) -> None:
    root, pairs = rooms
    file = pairs[7][side]
    data = file.read_bytes()
    file.write_bytes(data[: int(part * len(data))])
    finding = only(look(root))
    assert (finding.code, finding.where) == ("unreadable", str(file))


def test_coloured_depth(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    shutil.copy(pairs[2][0], pairs[7][1])
    finding = only(look(root))
    assert (finding.code, finding.where) == ("wrong-type", str(pairs[7][1]))


def test_mixed_types(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    change_all(pairs[:4], lambda mm: np.rint(mm / 1000 * 25.5).astype(np.uint8))
    finding = only(look(root))
    assert finding.code == "mixed-types"
    assert "8 uint16, 4 uint8" in finding.what


def test_missing_partners(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    pairs[2][0].unlink()
    pairs[5][1].unlink()
    result = look(root)
    assert [(f.code, f.where) for f in result.findings] == [
        ("missing-depth", str(pairs[5][0])),
        ("missing-photo", str(pairs[2][1])),
    ]


def test_manifest_with_all_that_csv_can_do(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    lines = ['"image","depth","scene"']
    for photo, depth in pairs:
        lines.append(f'"{photo.relative_to(root)}",{depth.relative_to(root)},"{photo.parent.name}, upstairs"')
    (root / "manifest.csv").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode() + b"\r\n")
    result = look(root)
    assert not result.findings
    assert {item.scene for item in result.items} == {f"room_{letter}, upstairs" for letter in "abc"}


def test_manifest_that_names_a_missing_file(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    rows = [f"{photo.relative_to(root)},{depth.relative_to(root)}" for photo, depth in pairs]
    (root / "manifest.csv").write_text("\n".join(["image,depth", *rows]))
    pairs[3][1].unlink()
    finding = only(look(root))
    assert (finding.code, finding.where) == ("missing-file", str(pairs[3][1]))
    assert "manifest.csv, line 5" in finding.what


def test_broken_manifest_is_a_finding(rooms: tuple[Path, Pairs]) -> None:
    root, _ = rooms
    (root / "manifest.csv").write_text("image,depth\nonly one field\n")
    finding = only(look(root))
    assert finding.code == "layout"
    assert "line 2" in finding.what


def test_an_empty_folder_is_a_finding(tmp_path: Path) -> None:
    assert only(look(tmp_path)).code == "layout"


def test_all_files_broken(rooms: tuple[Path, Pairs]) -> None:
    root, pairs = rooms
    for _, depth in pairs:
        depth.write_bytes(b"no picture")
    assert codes(look(root)) == {"unreadable": 12}


def test_published_layout_through_its_reader(tmp_path: Path) -> None:
    """The csv layout of NYU knows its unit; a depth file in centimetres stands out."""
    rows = []
    for number in range(8):
        photo, depth_m = room(number)
        name = f"data/nyu2_train/kitchen_000{number // 4}_out/{number}"
        Image.fromarray(photo).save(save(photo, tmp_path / f"{name}.jpg"), quality=95)
        save((depth_m * 1000).astype(np.uint16), tmp_path / f"{name}.png")
        rows.append(f"{name}.jpg,{name}.png")
    (tmp_path / "data/nyu2_train.csv").write_text("\n".join(rows))
    result = look(tmp_path)
    assert (result.dataset, result.findings) == ("nyu", [])
    change(tmp_path / "data/nyu2_train/kitchen_0001_out/6.png", lambda mm: np.zeros_like(mm))
    finding = only(look(tmp_path))
    assert finding.code == "refused"
    assert "6.png" in finding.what


def test_every_finding_has_a_line_of_its_own() -> None:
    assert all(severity in ("error", "warning", "note") and advice for severity, advice in CODES.values())
    assert "\n" not in str(Finding("nan", "a.png", "3 of 9 pixels are NaN"))
