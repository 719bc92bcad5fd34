"""What makes the loader fast changes nothing of what it gives: reduced reading, kept frames, worker processes."""

from __future__ import annotations

import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from conftest import write_nyu_layout
from densedepth.data import AugmentConfig, Frame, InMemory, NyuCsv, Subset, whole
from densedepth.data.augment import draw_view, generator
from densedepth.data.base import read_frame
from densedepth.errors import DataError
from densedepth.training.config import DataConfig
from densedepth.training.loader import DepthData
from densedepth.training.pairs import TrainingPairs, ValidationPairs
from densedepth.types import Camera

STRONG = AugmentConfig(0.5, 0.5, 0.5, 1.6, 5.0, colour=0.3, blur_noise=0.5, cut_depth=0.5)


def photo_of(rng: np.random.Generator, height: int = 480, width: int = 640) -> np.ndarray:
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of 640x480 whose photos are real JPEG files; depth 16 bit, a tenth of it holes."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(6):
        depth = rng.integers(500, 9000, (48, 64)).astype(np.uint16).repeat(10, axis=0).repeat(10, axis=1)
        depth[rng.random((480, 640)) < 0.1] = 0
        frames.append((f"scene_{number // 2}", photo_of(rng), depth))
    root = write_nyu_layout(tmp_path_factory.mktemp("nyu"), frames)
    for path in root.rglob("*.jpg"):
        Image.open(path).save(path, "JPEG", quality=95)
    return root


class Keys:
    """Two epochs, backwards."""

    def __init__(self, frames: int) -> None:
        self.keys = [(epoch, index) for epoch in (0, 7) for index in reversed(range(frames))]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.keys)


def config(height: int = 96, width: int = 128, augment: AugmentConfig = STRONG) -> DataConfig:
    return DataConfig("", height=height, width=width, augment=augment)


def batches(root: Path, workers: int, *, in_memory: bool = False) -> list[dict[str, Tensor]]:
    frames = NyuCsv(root)
    pairs = TrainingPairs(InMemory(frames) if in_memory else frames, config(), seed=3, focal_px=300.0)
    loader = DataLoader(pairs, batch_size=4, sampler=Keys(len(frames)), num_workers=workers)
    return list(loader)


def test_any_number_of_workers_gives_the_same_bytes(root: Path) -> None:
    expected = batches(root, 0)
    assert expected[0]["epoch"].tolist() == [0, 0, 0, 0]
    assert torch.cat([batch["index"] for batch in expected]).tolist() == [5, 4, 3, 2, 1, 0] * 2
    for workers in (1, 2):
        for one, other in zip(batches(root, workers), expected, strict=True):
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(expected[0]["image"], batches(root, 0)[1]["image"])


def test_a_batch_is_what_the_engine_expects(root: Path) -> None:
    frames = NyuCsv(root)
    training = next(iter(DataLoader(TrainingPairs(frames, config(), 0, None), 3, sampler=Keys(6))))
    validation = next(iter(DataLoader(ValidationPairs(frames, config(), None), 3)))
    for batch in (training, validation):
        assert {name: (value.dtype, tuple(value.shape)) for name, value in batch.items()} == {
            "image": (torch.uint8, (3, 3, 96, 128)),
            "depth_m": (torch.float32, (3, 1, 48, 64)),
            "valid": (torch.bool, (3, 1, 48, 64)),
            "epoch": (torch.int64, (3,)),
            "index": (torch.int64, (3,)),
        }
    assert validation["index"].tolist() == [0, 1, 2]
    assert validation["epoch"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_lies_in_one_piece_and_is_what_torch_makes_of_its_frames(root: Path, workers: int) -> None:
    settings = DataConfig(str(root), height=96, width=128, validation_fraction=0, augment=STRONG, workers=workers)
    batches = DepthData(settings, batch_size=3, seed=0).train_batches(epoch=2)
    assert isinstance(batches, DataLoader)
    for batch in batches:
        assert len({value.untyped_storage().data_ptr() for value in batch.values()}) == 1
        keys = zip(batch["epoch"].tolist(), batch["index"].tolist(), strict=True)
        expected = default_collate([batches.dataset[key] for key in keys])
        assert batch.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(batch[name], value)
            assert batch[name].stride() == value.stride()


def test_a_draw_of_a_kept_frame_of_the_right_size_leaves_it_as_it_is(root: Path) -> None:
    kept = InMemory(NyuCsv(root))
    before = kept.frame(0, (240, 320)).image.tobytes()
    cut = AugmentConfig(mirror=0, channel_swap=0, cut_depth=1)
    image = TrainingPairs(kept, config(240, 320, cut), 0, None)[0, 0]["image"]
    assert kept.frame(0, (240, 320)).image.tobytes() == before
    assert image.permute(1, 2, 0).numpy().tobytes() != before
    untouched = ValidationPairs(kept, config(240, 320), None)[0]["image"]
    assert untouched.permute(1, 2, 0).numpy().tobytes() == before


@pytest.mark.parametrize("size", [(240, 320), (120, 160), (60, 80), (480, 640)])
def test_a_reduced_frame_gives_the_same_depth_and_nearly_the_same_photo(root: Path, size: tuple[int, int]) -> None:
    frames = NyuCsv(root, mask_border=True)
    reduced = frames.frame(0, size)
    assert reduced.image.shape[:2] == reduced.depth_m.shape == reduced.valid.shape == size
    assert reduced.camera is not None
    assert (reduced.camera.height, reduced.camera.width) == size
    full = whole(frames[0], size, focal_px=300)
    small = whole(reduced, size, focal_px=300)
    both = full.valid & small.valid
    # Where there is no hole, the very same pixel of the file is picked; a hole may be replaced by another neighbour.
    assert np.isclose(small.depth_m, full.depth_m, rtol=1e-5)[both].mean() > 0.85
    assert abs(small.valid.mean() - full.valid.mean()) < 0.1
    assert np.abs(small.image.astype(int) - full.image).mean() < 1.5


def test_the_view_says_how_many_pixels_it_needs(root: Path) -> None:
    asked = []

    class Spy(NyuCsv):
        def frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
            asked.append(at_least)
            return super().frame(index, at_least)

    zoom = AugmentConfig(zoom_probability=0.5, max_zoom=1.9)
    pairs = TrainingPairs(Subset(Spy(root), [4, 2]), config(240, 320, zoom), 0, None)
    for epoch in range(12):
        pairs[epoch, 1]
        view = draw_view(zoom, generator(0, epoch, 1))
        assert asked[-1] == view.at_least((240, 320))
        assert asked[-1] == (240, 320) or view.zoom > 1
    assert len(set(asked)) > 3
    ValidationPairs(Spy(root), config(240, 320), None)[0]
    assert asked[-1] == (240, 320)


def test_a_photo_of_another_size_than_its_depth_is_still_found_out(root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(root, tmp_path / "copy"))
    path = next(root.rglob("0.jpg"))
    picture = Image.open(path)
    for width, height in [(1280, 960), (320, 240), (640, 472)]:
        picture.resize((width, height)).save(path, "JPEG")
        with pytest.raises(DataError, match=f"depth is 640x480, its photo {width}x{height}"):
            NyuCsv(root).frame(0, (120, 160))


class Counting:
    """Reads nothing but counts; gives a frame of the power of two that is enough, or of 64."""

    def __init__(self, *, reduces: bool = True) -> None:
        self.reads: list[object] = []
        self.scenes = ["a", "b"]
        if reduces:
            self.frame = self._frame

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Frame:
        return self._frame(index)

    def _frame(self, index: int, at_least: tuple[int, int] | None = None) -> Frame:
        self.reads.append(at_least)
        side = min(64, 1 << (max(at_least or (64, 64)) - 1).bit_length())
        depth_m = np.ones((side, side), np.float32)
        camera = Camera(50, 50, 32, 32, 64, 64).resized(side, side)
        return Frame(np.zeros((side, side, 3), np.uint8), depth_m, depth_m > 0, camera, "a", str(index))


def test_in_memory_reads_again_only_for_more_pixels() -> None:
    source = Counting()
    kept = InMemory(source)
    sides = [kept.frame(0, size).depth_m.shape[0] for size in [(10, 12), (16, 16), (9, 9), (17, 10), (32, 32)]]
    assert sides == [16, 16, 16, 32, 32]
    assert source.reads == [(10, 12), (17, 10)]
    # More than the file has: asked once.
    assert [kept.frame(0, size).depth_m.shape[0] for size in [(90, 90), (80, 80), (64, 64)]] == [64] * 3
    assert kept[0].depth_m.shape == (64, 64)
    assert kept[0] is kept.frame(0, (500, 500))
    assert source.reads == [(10, 12), (17, 10), (90, 90), None]
    assert kept.frame(1, (3, 3)).key == "1"


def test_readers_that_cannot_reduce_are_asked_for_the_whole() -> None:
    source = Counting(reduces=False)
    assert read_frame(source, 0, (4, 4)).depth_m.shape == (64, 64)
    assert Subset(InMemory(source), [1]).frame(0, (4, 4)).key == "1"
    assert source.reads == [None, None]


def test_kept_frames_give_the_same_geometry(root: Path) -> None:
    plain = replace(STRONG, cut_depth=0)
    files, kept = (
        TrainingPairs(frames, config(augment=plain), 0, None) for frames in (NyuCsv(root), InMemory(NyuCsv(root)))
    )
    for epoch in range(4):
        one, other = files[epoch, 0], kept[epoch, 0]
        # A frame kept at a larger size than this draw needs: the photo is shrunk here and not by the decoder.
        assert (one["valid"] == other["valid"]).float().mean() > 0.8
        assert (one["image"].float() - other["image"].float()).abs().mean() < 4


@pytest.mark.slow
def test_memory_stays_flat_over_10000_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    depth = rng.integers(500, 9000, (24, 32)).astype(np.uint16)
    root = write_nyu_layout(tmp_path, [("scene", photo_of(rng, 40, 40)[:24, :32], depth)] * 4)
    for path in root.rglob("*.jpg"):
        Image.open(path).save(path, "JPEG")
    pairs = TrainingPairs(NyuCsv(root), config(32, 32), 0, None)

    def draw(count: int) -> float:
        for number in range(count):
            pairs[divmod(number, 4)]
        return resident_mib()

    before = draw(1000)
    assert draw(9000) - before < 8, "a frame kept for each draw would be 90 MiB"


def resident_mib() -> float:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("no /proc here")
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20


def test_freed_pictures_are_kept() -> None:
    """glibc gives large blocks back at once otherwise, and every picture's pages are cleared anew."""
    program = (
        "import resource, sys, numpy as np\n"
        "from densedepth.training.memory import keep_freed_memory\n"
        "if sys.argv[1] == 'keep': keep_freed_memory()\n"
        "for _ in range(60): pictures = [np.ones(1 << 20, np.uint8) for _ in range(8)]; del pictures\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    )
    faults = {
        way: int(subprocess.run([sys.executable, "-c", program, way], capture_output=True, check=True).stdout)
        for way in ("keep", "give back")
    }
    if platform.libc_ver()[0] == "glibc":
        assert faults["keep"] < faults["give back"] - 30 * 8 * 256  # pages of half the rounds
