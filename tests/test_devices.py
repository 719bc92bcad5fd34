"""Devices: the same depth on each, the right one by itself, and one line where there is none."""

from __future__ import annotations

import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import MakeBundle, brightness_depth_m
from densedepth import cli
from densedepth.errors import BundleError, DeviceError
from densedepth.runtime import Bundle, devices, load, read_card
from densedepth.runtime.devices import names, open_runner

PROVIDER = "CUDAExecutionProvider"

RELATIVE_TOLERANCE = 1e-4
"""Two runtimes add float32 in different orders."""


def openvino() -> Any:
    return pytest.importorskip("openvino", reason="needs an extra: pip install densedepth[openvino]")


def as_openvino(bundle: Path) -> Path:
    """The bundle in OpenVINO's own format, as `densedepth export` writes it."""
    ov = openvino()
    model = ov.Core().read_model(bundle)
    model.set_rt_info(read_card(bundle).to_json(), ["densedepth", "card"])
    path = bundle.with_suffix(".xml")
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def test_auto_is_onnxruntime_on_a_cpu(tiny_bundle: MakeBundle) -> None:
    assert load(tiny_bundle()).device == "onnxruntime"


def test_openvino_agrees_with_onnxruntime(tiny_bundle: MakeBundle, random_image: NDArray[np.uint8]) -> None:
    openvino()
    path = tiny_bundle(shift=True)
    for threads in (None, 1, 2):
        estimator = load(path, device="openvino", threads=threads)
        assert estimator.device == "openvino"
        expected = load(path, device="onnxruntime").infer(random_image[None])
        np.testing.assert_allclose(estimator.infer(random_image[None]), expected, rtol=RELATIVE_TOLERANCE)


def test_the_shipped_bundle_says_the_same_on_openvino(random_image: NDArray[np.uint8]) -> None:
    """Without a wish for float32, OpenVINO would calculate in bfloat16 where the processor has it: 1 % and more off."""
    openvino()
    depths = [load("nyu", device=device, threads=1).infer(random_image[None]) for device in ("onnxruntime", "openvino")]
    np.testing.assert_allclose(depths[1], depths[0], rtol=RELATIVE_TOLERANCE)


def test_a_bundle_of_openvino(tiny_bundle: MakeBundle, random_image: NDArray[np.uint8]) -> None:
    path = as_openvino(tiny_bundle())
    assert read_card(path) == read_card(path.with_suffix(".onnx"))
    estimator = load(path)
    assert estimator.device == "openvino"
    np.testing.assert_allclose(estimator.infer(random_image[None])[0], brightness_depth_m(random_image), rtol=1e-5)
    with pytest.raises(DeviceError, match="runs on --device openvino, not on onnxruntime"):
        load(path, device="onnxruntime")


def test_a_damaged_bundle_of_openvino(tiny_bundle: MakeBundle) -> None:
    path = as_openvino(tiny_bundle())
    whole = path.read_bytes()
    weights = path.with_suffix(".bin").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole.replace(b"densedepth", b"another")):
        path.write_bytes(content)
        with pytest.raises(BundleError) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    path.with_suffix(".bin").unlink()
    with pytest.raises(BundleError, match=r"tiny\.bin, are not beside it"):
        load(path)
    path.with_suffix(".bin").write_bytes(weights[:4])
    with pytest.raises(BundleError, match="OpenVINO cannot load it"):
        load(path)


def test_threads_may_share_a_runner(tiny_bundle: MakeBundle) -> None:
    """A request of OpenVINO is no place for two pictures at a time."""
    runner = Bundle(tiny_bundle(), device="openvino" if openvino() else "", threads=1)
    images = np.random.default_rng(1).integers(0, 256, (8, 1, 96, 128, 3), dtype=np.uint8)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not np.allclose(runner.infer(images[number]), brightness_depth_m(images[number]), rtol=1e-4):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_unknown_and_missing_devices_are_one_line(tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_bundle()
    with pytest.raises(DeviceError, match=r"unknown device 'gpu': installed are onnxruntime.*cuda"):
        load(path, device="gpu")
    with pytest.raises(DeviceError, match=r"cuda is not installed; installed are onnxruntime.*onnxruntime-gpu"):
        load(path, device="cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match=r"openvino is not installed.*pip install densedepth\[openvino\]"):
        load(path, device="openvino")


@pytest.mark.parametrize("source", ["bundle", "checkpoint"])
def test_torch_missing_names_the_extra(
    source: str, tiny_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoTorch:
        """What importing densedepth.export does in a core installation."""

        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "densedepth.export":
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.delitem(sys.modules, "densedepth.export", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])
    if source == "bundle":
        with pytest.raises(DeviceError, match=r"torch is not installed.*pip install densedepth\[train\]"):
            load(tiny_bundle(), device="torch")
    else:
        with pytest.raises(BundleError, match=r"pip install densedepth\[train\]"):
            load(tmp_path)


def test_torch_agrees_with_the_shipped_bundle(random_image: NDArray[np.uint8]) -> None:
    pytest.importorskip("timm", reason="needs an extra: pip install densedepth[train]")
    estimator = load("nyu", device="torch", threads=1)
    assert estimator.device == "torch"
    expected = load("nyu", device="onnxruntime", threads=1).infer(random_image[None])
    np.testing.assert_allclose(estimator.infer(random_image[None]), expected, rtol=RELATIVE_TOLERANCE)


class Accelerated:
    """A GPU that answers like the CPU, times a factor; or not at all."""

    def __init__(self, runner: devices.Runner, factor: float | None) -> None:
        self._runner, self._factor = runner, factor
        self.inputs, self.outputs = runner.inputs, runner.outputs

    def run(self, images: NDArray[np.uint8], wanted: list[str]) -> list[NDArray[Any]]:
        if self._factor is None:
            raise RuntimeError("out of memory")
        return [answer * np.float32(self._factor) for answer in self._runner.run(images, wanted)]


@pytest.mark.parametrize(
    ("factor", "device", "why"),
    [
        (1.001, "cuda", None),
        (1.05, "onnxruntime", "differs from the CPU's by 5"),
        (float("nan"), "onnxruntime", "differs from the CPU's by nan"),
        (None, "onnxruntime", r"starts but fails \(RuntimeError\)"),
    ],
)
def test_auto_trusts_a_gpu_that_agrees_with_the_cpu(
    tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, factor: float | None, device: str, why: str | None
) -> None:
    real = devices._open

    def opened(path: Path, name: str, threads: int | None) -> devices.Runner:
        runner = real(path, "onnxruntime", threads)
        return Accelerated(runner, factor) if name == "cuda" else runner

    monkeypatch.setattr(devices, "_open", opened)
    monkeypatch.setattr(names, "_providers", lambda: ["CPUExecutionProvider", PROVIDER])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        chosen, _ = open_runner(tiny_bundle())
    assert chosen == device
    assert [str(warning.message) for warning in said] == [] if why is None else len(said) == 1
    if why is not None:
        with pytest.warns(UserWarning, match=f"{why}.*going on with onnxruntime on the CPU"):
            open_runner(tiny_bundle())


def test_a_provider_that_does_not_start(tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime takes the CPU by itself where CUDA's libraries are missing; that is no CUDA."""
    import onnxruntime

    path = tiny_bundle()
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDER, "CPUExecutionProvider"])
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda path, options, providers: real(path, options, ["CPUExecutionProvider"])
    )
    with pytest.raises(DeviceError, match="cuda does not start: onnxruntime fell back to the CPU"):
        load(path, device="cuda")
    with pytest.warns(UserWarning, match="cuda does not start.*going on with onnxruntime"):
        assert load(path).device == "onnxruntime"


def test_the_command_says_what_it_runs_on(
    tiny_bundle: MakeBundle, random_image: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    openvino()
    Image.fromarray(random_image).save(tmp_path / "a.png")
    words = ["predict", str(tmp_path / "a.png"), "--model", str(tiny_bundle()), "-o", str(tmp_path), "--overwrite"]
    for device, said in (("auto", "onnxruntime"), ("openvino", "openvino")):
        assert cli.main([*words, "--device", device]) == 0
        assert capsys.readouterr().err == f"device: {said}\n"
    assert cli.main([*words, "--device", "abacus"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown device 'abacus': installed are onnxruntime")
