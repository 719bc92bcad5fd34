"""The HTTP API as a client meets it, on a real server with a tiny bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import ExifTags, Image

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
requests = pytest.importorskip("requests", reason="needs the dev extra")

from conftest import brightness_depth_m, write_tiny_bundle  # noqa: E402
from densedepth.errors import DepthFileError  # noqa: E402
from densedepth.io import load_depth  # noqa: E402
from densedepth.serve import answers  # noqa: E402
from densedepth.serve.pages import STUDIO_DIR  # noqa: E402
from densedepth.types import Camera, DepthMap  # noqa: E402
from serving import Running, eventually, file_of, metres_of, picture, serving  # noqa: E402

PHOTO = picture(0)
PNG = file_of(PHOTO)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(write_tiny_bundle(folder / "tiny.onnx"), folder) as running:
        yield running


def depth_of(server: Running, query: str = "", data: bytes = PNG) -> np.ndarray:
    answer = server.post(f"/v1/depth?format=raw&{query}", data)
    assert answer.status_code == 200, answer.text
    return metres_of(answer)


def test_raw_is_the_depth_of_the_photo(server: Running) -> None:
    answer = server.post("/v1/depth?format=raw", PNG)
    np.testing.assert_allclose(metres_of(answer), brightness_depth_m(PHOTO), atol=1e-5)
    said = {name: answer.headers[f"X-Depth-{name}"] for name in ("Camera-Source", "Model", "Uncertainty")}
    assert said == {"Camera-Source": "assumed", "Model": "tiny", "Uncertainty": "0"}
    assert float(answer.headers["X-Depth-Focal-Px"]) == pytest.approx(260, abs=0.01)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("", "*/*", "image/png"),
        ("", "", "image/png"),
        ("", "text/html, image/*;q=0.5", "image/png"),
        ("", "image/png; profile=color", "image/png"),
        ("", 'image/png;profile="color"', "image/png"),
        ("", "application/json;q=0.2, image/jpeg", "image/jpeg"),
        ("?format=color", "image/jpeg, */*", "image/jpeg"),
        ("?format=color", "*/*", "image/png"),
        ("?format=json", "image/png", "application/json"),
        ("", "application/x-npz", "application/x-npz"),
        ("", "application/octet-stream", "application/octet-stream"),
    ],
)
def test_the_form_follows_the_query_then_accept(server: Running, query: str, accept: str, media: str) -> None:
    answer = server.post(f"/v1/depth{query}", PNG, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media)


def test_the_files_hold_the_depth(server: Running, tmp_path: Path) -> None:
    for form, suffix, tolerance_m in (("png16", ".png", 0.0006), ("npz", ".npz", 1e-5)):
        path = tmp_path / f"depth{suffix}"
        path.write_bytes(server.post(f"/v1/depth?format={form}", PNG).content)
        depth = load_depth(path)
        np.testing.assert_allclose(depth.depth_m, brightness_depth_m(PHOTO), atol=tolerance_m)
        assert (depth.model, depth.camera_source) == ("tiny", "assumed")
    with Image.open(BytesIO(server.post("/v1/depth?format=color", PNG).content)) as colours:
        assert (colours.mode, colours.size) == ("RGB", (320, 240))


def test_json_is_a_summary(server: Running) -> None:
    numbers = server.post("/v1/depth?format=json", PNG).json()
    expected_m = brightness_depth_m(PHOTO)
    assert (numbers["width"], numbers["height"], numbers["model"]) == (320, 240, "tiny")
    assert Camera.from_dict(numbers["camera"]).focal_px == pytest.approx(260, abs=0.01)
    assert numbers["mean_uncertainty_m"] is None, "the tiny bundle does not say it"
    assert numbers["range_m"] == pytest.approx([expected_m.min(), expected_m.max()], abs=1e-4)
    assert numbers["percentiles"]["50"] == pytest.approx(np.median(expected_m), abs=1e-3)
    assert sum(numbers["histogram"]["counts"]) == 320 * 240
    assert len(numbers["histogram"]["edges_m"]) == len(numbers["histogram"]["counts"]) + 1


def test_a_form_and_a_raw_body_give_the_same(server: Running) -> None:
    # The name of the file leads out of every folder; nobody looks at it.
    for name in ("photo.png", "../../../../etc/passwd", "a\x00b/..\\c", "CON", "é" * 300):
        answer = server.post("/v1/depth", b"", files={"file": (name, PNG, "image/png"), "more": (None, "x")})
        assert answer.status_code == 200, answer.text
        assert answer.content == server.post("/v1/depth", PNG).content


def test_the_camera_scales_the_depth(server: Running) -> None:
    plain_m = depth_of(server)
    for query in ("focal_px=520", "focal_35mm=56.24", "fov_deg=34.208"):
        np.testing.assert_allclose(depth_of(server, query), 2 * plain_m, rtol=2e-3)
    answer = server.post("/v1/depth?format=raw&focal_px=520", PNG)
    assert answer.headers["X-Depth-Camera-Source"] == "given"


def test_the_answer_is_upright_and_knows_the_camera_of_exif(server: Running) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    answer = server.post("/v1/depth?format=raw", file_of(PHOTO, "JPEG", exif=exif))
    assert (answer.headers["X-Depth-Width"], answer.headers["X-Depth-Height"]) == ("240", "320")
    assert answer.headers["X-Depth-Camera-Source"] == "exif"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_max_side_shrinks_the_answer_and_its_camera(server: Running, form: str) -> None:
    large = file_of(picture(3, 1280, 960), form)
    answer = server.post("/v1/depth?format=raw&max_side=320&focal_px=1040", large)
    assert (answer.headers["X-Depth-Width"], answer.headers["X-Depth-Height"]) == ("320", "240")
    assert float(answer.headers["X-Depth-Focal-Px"]) == pytest.approx(260, rel=1e-3)
    np.testing.assert_allclose(metres_of(answer), brightness_depth_m(picture(3)), atol=0.5)
    assert server.post("/v1/depth?format=raw&max_side=4000", PNG).headers["X-Depth-Width"] == "320"


def test_mirrored_average_is_passed_on(server: Running) -> None:
    # What the tiny bundle says of a pixel does not depend on its neighbours.
    np.testing.assert_allclose(depth_of(server, "tta=true"), depth_of(server), atol=1e-5)


@pytest.mark.parametrize(
    ("query", "accept", "media", "kind"),
    [
        ("", "*/*", "application/ply", "ply"),
        ("?format=glb", "*/*", "model/gltf-binary", "glb"),
        ("?format=mesh", "*/*", "model/gltf-binary", "glb"),
        ("", "model/gltf-binary; profile=mesh", "model/gltf-binary", "glb"),
    ],
)
def test_points_and_mesh(server: Running, query: str, accept: str, media: str, kind: str) -> None:
    answer = server.post(f"/v1/points{query}", PNG, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media)
    scene = trimesh.load_scene(BytesIO(answer.content), file_type=kind)
    (thing,) = scene.geometry.values()
    assert len(thing.vertices) > 10_000
    assert hasattr(thing, "faces") == ("mesh" in query + accept)


def test_fewer_points_fly_the_higher_the_limit(server: Running) -> None:
    edge = np.full((240, 320, 3), 40, np.uint8)
    edge[:, 160:] = 220
    blurred = np.asarray(Image.fromarray(edge).resize((40, 30)).resize((320, 240), Image.Resampling.BILINEAR))
    sizes = [len(server.post(f"/v1/points?flying_pixels={deg}", file_of(blurred)).content) for deg in (0, 5, 20)]
    assert sizes[0] > sizes[1] >= sizes[2]


def test_models_and_examples(server: Running) -> None:
    (card,) = server.get("/v1/models").json()
    assert (card["name"], card["default"], card["uncertainty"], card["license"]) == ("tiny", True, False, "Apache-2.0")
    examples = server.get("/v1/examples").json()
    assert len(examples) == 5
    for example in examples:
        photo = server.get(example["url"])
        assert (photo.status_code, photo.headers["Content-Type"]) == (200, "image/jpeg")
        assert len(example["alt"]) > 20
        assert "max-age" in photo.headers["Cache-Control"]


def test_metrics_count(tmp_path: Path) -> None:
    with serving(write_tiny_bundle(tmp_path / "tiny.onnx"), tmp_path) as server:

        def counted(status: int, times: int) -> bool:
            line = f'densedepth_requests_total{{route="/v1/depth",status="{status}"}} {times}.0'
            return line in server.get("/metrics").text

        for times in (1, 2):
            server.post("/v1/depth", PNG)
            eventually(partial(counted, 200, times))
        server.post("/v1/depth", b"no picture")
        eventually(partial(counted, 415, 1))
        assert counted(200, 2)
        text = server.get("/metrics").text
    assert "densedepth_queue_length 0" in text
    assert "densedepth_batch_size_bucket" in text


def test_the_studio_is_served(server: Running) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    for path in [STUDIO_DIR / "index.html", *STUDIO_DIR.rglob("*.*")]:
        page = server.get(f"/{path.relative_to(STUDIO_DIR).as_posix()}")
        assert page.content == path.read_bytes()
        assert page.headers["Content-Type"].startswith(kinds[path.suffix])
        assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert server.get("/").content == (STUDIO_DIR / "index.html").read_bytes()
    assert requests.head(f"{server.url}/", timeout=10).status_code == 200


def test_pages_are_safe_and_are_asked_for_again(server: Running) -> None:
    page = server.get("/docs")
    assert "/v1/depth" in page.text
    assert "://" not in page.text  # nothing from outside
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    style = server.get("/docs.css")
    assert (style.headers["Content-Type"], style.headers["Cache-Control"]) == ("text/css; charset=utf-8", "no-cache")
    again = server.get("/docs.css", headers={"If-None-Match": style.headers["ETag"]})
    assert again.status_code == 304


def test_every_error_is_one_line_of_json(server: Running) -> None:
    answers = [
        server.get("/nowhere"),
        server.get("/v1/depth"),
        server.get("/v1/videos/nothing"),
        server.get("/examples/../../../etc/passwd"),
        server.post("/v1/depth?format=gif", PNG),
        server.post("/v1/depth?fov_deg=50&focal_px=500", PNG),
        server.post("/v1/depth?model=other", PNG),
        server.post("/v1/depth?fov_deg=0.5", PNG),
        server.post("/v1/depth", PNG, headers={"Accept": "text/html"}),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 404, 404, 422, 422, 422, 422, 406]
    for answer in answers:
        (error,) = answer.json().values()
        assert list(answer.json()) == ["error"]
        assert "\n" not in error
        assert str(server.log.parent) not in error


def test_the_log_says_what_happened_and_nothing_of_the_picture(server: Running) -> None:
    # So many digits that no time of day and no duration in the log is the same by chance.
    fov_deg = "51.2573119"
    url = f"{server.url}/v1/depth?fov_deg={fov_deg}"
    request = requests.Request("POST", url, files={"file": ("a-secret-name-of-its-own.png", PNG)}).prepare()
    assert requests.Session().send(request, timeout=60).status_code == 200

    def lines() -> list[dict[str, object]]:
        # The request's own line: it is written when the answer has gone, and others' lines may come between.
        every = map(json.loads, server.log.read_text().splitlines())
        return [line for line in every if line.get("bytes_in") == len(request.body)]

    eventually(lines, why=server.log.read_text)
    (line,) = lines()
    assert (line["level"], line["method"], line["route"]) == ("info", "POST", "/v1/depth")
    assert (line["status"], line["client"]) == (200, "127.0.0.1")
    assert "secret" not in server.log.read_text()
    assert fov_deg not in server.log.read_text()


def test_the_shipped_bundle(tmp_path: Path) -> None:
    from densedepth.runtime import load
    from densedepth.runtime.zoo import EXAMPLES_DIR

    photo = EXAMPLES_DIR / "kitchen.jpg"
    with serving("nyu", tmp_path) as server:
        answer = server.post("/v1/depth?format=raw", photo.read_bytes())
        numbers = server.post("/v1/depth?format=json", photo.read_bytes()).json()
        (card,) = server.get("/v1/models").json()
    expected = load("nyu", threads=1).predict(photo)
    assert expected.uncertainty_m is not None
    np.testing.assert_allclose(metres_of(answer), expected.depth_m, rtol=1e-6)
    assert (answer.headers["X-Depth-Uncertainty"], card["uncertainty"]) == ("1", True)
    second_block = np.frombuffer(answer.content, "<f4")[expected.depth_m.size :]
    np.testing.assert_allclose(second_block, expected.uncertainty_m.ravel(), rtol=1e-6)
    assert numbers["mean_uncertainty_m"] == pytest.approx(expected.uncertainty_m.mean(), rel=1e-5)


def test_errors_do_not_say_where_files_lie(tmp_path: Path) -> None:
    nothing_m = np.zeros((20, 30), np.float32)
    camera = Camera(30.0, 30.0, 15.0, 10.0, 30, 20)
    for depth, write in (
        (DepthMap(nothing_m + 100, camera=camera), partial(answers.encoded, name="png16", media="image/png")),
        (DepthMap(nothing_m, camera=camera), partial(answers.points_file, name="glb", flying_pixels=5)),
        (DepthMap(nothing_m, camera=camera), partial(answers.points_file, name="mesh", flying_pixels=5)),
    ):
        with pytest.raises(DepthFileError) as found:
            write(depth, folder=tmp_path)
        assert str(tmp_path) not in str(found.value)
    assert not list(tmp_path.iterdir())
