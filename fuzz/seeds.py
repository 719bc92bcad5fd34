"""Tiny valid files of every kind that is read: where damage begins."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mutate import with_png_checksums, with_tar_checksums
from PIL import Image, features
from PIL.Image import Exif

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

HEIGHT, WIDTH = 24, 32


@dataclass(frozen=True)
class Seed:
    """A valid file and what lies beside it.

    Attributes:
        name: of the file that is damaged, relative to a folder of its own.
        data: what is damaged.
        wrap: makes the file out of it: to damage what lies inside an archive, or to keep a checksum right.
        beside: other files of the folder, which stay whole.
    """

    name: str
    data: bytes
    wrap: Callable[[bytes], bytes] = bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)


def _photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


def _depth_mm() -> Image.Image:
    return Image.fromarray(np.full((HEIGHT, WIDTH), 2000, np.uint16))


def _encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _made(write: Callable[[Path], object], name: str) -> bytes:
    """What a function writes into a file of this name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


JPEG, PNG16 = _encoded(_photo(), "JPEG"), _encoded(_depth_mm(), "PNG")


def pictures() -> list[Seed]:
    exif = Exif()
    exif[274] = 6
    exif.get_ifd(0x8769)[41989] = 28
    photo = _photo()
    found = [
        Seed("a.jpg", _encoded(photo, "JPEG", exif=exif)),
        Seed("a.jpg", _encoded(photo.convert("CMYK"), "JPEG", progressive=True)),
        Seed("a.png", _encoded(photo.convert("RGBA"), "PNG", exif=exif)),
        Seed("a.png", _encoded(photo.quantize(8), "PNG"), with_png_checksums),
        Seed("a.png", _encoded(photo, "PNG", exif=exif), with_png_checksums),
        Seed("a.png", PNG16, with_png_checksums),
        Seed("a.tif", _encoded(photo, "TIFF", compression="tiff_lzw", exif=exif)),
        Seed("a.tif", _encoded(_depth_mm(), "TIFF", compression="tiff_adobe_deflate")),
        Seed("a.webp", _encoded(photo, "WEBP", exif=exif)),
        Seed("a.bmp", _encoded(photo, "BMP")),
        Seed("a.gif", _encoded(photo.quantize(8), "GIF")),
        Seed("a.ppm", _encoded(photo, "PPM")),
        Seed("a.mpo", _encoded(photo, "MPO", save_all=True, append_images=[photo])),
    ]
    if features.check("jpg_2000"):
        found.append(Seed("a.jp2", _encoded(photo, "JPEG2000")))
    if features.check("avif"):
        found.append(Seed("a.avif", _encoded(photo, "AVIF")))
    return found


def _zipped(content: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def depth_files() -> list[Seed]:
    from densedepth.types import Camera, DepthMap

    depth_m = np.random.default_rng(1).uniform(1, 5, (HEIGHT, WIDTH)).astype(np.float32)
    depth = DepthMap(depth_m, camera=Camera(30.0, 30.0, 16.0, 12.0, WIDTH, HEIGHT), camera_source="given", model="m")
    files = {suffix: _made(depth.save, f"a{suffix}") for suffix in (".png", ".npz", ".tiff")}
    return [
        *(Seed(f"a{suffix}", data) for suffix, data in files.items()),
        Seed("a.png", files[".png"], with_png_checksums),
        Seed("a.png", _encoded(_depth_mm(), "PNG"), with_png_checksums),
        Seed("a.npz", _npy(depth_m), partial(_zipped, name="depth_m.npy")),
        Seed("a.npy", _npy(depth_m)),
        Seed("a.npy", _npy(depth_m.astype(np.float64)[None])),
        Seed("a.pgm", _encoded(_depth_mm(), "PPM")),
        Seed("a.tif", _encoded(_depth_mm(), "TIFF")),
    ]


def _tiny_onnx(card: bytes | None = None) -> bytes:
    import onnx
    from google.protobuf.json_format import ParseError

    from conftest import write_tiny_bundle
    from densedepth.runtime.card import CARD_KEY

    if card is None:
        return _made(partial(write_tiny_bundle, shift=True), "a.onnx")
    model = onnx.ModelProto()
    model.ParseFromString(_tiny_onnx())
    entry = next(entry for entry in model.metadata_props if entry.key == CARD_KEY)
    try:
        entry.value = card.decode("utf-8", "replace")
    except (ParseError, ValueError):
        entry.value = ""
    data: bytes = model.SerializeToString()
    return data


def onnx_bundles() -> list[Seed]:
    return [Seed("a.onnx", _tiny_onnx())]


def _card() -> bytes:
    from conftest import TRAINED
    from densedepth.runtime import Card

    text = Card("x", TRAINED, (0.1, 10.0), metrics=[{"delta1": 0.5}], extra={"architecture": {"a": [1, 2]}}).to_json()
    return text.encode()


_XML = '<?xml version="1.0"?><net name="x"><rt_info><densedepth><card value={} /></densedepth></rt_info></net>'


def _xml_with(card: bytes) -> bytes:
    from xml.sax.saxutils import quoteattr

    return _XML.format(quoteattr(card.decode("utf-8", "replace"))).encode()


def cards() -> list[Seed]:
    """The JSON inside both kinds of bundle, and the XML around it."""
    card = _card()
    return [
        Seed("a.onnx", card, _tiny_onnx),
        Seed("a.xml", card, _xml_with, {"a.bin": b"\0" * 64}),
        Seed("a.xml", _xml_with(card), beside={"a.bin": b"\0" * 64}),
    ]


def openvino_bundles() -> list[Seed]:
    import openvino

    from densedepth.runtime import read_card

    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "a.onnx"
        bundle.write_bytes(_tiny_onnx())
        model = openvino.convert_model(bundle)
        model.set_rt_info(read_card(bundle).to_json(), ["densedepth", "card"])
        openvino.save_model(model, Path(folder) / "b.xml")
        files = {suffix: (Path(folder) / f"b{suffix}").read_bytes() for suffix in (".xml", ".bin")}
    return [
        Seed("a.xml", files[".xml"], beside={"a.bin": files[".bin"]}),
        Seed("a.onnx", _tiny_onnx()),
    ]


def _nyu_files() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    rows, cameras = [], ["image,fx,fy,cx,cy,width,height"]
    for number in range(2):
        stem = f"data/nyu2_train/room_out/{number}"
        files |= {f"{stem}.jpg": JPEG, f"{stem}.png": PNG16}
        rows.append(f"{stem}.jpg,{stem}.png")
        cameras.append(f"{stem}.jpg,30.0,30.0,16.0,12.0,{WIDTH},{HEIGHT}")
    tables = {"data/nyu2_train.csv": rows, "data/intrinsics.csv": cameras}
    return files | {name: ("\n".join(lines) + "\n").encode() for name, lines in tables.items()}


def _one_of(files: dict[str, bytes], name: str, wrap: Callable[[bytes], bytes] = bytes) -> Seed:
    return Seed(name, files[name], wrap, {other: data for other, data in files.items() if other != name})


def tables() -> list[Seed]:
    nyu = _nyu_files()
    manifest = "image,depth,scene,split,fx,fy,cx,cy\na.jpg,a.png,one,train,30,30,16,12\nb.jpg,b.png,two,train,30,,,\n"
    own = {"a.jpg": JPEG, "a.png": PNG16, "b.jpg": JPEG, "b.png": PNG16, "manifest.csv": manifest.encode()}
    names = "/bath/rgb_00045.jpg /bath/sync_depth_00045.png 518.8579\n/bath/rgb_00046.jpg /bath/sync_depth_00046.png\n"
    sync = {f"bath/rgb_0004{n}.jpg": JPEG for n in (5, 6)} | {f"bath/sync_depth_0004{n}.png": PNG16 for n in (5, 6)}
    sync["nyudepthv2_train_files_with_gt.txt"] = names.encode()
    return [
        _one_of(nyu, "data/nyu2_train.csv"),
        _one_of(nyu, "data/intrinsics.csv"),
        _one_of(own, "manifest.csv"),
        _one_of(sync, "nyudepthv2_train_files_with_gt.txt"),
    ]


def splits() -> list[Seed]:
    from scipy.io import savemat

    numbers = {"trainNdxs": np.array([[1.0], [3.0]]), "testNdxs": np.array([[2], [4]], np.uint16)}
    plain, packed = (
        _made(partial(savemat, mdict=numbers, do_compression=packed), "splits.mat") for packed in (False, True)
    )
    cells = _made(partial(savemat, mdict={"trainNdxs": np.array([["a", 1]], object), "testNdxs": {"a": 1}}), "s.mat")
    return [Seed("splits.mat", plain), Seed("splits.mat", packed), Seed("cells.mat", cells)]


def hdf5_files() -> list[Seed]:
    import h5py

    rng = np.random.default_rng(2)

    def labelled(path: Path) -> None:
        with h5py.File(path, "w") as file:
            images = rng.integers(0, 256, (4, 3, WIDTH, HEIGHT), np.uint8)
            file.create_dataset("images", data=images, compression="gzip", chunks=(1, 3, WIDTH, HEIGHT))
            for name in ("depths", "rawDepths"):
                file[name] = np.full((4, WIDTH, HEIGHT), 2, np.float32)
            references = []
            for number in range(4):
                file[f"#refs#/{number}"] = np.frombuffer("room".encode("utf-16-le"), "<u2")
                references.append(file[f"#refs#/{number}"].ref)
            file.create_dataset("scenes", data=np.array([references], h5py.ref_dtype), dtype=h5py.ref_dtype)

    def unreal(path: Path) -> None:
        with h5py.File(path, "w", libver="latest") as file:
            for number in range(101):
                file[f"x/{number}"] = np.frombuffer(JPEG, np.uint8)
                file[f"y/{number}"] = np.full((HEIGHT, WIDTH, 1), 200, np.float32)

    def keras(path: Path) -> None:
        with h5py.File(path, "w") as file:
            layers = [{"class_name": "Conv2D", "name": "conv1/conv", "config": {"name": "conv1/conv"}}]
            file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
            file["model_weights/conv1/conv/conv1/conv/kernel:0"] = np.zeros((3, 3, 3, 4), np.float32)

    numbers = splits()[0].data
    return [
        Seed("a.mat", _made(labelled, "a.mat"), beside={"splits.mat": numbers}),
        Seed("a.h5", _made(unreal, "a.h5")),
        Seed("keras.h5", _made(keras, "keras.h5")),
    ]


def arrays() -> list[Seed]:
    rng = np.random.default_rng(3)
    files = {
        "eigen_test_rgb.npy": _npy(rng.uniform(0, 1, (3, HEIGHT, WIDTH, 3)).astype(np.float32)),
        "eigen_test_depth.npy": _npy(np.full((3, HEIGHT, WIDTH), 2, np.float32)),
        "eigen_test_crop.npy": _npy(np.array([2, 20, 3, 28])),
    }
    return [_one_of(files, name) for name in files]


def zips() -> list[Seed]:
    def pack(method: int) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, data in _nyu_files().items():
                archive.writestr(name, data)
        return file.getvalue()

    return [Seed("a.zip", pack(zipfile.ZIP_STORED)), Seed("a.zip", pack(zipfile.ZIP_DEFLATED))]


def _tarred(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def tars() -> list[Seed]:
    from densedepth.data.readers.shard_index import scan

    camera = {"fx": 30.0, "fy": 30.0, "cx": 16.0, "cy": 12.0, "width": WIDTH, "height": HEIGHT}
    about = json.dumps({"scene": "s", "key": "k", "camera": camera, "metres_per_unit": 0.001}).encode()
    shard = _tarred({"0.jpg": JPEG, "0.depth.png": PNG16, "0.json": about})
    name = "train-000000.tar"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(shard)
        index = {"settings": {}, "complete": True, "shards": [scan(path).to_dict()]}
    return [
        Seed(name, shard),
        Seed(name, shard, with_tar_checksums),
        Seed(name, about, lambda text: _tarred({"0.jpg": JPEG, "0.depth.png": PNG16, "0.json": text})),
        Seed("train-index.json", json.dumps(index).encode(), beside={name: shard}),
    ]


def kitti_frames() -> list[Seed]:
    points = np.random.default_rng(4).uniform((4, -2, -1, 0), (9, 2, 1, 1), (200, 4)).astype("<f4")
    calibration = (
        "P2: 30 0 16 0 0 30 12 0 0 0 1 0\nR0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
    )
    files = {
        "training/image_2/000000.png": _encoded(_photo(), "PNG"),
        "training/velodyne/000000.bin": points.tobytes(),
        "training/calib/000000.txt": calibration.encode(),
    }
    return [_one_of(files, name) for name in files if not name.endswith(".png")]


def videos() -> list[Seed]:
    from test_video import write_clip

    frames = [np.asarray(_photo().resize((64, 48))) for _ in range(6)]
    kinds = {"a.mp4": "mpeg4", "b.mov": "png", "c.mkv": "mpeg4", "d.avi": "ffv1", "e.webm": "libvpx"}
    found = []
    for name, codec in kinds.items():
        sound = "aac" if name == "a.mp4" else None
        found.append(Seed(name, _made(partial(write_clip, frames=frames, codec=codec, sound=sound), name)))
    return found


def checkpoints() -> list[Seed]:
    from densedepth.models import DenseDepth
    from densedepth.models.checkpoint import write_checkpoint

    net = DenseDepth("densenet(1,1,1,1)", decoder_width=16)
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(net, Path(folder), {"training_data": "none"})
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    description = next(name for name in files if name.endswith(".json"))
    weights = next(name for name in files if name != description)
    # The weights are beyond the length of a case; their header is at the beginning, and that is what is damaged.
    tail = files[weights][65536:]
    return [
        _one_of(files, description),
        Seed(weights, files[weights][:65536], lambda head: head + tail, {description: files[description]}),
    ]
