"""Hostile and damaged files: what fuzzing found, bombs, pickles, and archives that reach beyond their folder.

`fuzz/run.py` looks for more; each of its findings has a test here.
"""

from __future__ import annotations

import ast
import io
import json
import pickle
import resource
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

from conftest import MakeBundle
from densedepth.cli import main
from densedepth.data import open_dataset
from densedepth.data.readers.archive import Zip
from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.hdf5 import Hdf5
from densedepth.data.readers.mat5 import read_numbers
from densedepth.data.readers.nyu_official import read_splits
from densedepth.errors import DataError, DenseDepthError
from densedepth.io import load_depth, read_image
from densedepth.models import DenseDepth, import_keras, load_checkpoint
from densedepth.models.checkpoint import write_checkpoint
from densedepth.runtime import read_card
from densedepth.runtime.onnx_metadata import external_files
from densedepth.types import Camera

SOURCE = Path(__file__).resolve().parents[1] / "src" / "densedepth"
CAMERA = {"fx": 30.0, "fy": 30.0, "cx": 16.0, "cy": 12.0, "width": 32, "height": 24}


def refused(path: Path, read: Callable[[], Any], *words: str) -> str:
    """The one line with which reading a file is refused."""
    with pytest.raises(DenseDepthError) as caught:
        read()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 1000
    assert str(path) in text
    for word in words:
        assert word in text
    return text


def photo_bytes(format: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), 100, np.uint8)).save(file, format)
    return file.getvalue()


def depth_bytes() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32), 2000, np.uint16)).save(file, "PNG")
    return file.getvalue()


def npy_header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    """The beginning of a .npy file without its numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def shard(folder: Path, about: object) -> Path:
    """A tar of one sample whose json is as given."""
    text = about if isinstance(about, bytes) else json.dumps(about).encode()
    path = folder / "train-000000.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in (("0.jpg", photo_bytes()), ("0.depth.png", depth_bytes()), ("0.json", text)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


# What fuzzing found.


@pytest.mark.parametrize("name", ["nyudepthv2_train_files_with_gt.txt", "manifest.csv"])
def test_a_name_longer_than_any_file_has(name: str, tmp_path: Path) -> None:
    long = "x" * 5000
    text = f"/{long}.jpg /{long}.png 500\n" if name.endswith(".txt") else f"image,depth\n{long}.jpg,{long}.png\n"
    (tmp_path / name).write_text(text)
    layout = "nyu-sync" if name.endswith(".txt") else "folder"
    refused(tmp_path / name, lambda: open_dataset(layout, tmp_path, "train"), "is missing", " ... ")


def test_a_line_end_in_a_name_stays_on_the_line(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text('image,depth\n"a\n\rb.jpg",c.png\n')
    refused(path, lambda: open_dataset("folder", tmp_path, "train"), "is missing")


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"camera": CAMERA | {"fx": 1e308, "width": 1}}, "camera"),
        ({"camera": CAMERA | {"fx": 5e-324, "width": 64}}, "camera"),
        ({"camera": CAMERA | {"cx": 10**400}}, "too large"),
        ({"camera": CAMERA | {"width": 10**400}}, "camera"),
        ({"metres_per_unit": 10**400}, "metres_per_unit"),
        (b'{"a": ' + b"[" * 100_000, "no JSON"),
    ],
)
def test_numbers_beyond_all_measure_in_a_shard(about: object, why: str, tmp_path: Path) -> None:
    known = {"metres_per_unit": 0.001} | about if isinstance(about, dict) else about
    path = shard(tmp_path, known)
    refused(path, lambda: open_dataset("shards", tmp_path, "train")[0], why)


@pytest.mark.parametrize("change", ["deep", "overflow"])
def test_an_index_of_shards_that_lies(change: str, tmp_path: Path) -> None:
    path, index = shard(tmp_path, {"metres_per_unit": 0.001}), tmp_path / "train-index.json"
    entry = {"name": path.name, "bytes": path.stat().st_size, "frames": 1, "scenes": ["s"], "scene_of": [0]}
    huge = [2**62, 2**62 + 2**61, 0, 10, 0, -1]  # the sum of the two leaves 64 bits
    entry |= {"keys": ["0"], "ranges": [huge]}
    text = json.dumps({"settings": {}, "complete": True, "shards": [entry]})
    index.write_text("[" * 100_000 if change == "deep" else text)
    refused(index, lambda: open_dataset("shards", tmp_path, "train")[0])


def test_a_camera_of_whole_numbers_of_any_length() -> None:
    with pytest.raises(ValueError, match="too large"):
        Camera.from_dict(CAMERA | {"fx": 10**400})


def test_a_zip_with_a_file_without_a_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"data/nyu2_train.csv": b"a,b"})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")  # its entry in the directory: the name becomes a remark
    length = struct.unpack_from("<H", raw, at + 28)[0]
    struct.pack_into("<HHH", raw, at + 28, 0, 0, length)
    path.write_bytes(raw)
    refused(path, lambda: Zip(path))


def test_kitti_without_a_focal_length(tmp_path: Path) -> None:
    for folder in ("image_2", "velodyne", "calib"):
        (tmp_path / "training" / folder).mkdir(parents=True)
    (tmp_path / "training/image_2/000000.png").write_bytes(photo_bytes("PNG"))
    points = np.array([[5, 0, 0, 1], [6, 0.1, 0.1, 1]], "<f4")
    (tmp_path / "training/velodyne/000000.bin").write_bytes(points.tobytes())
    calibration = tmp_path / "training/calib/000000.txt"
    calibration.write_text(
        "P2: 0 0 16 0 0 30 12 0 0 0 1 0\nR0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
    )
    refused(calibration, lambda: open_dataset("kitti-object", tmp_path, "train")[0], "focal lengths")


def test_a_checkpoint_without_what_is_known_about_it(tmp_path: Path) -> None:
    write_checkpoint(DenseDepth("densenet(1,1,1,1)", decoder_width=16), tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"architecture": json.loads(path.read_text())["architecture"]}))
    refused(tmp_path, lambda: load_checkpoint(tmp_path), "damaged checkpoint ('info')")


@pytest.mark.parametrize("switches", [{"decoder_width": 17}, {"encoder": "densenet(0)"}, {"output": "x" * 5000}])
def test_a_checkpoint_of_no_network_is_named(switches: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps({"architecture": {"encoder": "densenet(1,1,1,1)", "decoder_width": 16} | switches})
    (tmp_path / "model.json").write_text(text)
    refused(tmp_path, lambda: load_checkpoint(tmp_path))


@pytest.mark.parametrize("kind", ["zip", "empty", "object"])
def test_arrays_of_the_test_set_that_are_none(kind: str, tmp_path: Path) -> None:
    for name, shape in (("rgb", (2, 4, 6, 3)), ("depth", (2, 4, 6))):
        np.save(tmp_path / f"eigen_test_{name}.npy", np.ones(shape, np.float32))
    path = tmp_path / "eigen_test_depth.npy"
    if kind == "zip":
        zipped(path, {"arr_0.npy": npy_header((1,))})
    elif kind == "empty":
        np.save(path, np.ones((2, 0, 6), np.float32))
        np.save(tmp_path / "eigen_test_rgb.npy", np.ones((2, 0, 6, 3), np.float32))
    else:
        np.save(path, np.array([{}], object), allow_pickle=True)
    refused(path, lambda: open_dataset("nyu-npy", tmp_path, "test"))


def splits_file(path: Path, **arrays: np.ndarray) -> bytes:
    from scipy.io import savemat

    savemat(path, arrays, do_compression=path.name.startswith("packed"))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["plain.mat", "packed.mat"])
def test_every_damage_to_a_list_of_frames_is_an_error(name: str, tmp_path: Path) -> None:
    """scipy's reader ends the process on some of these."""
    path = tmp_path / name
    numbers = {"trainNdxs": np.array([[1.0], [3.0]]), "testNdxs": np.array([[2], [4]], np.uint16)}
    whole = splits_file(path, **numbers, note=np.array(["text"]), cells=np.array([[1, "a"]], object))
    assert {key: list(value) for key, value in read_numbers(whole).items()} == {"trainNdxs": [1, 3], "testNdxs": [2, 4]}
    rng = np.random.default_rng(0)
    read, messages = 0, []
    for length in (*range(0, len(whole), 3), *[len(whole)] * 400):
        data = bytearray(whole[:length])
        for _ in range(rng.integers(1, 4) if length == len(whole) else 0):
            data[rng.integers(len(data))] = rng.choice([0, 1, 255, int(rng.integers(256))])
        path.write_bytes(data)
        try:
            read_splits(path, 4)
            read += 1
        except DataError as error:
            messages.append(str(error))
    assert 0 < read < 400
    assert all(message.startswith(f"{path}: ") for message in messages)


def test_other_byte_orders_and_texts_beside_the_numbers() -> None:
    tag = struct.pack(">II", 6, 8) + struct.pack(">II", 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    small_name = struct.pack(">HH", 1, 1) + b"a\0\0\0"
    array = tag + small_name + struct.pack(">II", 9, 16) + struct.pack(">dd", 1.5, 2.5)
    data = b"x" * 124 + b"\x01\x00MI" + struct.pack(">II", 14, len(array)) + array
    np.testing.assert_array_equal(read_numbers(data)["a"], [1.5, 2.5])


# Bombs: files of some kilobytes that claim to be gigabytes. Each is refused by what it claims, before it is unpacked.


@pytest.fixture
def _little_memory() -> Any:
    """What is refused takes no memory: the process may only get 1 GB larger than it is."""
    if not sys.platform.startswith("linux"):
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


bomb = pytest.mark.usefixtures("_little_memory")


def png(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG whose header tells any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@bomb
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm", ".bmp"])
def test_pictures_of_gigapixels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        path.write_bytes(png(100_000, 100_000, 16, 0))
    elif suffix == ".ppm":
        path.write_bytes(b"P5 100000 100000 65535\n" + bytes(1000))
    elif suffix == ".bmp":
        head = struct.pack("<IiiHHIIiiII", 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0)
        path.write_bytes(b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + head + bytes(1000))
    else:
        tags = [(256, 100_000), (257, 100_000), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 100_000)]
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*tags, (279, 100)))
        path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries + bytes(500))
    refused(path, lambda: read_image(path), "10000 megapixels")
    refused(path, lambda: read_depth_values(path), "10000 megapixels")
    if suffix in (".png", ".tiff"):
        refused(path, lambda: load_depth(path), "10000 megapixels")


@bomb
@pytest.mark.parametrize(
    ("shape", "descr"),
    [((60_000, 60_000), "<f4"), ((10**9, 10**9), "<f8"), ((1, 1), "|V2000000000"), ((3,), "<U200000000")],
)
def test_arrays_of_gigabytes(shape: tuple[int, ...], descr: str, tmp_path: Path) -> None:
    array = npy_header(shape, descr) + bytes(20_000_000)
    plain = tmp_path / "a.npy"
    plain.write_bytes(array)
    refused(plain, lambda: read_depth_values(plain), "million numbers")
    packed = zipped(tmp_path / "a.npz", {"depth_m.npy": array})
    assert packed.stat().st_size < 100_000
    refused(packed, lambda: load_depth(packed), "million numbers")
    refused(packed, lambda: read_depth_values(packed), "million numbers")
    file = io.BytesIO()
    np.save(file, np.ones((4, 4), np.float32))
    for text in ("camera", "model"):
        whole = zipped(tmp_path / "b.npz", {"depth_m.npy": file.getvalue(), f"{text}.npy": array})
        refused(whole, partial(load_depth, whole), "million numbers")
    refused(tmp_path, lambda: open_dataset("nyu-npy", tmp_path, "test"))


@bomb
def test_a_zip_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"data/nyu2_train.csv": bytes(1_000_000), "data/a.png": b"1"})
    raw = path.read_bytes()
    for claimed in (3_000_000_000, 4_294_967_294):
        path.write_bytes(raw.replace(struct.pack("<I", 1_000_000), struct.pack("<I", claimed)))
        refused(path, lambda: open_dataset("nyu", path, "train"), "GB")
    # One that says little and holds much is not unpacked beyond what it says.
    path.write_bytes(raw.replace(struct.pack("<I", 1_000_000), struct.pack("<I", 1000)))
    refused(path, lambda: open_dataset("nyu", path, "train"), "checksum")


@bomb
def test_hdf5_arrays_that_were_never_written(tmp_path: Path) -> None:
    """They take no place in the file, and any number of bytes when read."""
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    side = 100_000
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (1449, 3, side, side), np.uint8, chunks=(1, 1, 100, 100), compression="gzip")
        file.create_dataset("depths", (1449, side, side), np.float32, chunks=(1, 100, 100), compression="gzip")
    assert path.stat().st_size < 10_000
    refused(path, lambda: open_dataset("nyu-mat", path, "train")[0], "GB")
    refused(path, lambda: Hdf5(path).read("depths"), "GB")
    unreal = tmp_path / "unreal.h5"
    with h5py.File(unreal, "w") as file:
        for number in range(101):
            file[f"x/{number}"] = np.frombuffer(photo_bytes(), np.uint8)
            file.create_dataset(f"y/{number}", (1, side, side), np.float32, chunks=(1, 100, 100))
    refused(unreal, lambda: open_dataset("unreal", unreal, "test")[0], "GB")


@bomb
def test_keras_weights_that_were_never_written(tmp_path: Path) -> None:
    path = tmp_path / "nyu.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"config": {"layers": []}})
        file.create_dataset("model_weights/a/b", (100_000, 100_000), np.float32, chunks=(100, 100))
    refused(path, lambda: import_keras(path), "GB")


@bomb
def test_a_list_of_frames_that_unpacks_to_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "splits.mat"
    content = zlib.compress(bytes(50_000_000), 9)
    path.write_bytes(b"x" * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(content)) + content)
    refused(path, lambda: read_splits(path, 4), "too much")
    path.write_bytes(b"x" * 124 + b"\x00\x01IM" + struct.pack("<II", 14, 0xFFFFFFF0) + bytes(100))
    refused(path, lambda: read_splits(path, 4), "cut short")


def test_a_bundle_of_messages_in_messages(tiny_bundle: MakeBundle) -> None:
    """Graphs in attributes in nodes in graphs: quick to refuse, however deep."""
    path = tiny_bundle()

    def field(number: int, content: bytes) -> bytes:
        length, size = len(content), b""
        while True:
            size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
            length >>= 7
            if not length:
                return bytes([number << 3 | 2]) + size + content

    message = b"location"
    for _ in range(300):
        message = field(1, field(5, field(6, message)))
    path.write_bytes(path.read_bytes() + field(7, message))
    refused(path, lambda: read_card(path), "nested too deeply")
    with pytest.raises(ValueError, match="nested too deeply"):
        external_files(path)


# Pickles.


class Hostile:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.mark), "w")


UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def unsafe_calls(source: str) -> list[str]:
    """Calls that run what stands in a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"import {name}" for name in names if name.partition(".")[0] in UNPICKLERS]
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        words = {word.arg: ast.unparse(word.value) for word in node.keywords}
        torch_load = call in ("torch.load", "torch.hub.load", "torch.jit.load", "load_from_checkpoint")
        if torch_load and words.get("weights_only") != "True":
            found.append(call)
        if words.get("allow_pickle", "False") != "False":
            found.append(f"{call} with allow_pickle")
        if call in ("np.load", "numpy.load") and words.get("allow_pickle") != "False":
            found.append(f"{call} without allow_pickle=False")
        if call in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval", "exec", "pd.read_pickle"):
            found.append(call)
        if call.endswith((".extractall", ".extract")) or call == "shutil.unpack_archive":
            found.append(call)
    return found


def test_nothing_in_the_package_unpickles_or_unpacks() -> None:
    found = {
        str(path.relative_to(SOURCE)): calls
        for path in sorted(SOURCE.rglob("*.py"))
        if (calls := unsafe_calls(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import pickle",
            "from joblib import load",
            "torch.load(p)",
            "torch.load(p, weights_only=False)",
            "np.load(p)",
        ),
        *("np.load(p, allow_pickle=True)", "yaml.load(t, Loader=yaml.Loader)", "tar.extractall()", "eval(t)"),
    ],
)
def test_the_check_above_would_notice(line: str) -> None:
    assert unsafe_calls(line)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "pickle.npz", "model.npz"])
def test_pickles_in_depth_files_are_not_loaded(name: str, tmp_path: Path) -> None:
    path, mark = tmp_path / name, tmp_path / "mark"
    objects = np.array([[Hostile(mark)]], object)
    if name == "a.npy":
        np.save(path, objects, allow_pickle=True)
    elif name == "a.npz":
        np.savez(path, depth_m=objects)
    elif name == "model.npz":
        np.savez(path, depth_m=np.ones((2, 2), np.float32), model=objects)
    else:
        path.write_bytes(pickle.dumps(Hostile(mark)))
    if path.suffix == ".npz":
        refused(path, lambda: load_depth(path))
    if name != "model.npz":  # of which the other reader only takes the depth
        refused(path, lambda: read_depth_values(path))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.ckpt", "model.onnx"])
def test_pickles_as_models_are_not_loaded(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark, photo = tmp_path / "mark", tmp_path / "a.jpg"
    photo.write_bytes(photo_bytes())
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    model = folder / name
    torch.save({"state_dict": Hostile(mark)}, model)
    if name == "model.safetensors":
        (folder / "model.json").write_text('{"architecture": {"encoder": "densenet(1,1,1,1)", "decoder_width": 16}}')
        with pytest.raises(DenseDepthError):
            load_checkpoint(folder)
        model = folder
    assert main(["predict", str(photo), "-o", str(tmp_path / "out"), "--model", str(model)]) != 0
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert not mark.exists()
    with pytest.raises((pickle.UnpicklingError, SafetensorError)):
        torch.load(folder / name, weights_only=True)


def test_pickles_in_a_checkpoint_to_go_on_from_are_not_loaded(tmp_path: Path) -> None:
    from densedepth.training import checkpoints

    text = Path(checkpoints.__file__).read_text(encoding="utf-8")
    assert "weights_only=True" in text
    assert "weights_only=False" not in text


# Archives that reach beyond their folder. They are read where they lie, so nothing can be written; nothing outside is
# read either.


@pytest.mark.parametrize(
    "name", ["../a.png", "data/../../a.png", "/etc/passwd", "C:/a.png", "..\\a.png", "\\\\host\\a.png"]
)
def test_names_in_a_zip_that_lead_out(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "a.zip", {name: b""})
    refused(path, lambda: Zip(path), "leads out of the folder")
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "x/../../a.jpg"])
def test_names_in_a_tar_that_lead_out(name: str, tmp_path: Path) -> None:
    path = tmp_path / "train-000000.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    refused(path, lambda: open_dataset("shards", tmp_path, "train"), "leads out of the folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train-000000.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("0.jpg")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    refused(path, lambda: open_dataset("shards", tmp_path, "train"), "a link or device")


def test_links_in_a_zip_are_the_text_they_are(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, str(secret))
    assert Zip(path).read("link") == str(secret).encode()
