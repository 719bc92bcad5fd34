"""Models of the hub, through its real client and a hub on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import densedepth
from conftest import TRAINED, MakeBundle
from densedepth.cli import main
from densedepth.errors import BundleError, DenseDepthError, NoBundleError
from densedepth.evaluation.hf import load_any
from densedepth.runtime import Card, load
from densedepth.runtime.hub import HubName
from densedepth.runtime.publishing import model_card, publish_bundle

constants = pytest.importorskip("huggingface_hub.constants", reason="needs pip install densedepth[hub]")

from hub_server import READ_TOKEN, WRITE_TOKEN, Hub, Repo, running_hub, use_hub  # noqa: E402

NAME = "hf:some/rooms"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as server:
        use_hub(monkeypatch, server.url, tmp_path / "home")
        yield server


@pytest.fixture
def bundle(tiny_bundle: MakeBundle) -> Path:
    return tiny_bundle()


def filled(bundle: Path, **more: bytes) -> Repo:
    """A repository as `publish_bundle` makes it."""
    data = bundle.read_bytes()
    sums = f"{hashlib.sha256(data).hexdigest()}  model.onnx\n".encode()
    return Repo({"model.onnx": data, "SHA256SUMS": sums, "README.md": b"# rooms", **more})


def depth_of(model: str) -> np.ndarray:
    image = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    return load(model).predict(image).depth_m


def fetched(hub: Hub) -> list[str]:
    return [path for method, path in hub.log if method == "GET" and "/resolve/" in path]


def no_file_left(tmp_path: Path) -> bool:
    return not [path for path in (tmp_path / "home").rglob("*") if path.suffix == ".onnx" or path.name.endswith("lete")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf:some/rooms", ("some/rooms", None, None)),
        ("hf:some/rooms@v1", ("some/rooms", "v1", None)),
        ("hf:some/rooms@refs/pr/3", ("some/rooms", "refs/pr/3", None)),
        ("hf:some/rooms/a/b.onnx", ("some/rooms", None, "a/b.onnx")),
        ("hf:some/rooms@v1/b.onnx", ("some/rooms", "v1", "b.onnx")),
        ("hf:some/rooms@refs/pr/3/b.onnx", ("some/rooms", "refs/pr/3", "b.onnx")),
    ],
)
def test_names(text: str, parts: tuple[str, str | None, str | None]) -> None:
    name = HubName.parse(text)
    assert (name.repo, name.revision, name.file) == parts


@pytest.mark.parametrize("text", ["hf:", "hf:rooms", "hf:some/rooms/model.pt", "hf:some/rooms@", "hf:a/b@c@d/e.onnx"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(NoBundleError, match=r"give hf:user/repo"):
        load(text)


def test_a_bundle_is_fetched_once(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    hub.repos["some/rooms"] = filled(bundle, **{"weights.pkl": b"evil", "pytorch_model.bin": b"evil"})
    expected = depth_of(str(bundle))
    for name in (NAME, f"{NAME}@main", f"{NAME}/model.onnx", f"{NAME}@{hub.repos['some/rooms'].sha}"):
        assert np.array_equal(depth_of(name), expected)
    # Neither the rest of the repository nor anything twice.
    assert [path.rpartition("/")[2] for path in fetched(hub)] == ["model.onnx", "SHA256SUMS"]


def test_a_new_commit_is_seen_and_an_old_one_can_be_named(hub: Hub, bundle: Path, tiny_bundle: MakeBundle) -> None:
    hub.repos["some/rooms"] = filled(bundle)
    first = hub.repos["some/rooms"].sha
    load(NAME)
    hub.repos["some/rooms"] = filled(tiny_bundle("new.onnx", card=Card("newer", TRAINED, (0.1, 10.0)).to_json()))
    assert load(NAME).card.name == "newer"
    with pytest.raises(BundleError, match="no such revision"):
        load(f"{NAME}@{first}")  # this hub keeps the newest only


def test_one_of_several_must_be_named(hub: Hub, bundle: Path) -> None:
    repo = hub.repos["some/rooms"] = Repo({"b.onnx": bundle.read_bytes(), "a.onnx": b"x", "sub/c.onnx": b"y"})
    with pytest.raises(BundleError, match=r"^hf:some/rooms: holds a\.onnx, b\.onnx; name .* hf:some/rooms/a\.onnx$"):
        load(NAME)
    assert load(f"{NAME}/b.onnx").card.name == "tiny"
    with pytest.raises(BundleError, match=r"no such file in the repository; it holds a\.onnx, b\.onnx$"):
        load(f"{NAME}/d.onnx")
    repo.files = {"sub/b.onnx": bundle.read_bytes()}
    with pytest.raises(NoBundleError, match="no bundle"):
        load(NAME)
    assert load(f"{NAME}/sub/b.onnx").card.name == "tiny"


@pytest.mark.parametrize("liar", ["the hub", "SHA256SUMS"])
def test_a_wrong_checksum_removes_the_file(liar: str, hub: Hub, bundle: Path, tmp_path: Path) -> None:
    repo = hub.repos["some/rooms"] = filled(bundle)
    if liar == "the hub":
        repo.stated["model.onnx"] = "0" * 64
    else:
        repo.files["SHA256SUMS"] = b"0" * 64 + b"  model.onnx\n"
    for _ in range(2):  # the second time it is not taken from the cache
        with pytest.raises(BundleError, match=rf"SHA-256 .*, {liar} says 0+\.\.\.; it was removed") as caught:
            load(NAME)
        assert "\n" not in str(caught.value)
        assert no_file_left(tmp_path)


def test_damage_in_the_cache_is_found_and_mended(
    hub: Hub, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["some/rooms"] = filled(bundle)
    load(NAME)
    (place,) = (tmp_path / "home").rglob("model.onnx")
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.resolve().write_bytes(data)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BundleError, match="SHA256SUMS says"):
        load(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert load(NAME).card.name == "tiny"


def test_without_any_checksum_it_is_refused(hub: Hub, bundle: Path) -> None:
    repo = hub.repos["some/rooms"] = filled(bundle)
    del repo.files["SHA256SUMS"]
    assert load(NAME).card.name == "tiny"  # the hub's own is enough
    repo.files["x"], repo.stated["model.onnx"] = b"a new commit", None
    with pytest.raises(BundleError, match=r"nothing states the SHA-256 of model\.onnx"):
        load(NAME)


def test_half_a_file(hub: Hub, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the client's own attempts
    repo = hub.repos["some/rooms"] = filled(bundle)
    repo.broken = {"model.onnx"}
    with pytest.raises(BundleError, match=r"^hf:some/rooms: not in the cache, and it cannot be fetched \(") as caught:
        load(NAME)
    assert "\n" not in str(caught.value)
    assert no_file_left(tmp_path)
    repo.broken = set()
    assert load(NAME).card.name == "tiny"


def test_offline_takes_the_cache_and_asks_nobody(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["some/rooms"] = filled(bundle)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = r"^hf:some/rooms: not in the cache, and HF_HUB_OFFLINE is set; load it once with a network$"
    with pytest.raises(BundleError, match=message):
        load(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    load(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.log.clear()
    for name in (NAME, f"{NAME}@main", f"{NAME}/model.onnx", f"{NAME}@{hub.repos['some/rooms'].sha}"):
        assert load(name).card.name == "tiny"
    for name in (f"{NAME}@v1", f"{NAME}/other.onnx"):
        with pytest.raises(BundleError, match="not in the cache, and HF_HUB_OFFLINE is set"):
            load(name)
    assert hub.log == []


def test_a_hub_that_is_down(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.repos["some/rooms"] = filled(bundle)
    hub.status = 503
    with pytest.raises(BundleError, match="not in the cache, and it cannot be fetched"):
        load(NAME)
    hub.status = 0
    load(NAME)
    hub.status = 503
    with pytest.warns(UserWarning, match=r"^hf:some/rooms: it cannot be fetched .*; the copy in the cache is used$"):
        assert load(NAME).card.name == "tiny"


def test_no_network(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "home")  # nobody listens there
    with pytest.raises(BundleError, match="not in the cache, and it cannot be fetched") as caught:
        load(NAME)
    assert "\n" not in str(caught.value)


def test_answers_that_say_no(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["some/rooms"] = filled(bundle)
    with pytest.raises(BundleError, match=r"^hf:some/else: no such repository, or a private one"):
        load("hf:some/else")
    with pytest.raises(BundleError, match=r"^hf:some/rooms@v9: no such revision"):
        load(f"{NAME}@v9")
    hub.repos["some/rooms"].gated = True
    with pytest.raises(BundleError, match=r"^hf:some/rooms: gated: ask for access"):
        load(NAME)
    hub.status = 403
    with pytest.raises(BundleError, match=r"^hf:some/rooms: HF_TOKEN has no right to it$"):
        load(NAME)


def test_a_private_repository_needs_a_token(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["some/rooms"] = filled(bundle)
    hub.repos["some/rooms"].private = True
    with pytest.raises(BundleError, match="or a private one: check the name, or set HF_TOKEN"):
        load(NAME)
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert load(NAME).card.name == "tiny"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BundleError, match=r"pip install densedepth\[hub\]$"):
        load(NAME)
    with pytest.raises(DenseDepthError, match=r"pip install densedepth\[hub\]$"):
        publish_bundle(bundle, "some/rooms")


def test_evaluate_takes_a_bundle_first_and_transformers_else(
    hub: Hub, bundle: Path, tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("densedepth.evaluation.hf.load_hub", lambda model, threads: f"transformers {model}")
    hub.repos["some/rooms"] = filled(bundle, **{"config.json": b"{}"})
    foreign = tiny_bundle("foreign.onnx", card=None).read_bytes()
    hub.repos["other/tool"] = Repo({"model.onnx": foreign, "config.json": b"{}"})
    hub.repos["other/net"] = Repo({"model.safetensors": b"", "config.json": b"{}"})
    assert load_any(NAME).card.name == "tiny"  # type: ignore[union-attr]
    (tmp_path / "folder").mkdir()
    for name in ("hf:other/tool", "hf:other/net", "hf:dpt", f"hf:{tmp_path / 'folder'}"):
        found: Any = load_any(name)
        assert found == f"transformers {name}"
    with pytest.raises(NoBundleError, match="no densedepth card"):  # only evaluate knows transformers
        load("hf:other/tool")
    with pytest.raises(BundleError, match="no such repository"):
        load_any("hf:some/else")


def test_what_was_pushed_can_be_loaded(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    address = publish_bundle(bundle, "some/rooms")
    repo = hub.repos["some/rooms"]
    assert address == f"{hub.url}/some/rooms/commit/{repo.sha}"
    assert not repo.private
    assert set(repo.files) == {"model.onnx", "SHA256SUMS", "README.md"}
    assert repo.files["model.onnx"] == bundle.read_bytes()
    assert len([path for _, path in hub.log if "/commit/" in path]) == 1
    assert load(NAME).card.name == "tiny"
    publish_bundle(bundle, "some/rooms")  # the repository is there already


def test_private_stays_private(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    publish_bundle(bundle, "some/secret", private=True)
    assert hub.repos["some/secret"].private
    publish_bundle(bundle, "some/secret", private=True)
    hub.repos["some/open"] = Repo()
    with pytest.raises(DenseDepthError, match=r"^some/open: exists and is public"):
        publish_bundle(bundle, "some/open", private=True)
    assert hub.repos["some/open"].files == {}


@pytest.mark.parametrize(
    ("repo", "token", "status", "why"),
    [
        ("some/rooms", None, 0, "no token: set HF_TOKEN to one with the right to write"),
        ("some/rooms", "hf_wrong", 0, "the token is not accepted"),
        ("some/rooms", READ_TOKEN, 0, "no right"),
        ("some/rooms", WRITE_TOKEN, 500, "the hub cannot be reached"),
        ("rooms", WRITE_TOKEN, 0, "not the name of a repository; give user/repo"),
        ("some/..", WRITE_TOKEN, 0, "not a name the hub can have"),
    ],
)
def test_pushing_says_why_not(
    repo: str,
    token: str | None,
    status: int,
    why: str,
    hub: Hub,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.status = status
    assert main(["push", str(bundle), repo]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"error: {repo}: ")
    assert why in captured.err
    assert hub.repos == {}


def test_pushing_offline(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    with pytest.raises(DenseDepthError, match=r"^some/rooms: HF_HUB_OFFLINE is set; nothing was published$"):
        publish_bundle(bundle, "some/rooms")


def test_only_bundles_are_pushed(hub: Hub, tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    with pytest.raises(NoBundleError):
        publish_bundle(tiny_bundle(card=None), "some/rooms")
    with pytest.raises(DenseDepthError, match=r"^x\.xml: OpenVINO bundles are two files"):
        publish_bundle("x.xml", "some/rooms")
    assert main(["push", "nothing.onnx", "some/rooms"]) == 1
    assert hub.repos == {}


def test_model_card() -> None:
    numbers = {"delta1": 0.72512, "rmse": 0.612, "silog": 17.0}
    measured: list[dict[str, Any]] = [
        {"dataset": "nyu test", "protocol": "nyu-eigen", "tta": True, "per_image": numbers, "pooled": {}},
        {"dataset": "a|b", "pooled": {"abs_rel": 0.1}},
        {"dataset": "empty"},
    ]
    card = Card("rooms", TRAINED, (0.1, 10.0), license="MIT", encoder="e", training_data="NYU", metrics=measured)
    text = model_card(card, "some/rooms")
    _, front, body = text.split("---\n", 2)
    values = yaml.safe_load(front)
    assert (values["license"], values["library_name"], values["pipeline_tag"]) == (
        "mit",
        "densedepth",
        "depth-estimation",
    )
    assert 'densedepth.load("hf:some/rooms")' in body
    assert "| nyu test | nyu-eigen |  |  |  | True |  | 0.725 |  |  |  | 0.612 |  |" in body
    assert r"| a\|b |" in body
    # The hub's own reader of the card finds the same numbers.
    from huggingface_hub import ModelCard, ModelCardData

    data = ModelCard(text).data
    assert isinstance(data, ModelCardData)
    results = data.eval_results or []
    assert [(result.metric_type, result.metric_value) for result in results] == [
        ("delta1", 0.7251),
        ("rmse", 0.612),
        ("abs_rel", 0.1),
    ]


@pytest.mark.parametrize(("licence", "shown"), [("", None), ("research only", "other"), ("Apache 2.0", "apache-2.0")])
def test_licence_of_the_model_card(licence: str, shown: str | None) -> None:
    text = model_card(Card("rooms", TRAINED, (0.1, 10.0), license=licence), "some/rooms")
    assert yaml.safe_load(text.split("---\n", 2)[1]).get("license") == shown
    assert (licence or "Not stated: ask the owner") in text
    assert "Not measured." in text


def test_pushing_a_network_looks_for_a_token_before_the_export(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from densedepth.models import DenseDepth

    monkeypatch.setattr("densedepth.export.export_checkpoint", None)
    with pytest.raises(DenseDepthError, match="no token"):
        DenseDepth("test_efficientnet", decoder_width=16).push_to_hub("some/rooms")


@pytest.mark.slow
def test_a_network_is_exported_and_pushed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from densedepth.models import DenseDepth

    net = DenseDepth("test_efficientnet", decoder_width=16, output="exp")
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    net.push_to_hub("some/rooms", info={"training_data": "toy frames"}, license="MIT", private=True)
    estimator = load(NAME)
    assert (estimator.card.name, estimator.card.license) == ("rooms", "MIT")
    assert estimator.card.training_data == "toy frames"
    assert "toy frames" in hub.repos["some/rooms"].files["README.md"].decode()


def test_from_the_shell_without_torch(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "x.png")
    code = """
import sys
from densedepth.cli import main
assert main(["push", sys.argv[1], "some/rooms"]) == 0
assert main(["predict", sys.argv[2], "-o", sys.argv[3], "--model", "hf:some/rooms"]) == 0
print("MODULES", *sys.modules)
"""
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(densedepth.__file__).parents[1]),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_TOKEN": WRITE_TOKEN,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    words = [sys.executable, "-c", code, str(bundle), str(tmp_path / "x.png"), str(tmp_path / "out")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, _, modules = done.stdout.partition("MODULES")
    assert re.match(rf"{re.escape(str(bundle))} -> {hub.url}/some/rooms/commit/[0-9a-f]{{40}}\n", said)
    assert (tmp_path / "out" / "x_depth.png").is_file()
    assert not set(modules.split()) & {"torch", "transformers", "pickle5"}
