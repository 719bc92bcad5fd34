"""Synthetic rooms: depth against analytic values, intrinsics, determinism, and the way from a seed to a bundle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from densedepth.cli import main
from densedepth.data import NyuCsv, split_by_scene
from densedepth.data.synth import SynthConfig, SyntheticRooms, scene_of, synth_frame
from densedepth.data.synth.picture import Sensor, take_picture
from densedepth.data.synth.pieces import block
from densedepth.data.synth.scene import Light, Room, View
from densedepth.data.synth.shapes import Cluster, Material, Shape
from densedepth.errors import DataError
from densedepth.types import Camera, DepthMap

GREY = Material("plain", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
SIZE_M = (4.0, 5.0, 2.5)
CAMERA = Camera(fx=150.0, fy=160.0, cx=75.0, cy=62.0, width=160, height=120)
SMALL = SynthConfig(64, 48)


def room(*shapes: Shape) -> Room:
    clusters = [Cluster.of(shapes)] if shapes else []
    return Room(SIZE_M, (GREY,) * 6, clusters, [Light((2.0, 2.5, 2.3), (4.0, 4.0, 4.0))])


def depth_of(view: View, *shapes: Shape) -> np.ndarray:
    return take_picture(room(*shapes), view, Sensor(), np.random.default_rng(0))[1].astype(np.float64)


def rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """x / z and y / z of the middles of all pixels."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy


def test_an_empty_room_has_the_depth_of_its_walls() -> None:
    """Straight along y: every wall's depth follows from one division, in double precision."""
    view = View.looking(CAMERA, (1.5, 0.7, 1.2), math.pi / 2, 0, 0)
    x, y = rays(CAMERA)
    with np.errstate(divide="ignore"):
        side = np.where(x > 0, (4.0 - 1.5) / x, -1.5 / x)
        lying = np.where(y > 0, 1.2 / y, -(2.5 - 1.2) / y)
    expected = np.minimum(np.minimum(side, lying), 5.0 - 0.7)
    np.testing.assert_allclose(depth_of(view), expected, rtol=1e-5)


def test_a_turned_view_sees_points_on_the_walls() -> None:
    """Any heading, tilt and roll: lifted to the world, every pixel lies on a wall and none beyond."""
    view = View.looking(CAMERA, (1.5, 0.7, 1.2), 1.1, -0.3, 0.05)
    x, y = rays(CAMERA)
    depth_m = depth_of(view)
    points = view.position_m + (np.stack([x, y, np.ones_like(x)], axis=-1) * depth_m[..., None]) @ view.axes.T
    to_wall = np.minimum(points, np.array(SIZE_M) - points)
    assert np.abs(to_wall.min(axis=-1)).max() < 1e-5
    np.testing.assert_allclose(view.axes.T @ view.axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.axes) == pytest.approx(1)
    assert view.axes[2, 1] < -0.9, "the camera's y points down"


def test_a_ball_has_the_depth_of_the_equation() -> None:
    ball = block(GREY, (1.6, 2.4), (2.6, 3.4), (0.8, 1.6), "ball")
    view = View.looking(CAMERA, (1.9, 0.5, 1.3), math.pi / 2, 0, 0)
    x, y = rays(CAMERA)
    middle = np.array([0.1, 0.1, 2.5])
    a, b, c = x**2 + y**2 + 1, x * middle[0] + y * middle[1] + middle[2], middle @ middle - 0.4**2
    inside = b**2 - a * c
    expected = (b - np.sqrt(np.maximum(inside, 0))) / a
    depth_m, hit = depth_of(view, ball), inside > 1e-4
    assert hit.sum() > 500
    np.testing.assert_allclose(depth_m[hit], expected[hit], rtol=1e-4)
    assert np.all(depth_m[inside < -1e-4] == depth_of(view)[inside < -1e-4])


def test_an_upright_cylinder_and_its_lid() -> None:
    post = block(GREY, (1.5, 2.5), (2.5, 3.5), (0.0, 0.9), "cylinder")
    view = View.looking(CAMERA, (2.0, 0.5, 1.5), math.pi / 2, 0, 0)
    x, y = rays(CAMERA)
    a, b = x**2 + 1, 2.5
    inside = b**2 - a * (b**2 - 0.25)
    side = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
    side = np.where(y * side >= 0.6, side, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        lid = np.where(y > 0, 0.6 / y, np.inf)
        lid = np.where((x * lid) ** 2 + (lid - 2.5) ** 2 <= 0.25, lid, np.inf)
    expected = np.minimum(np.minimum(side, lid), depth_of(view))
    differs = ~np.isclose(depth_of(view, post), expected, rtol=1e-4)
    assert np.isfinite(lid).sum() > 50
    assert np.isfinite(side).sum() > 50
    assert differs.mean() < 1e-3, "only pixels on an outline may go either way"


def test_a_box_measures_right_through_points() -> None:
    """0.8 x 0.5 x 0.6 m, turned by 30 degrees: its points in space measure so."""
    box = Shape("box", (2.0, 3.0, 1.2), (0.4, 0.25, 0.3), GREY, yaw=math.radians(30))
    camera = Camera.from_fov(320, 240, 50)
    view = View.looking(camera, (1.6, 0.5, 1.75), math.atan2(2.5, 0.4), -0.2, 0.03)
    photo, depth_m = take_picture(room(box), view, Sensor(), np.random.default_rng(0))
    empty = take_picture(room(), view, Sensor(), np.random.default_rng(0))[1]
    points, _ = DepthMap(depth_m, depth_m < empty - 1e-3, camera, image=photo).points()
    local = box.local((points.astype(np.float64) @ view.axes.T + view.position_m).T.astype(np.float32))
    assert len(points) > 1000
    np.testing.assert_allclose(np.ptp(local, axis=1), [0.8, 0.5, 0.6], atol=0.02)
    on_surface = np.abs(np.abs(local) - [[0.4], [0.25], [0.3]]).min(axis=0)
    assert on_surface.max() < 1e-4


@pytest.mark.parametrize("kind", ["box", "cylinder", "ball"])
def test_normals_point_outwards(kind: str) -> None:
    shape = Shape(kind, (1.0, 2.0, 3.0), (0.5, 0.5, 0.2), GREY, yaw=0.4)  # type: ignore[arg-type]
    directions = np.random.default_rng(0).normal(size=(3, 500)).astype(np.float32)
    origin = np.array(shape.centre_m, np.float32)[:, None] - 5 * directions
    steps = np.array([shape.distance(o[:, None], d[:, None])[0] for o, d in zip(origin.T, directions.T, strict=True)])
    assert np.isfinite(steps).all(), "rays through the middle meet the shape"
    normals = shape.normals(shape.local(origin + steps.astype(np.float32) * directions))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=0), 1, rtol=1e-5)
    assert (np.einsum("ij,ij->j", normals, directions) < 0).all()


def test_a_frame_depends_on_seed_and_index_only() -> None:
    alone = synth_frame(7, 5, SMALL)
    rooms = SyntheticRooms(8, 7, SMALL)
    for index in (6, 5):
        again = rooms[index]
    np.testing.assert_array_equal(again.image, alone.image)
    np.testing.assert_array_equal(again.depth_m, alone.depth_m)
    assert (again.key, again.scene, again.camera) == (alone.key, alone.scene, alone.camera)
    assert scene_of(7, 5, SMALL) == alone.scene == rooms.scenes[5]
    assert not np.array_equal(synth_frame(8, 5, SMALL).depth_m, alone.depth_m)


def test_scenes_are_rooms() -> None:
    rooms = SyntheticRooms(20, 0, SMALL)
    assert len(set(rooms.scenes)) == 5
    assert len({rooms[i].depth_m.tobytes() for i in range(4)}) == 4
    rest, held_out = split_by_scene(rooms, 0.2, 0)
    assert (len(rest), len(held_out)) == (16, 4)


def test_depth_is_that_of_rooms() -> None:
    frames = [synth_frame(1, index * 5, SMALL) for index in range(24)]
    medians = [np.median(frame.depth_m) for frame in frames]
    assert 2 < np.median(medians) < 4
    assert np.quantile(medians, 0.1) > 1.5
    assert all(frame.valid.all() and frame.depth_m.min() > 0.2 and frame.depth_m.max() < 10 for frame in frames)


def test_photos_show_something() -> None:
    """Neither dark nor washed out, and with edges."""
    for index in range(0, 40, 4):
        image = synth_frame(2, index, SMALL).image.astype(float)
        assert 40 < image.mean() < 220
        assert image.std() > 15
        assert (image > 250).mean() < 0.3


def test_fields_of_view_are_drawn_between() -> None:
    config = SynthConfig(64, 48, (50, 70), frames_per_scene=1)
    angles = [2 * math.degrees(math.atan(32 / synth_frame(0, index, config).camera.fx)) for index in range(12)]  # type: ignore[union-attr]
    assert 50 <= min(angles) < 57
    assert 63 < max(angles) <= 70


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"width": 8}, "32 to 4096 pixels"),
        ({"fov_deg": (70.0, 50.0)}, "field of view"),
        ({"fov_deg": (60.0, 170.0)}, "field of view"),
        ({"frames_per_scene": 0}, "at least one frame"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        SynthConfig(**options)  # type: ignore[arg-type]


def test_no_frames_and_frames_beyond_the_end() -> None:
    with pytest.raises(DataError, match="at least 1 frame"):
        SyntheticRooms(0)
    with pytest.raises(IndexError):
        SyntheticRooms(3, 0, SMALL)[3]


def synth(out: Path, *words: str) -> int:
    return main(["data", "synth", "--out", str(out), "--size", "64x48", "--frames-per-scene", "2", *words])


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_command_writes_what_the_seed_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--frames", "8", "--seed", "3", "--fov", "50", "70", "--test-fraction", "0.25", "--workers", "1"]
    assert synth(tmp_path / "a", *words, "--photos", "png") == 0
    assert "6 training and 2 test frames of 4 rooms, 8 drawn" in capsys.readouterr().out
    train, test = NyuCsv(tmp_path / "a"), NyuCsv(tmp_path / "a", "test")
    config = SynthConfig(64, 48, (50, 70), 2)
    assert set(test.scenes) == {scene_of(3, 2, config)}
    for frame, index in [*zip(map(train.__getitem__, range(6)), (0, 1, 4, 5, 6, 7), strict=True), (test[1], 3)]:
        drawn = synth_frame(3, index, config)
        np.testing.assert_array_equal(frame.image, drawn.image)
        np.testing.assert_allclose(frame.depth_m, drawn.depth_m, atol=0.00051)
        assert frame.camera == drawn.camera
        assert frame.scene == drawn.scene


def test_any_number_of_workers_writes_the_same(tmp_path: Path) -> None:
    for workers in ("1", "2"):
        assert synth(tmp_path / workers, "--frames", "6", "--workers", workers) == 0
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_going_on_gives_the_same_as_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth(tmp_path / "one", "--frames", "8", "--workers", "1") == 0
    assert synth(tmp_path / "two", "--frames", "4", "--workers", "1") == 0
    assert synth(tmp_path / "two", "--frames", "8", "--workers", "1") == 0
    assert "4 drawn and 4 there before" in capsys.readouterr().out
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.parametrize("words", [["--seed", "1"], ["--fov", "70"], ["--test-fraction", "0.5"], ["--photos", "png"]])
def test_other_settings_are_refused(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth(tmp_path, "--frames", "1", "--workers", "1") == 0
    before = files(tmp_path)
    assert synth(tmp_path, "--frames", "1", "--workers", "1", *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "name another folder" in error
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [
        ["--frames", "0"],
        ["--frames", "2", "--size", "64"],
        ["--frames", "2", "--fov", "1", "2", "3"],
        ["--frames", "2", "--test-fraction", "1"],
    ],
)
def test_wrong_usage(words: list[str], tmp_path: Path) -> None:
    assert main(["data", "synth", "--out", str(tmp_path / "out"), *words]) == 2
    assert not (tmp_path / "out").exists()


def test_interrupted_runs_leave_whole_files_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import densedepth.commands.data_synth as command

    def impatient(items: Iterator[bool], **_: object) -> Iterator[bool]:
        for number, item in enumerate(items):
            if number == 3:
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(command, "tqdm", impatient)
    assert synth(tmp_path / "cut", "--frames", "8", "--workers", "2") == 130
    assert not list((tmp_path / "cut").rglob(".densedepth-*"))
    assert not (tmp_path / "cut" / "data" / "nyu2_train.csv").exists()
    monkeypatch.undo()
    assert synth(tmp_path / "cut", "--frames", "8", "--workers", "1") == 0
    assert synth(tmp_path / "whole", "--frames", "8", "--workers", "1") == 0
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


@pytest.mark.slow
def test_from_a_seed_to_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No download anywhere: synth, train, evaluate, export, predict, by the commands a user types."""
    rooms, run, bundle = tmp_path / "rooms", tmp_path / "run", tmp_path / "rooms.onnx"
    assert main(f"data synth --out {rooms} --frames 20 --size 96x64 --test-fraction 0.2 --workers 1".split()) == 0
    train = f"train --data.root {rooms} --data.height 64 --data.width 96 --data.validation_fraction 0.25 --out {run}"
    train += " --model.encoder test_efficientnet --model.decoder_width 32 --model.pretrained false"
    assert main([*train.split(), "--epochs", "2", "--batch_size", "2", "--optim.lr", "1e-3"]) == 0
    assert (run / "best" / "model.safetensors").is_file()
    assert main(f"evaluate --model {run} --root {rooms} --protocol none --json {tmp_path / 'result.json'}".split()) == 0
    assert main(["export", str(run), str(bundle), "--metrics", str(tmp_path / "result.json")]) == 0
    photo = next((rooms / "data" / "nyu2_test").rglob("*.jpg"))
    assert main(["predict", str(photo), "-o", str(tmp_path / "out"), "--model", str(bundle)]) == 0
    assert list((tmp_path / "out").iterdir())
