"""doctor: what works is tried, what crashes is reported, and every fault comes with its fix."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from densedepth import cli
from densedepth.commands import doctor, probes
from densedepth.runtime.devices import DEVICES

ROOT = Path(__file__).parents[1]
Modules = Callable[..., None]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Modules:
    """`modules(name="code")` puts modules before those that are installed, in the processes that doctor starts."""

    def put(**codes: str) -> None:
        for name, code in codes.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(code)
        paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    return put


def test_a_crash_of_one_runtime_is_reported_and_the_core_works(
    modules: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    modules(
        openvino="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        torch="raise RuntimeError('operator torchvision::nms does not exist')",
    )
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"ok +photo +bedroom.jpg: \d", said)
    assert re.search(r"ok +onnxruntime +ready in [\d.]+ s, a picture in \d+ ms", said)
    assert re.search(r"FAILS +openvino .*SIGSEGV\n +fix: pip install --force-reinstall openvino", said)
    assert re.search(r"FAILS +torch .*torchvision::nms.*\n +fix: pip install --upgrade torch torchvision", said)
    assert said.endswith("the core works\n")


def test_without_a_runtime_the_status_is_1(modules: Modules, capsys: pytest.CaptureFixture[str]) -> None:
    modules(
        onnxruntime="raise ImportError('libonnxruntime.so.1: cannot open shared object file')",
        openvino="raise RuntimeError('not today')",
        torch="raise RuntimeError('not today')",
    )
    assert cli.main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["works"] is False
    checks = {check["name"]: check for check in report["checks"]}
    for name in doctor.CORE:
        assert checks[name]["state"] == "fails"
        assert "libonnxruntime.so.1" in checks[name]["detail"]
        assert checks[name]["fix"].startswith("pip install --force-reinstall")
    assert "\n" not in "".join(check["detail"] for check in report["checks"])


def test_nothing_of_the_core_is_needed_to_say_so(modules: Modules) -> None:
    modules(numpy="import os; os._exit(7)")
    checks = {check.name: check for check in doctor.run_checks()}
    assert set(checks) == set(doctor.CORE)
    assert {check.state for check in checks.values()} == {"fails"}
    assert "status 7" in checks["photo"].detail


def test_what_hangs_is_given_up(modules: Modules, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(onnxruntime="import time; time.sleep(600)")
    monkeypatch.setattr(doctor, "TIMEOUT_S", 3)
    assert doctor._probe("device", "onnxruntime") == {"state": "fails", "detail": "no answer within 3 s"}


def test_a_device_that_says_another_depth_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[tuple[str, ...], dict[str, object]] = {
        ("here",): {"devices": {"onnxruntime": "", "cuda": "a driver"}, "agreement": 0.01},
        ("device", "onnxruntime"): {"mean_m": 2.0},
        ("device", "cuda"): {"mean_m": 2.1},
    }
    monkeypatch.setattr(
        doctor, "_probe", lambda *words: {"state": "works", "detail": ""} | answers.get(words, {"seconds": 1})
    )
    checks = {check.name: check for check in doctor.run_checks()}
    assert checks["onnxruntime"].state == "works"
    assert checks["cuda"].state == "fails"
    assert "another depth" in checks["cuda"].detail
    assert checks["cuda"].fix == doctor.FIXES["cuda"]


def test_a_full_disk_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    assert probes.cache()["state"] == "works"
    monkeypatch.setattr(probes, "LOW_DISK_GB", 1e9)
    answer = probes.cache()
    assert (answer["state"], str(tmp_path / "new") in answer["detail"]) == ("fails", True)


def test_packages_are_told_with_their_extra_and_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy>=1.26",
        "onnxruntime>=1.18",
        "torch!=2.13.0,>=2.6; extra == 'train'",
        "av>=18; extra == 'video'",
        "jsonargparse[signatures]>=4.49; extra == 'train'",
        "ruff>=0.6; extra == 'dev'",
        'densedepth[video]; extra == "all"',
    ]
    there = {"numpy": "2.1.0", "onnxruntime-gpu": "1.31.1", "torch": "2.13.0+cpu", "jsonargparse": "4.53.0"}

    def version(name: str) -> str:
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr("importlib.metadata.requires", lambda name: wanted)
    monkeypatch.setattr("importlib.metadata.version", version)
    found = {package.name: package for package in doctor.packages()}
    assert list(found) == ["numpy", "onnxruntime", "torch", "av", "jsonargparse"]
    assert (found["numpy"].extra, found["numpy"].fix) == ("", "")
    assert (found["onnxruntime"].version, found["onnxruntime"].fix) == ("1.31.1", "")
    assert found["torch"].fix == "pip install --upgrade densedepth[train]"
    assert (found["av"].extra, found["av"].version) == ("video", None)
    assert found["av"].fix == "pip install --upgrade densedepth[video]"
    lines = doctor._package_lines(list(found.values()))
    assert "torch 2.13.0+cpu (needs !=2.13.0,>=2.6)" in lines
    assert "not there: av" in lines


@pytest.mark.parametrize(
    ("version", "wanted", "suits"),
    [
        ("1.18", ">=1.18.0", True),
        ("1.9", ">=1.18", False),
        ("1.18.0rc1", ">=1.18", True),
        ("2.13.0+cpu", ">=2.6,!=2.13.0", False),
        ("0.1.0", "==0.1.0", True),
        ("0.1.1", "==0.1.0", False),
        ("5", "", True),
    ],
)
def test_versions_are_compared_by_number(version: str, wanted: str, suits: bool) -> None:
    assert doctor._suits(version, wanted) is suits


def test_every_check_has_a_fix_and_every_extra_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(doctor.EXTRAS.values()) <= set(extras)
    assert set(cli.EXTRA_OF.values()) <= set(extras)
    named = " ".join([*doctor.FIXES.values(), *DEVICES.values()])
    assert set(re.findall(r"densedepth\[(\w+)\]", named)) <= set(extras)
    assert set(doctor.EXTRAS) <= set(probes.PROBES)
    assert set(doctor.CORE) <= set(doctor.FIXES)


@pytest.mark.slow
def test_all_that_is_installed_here_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["works"] is True
    names = [check["name"] for check in report["checks"]]
    assert len(names) == len(set(names))
    assert {"photo", "onnxruntime", "openvino", "torch", "rooms", "furniture", "video", "hub", "cache"} <= set(names)
    for check in report["checks"]:
        assert (check["fix"] == "") == (check["state"] == "works"), check
