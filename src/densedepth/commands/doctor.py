"""`densedepth doctor`: what is installed, what of it works, and how to mend what does not."""

from __future__ import annotations

import importlib.metadata
import json as json_format
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from densedepth import __version__

TIMEOUT_S = 180
CORE = ("photo", "onnxruntime")
"""The checks that a photo's depth needs: doctor fails when one of them does."""

FIXES = {
    "photo": "pip install --force-reinstall densedepth",
    "onnxruntime": "pip install --force-reinstall onnxruntime",
    "cuda": "nvidia-smi must work; then pip install onnxruntime-gpu[cuda,cudnn]",
    "openvino": "pip install --force-reinstall openvino",
    "torch": "pip install --upgrade torch torchvision",
    "torch:cuda": "nvidia-smi must work; then pip install --upgrade torch torchvision, built for its CUDA version",
    "rooms": "apt install libegl1 libgl1-mesa-dri",
    "furniture": "apt install sweethome3d-furniture",
    "video": "pip install --force-reinstall av",
    "hub": "free some space, or set HF_HOME to a folder with more",
    "cache": "free some space, or set XDG_CACHE_HOME to a folder with more",
}
"""What mends a check that fails; what is not installed is told by its extra."""

DEVELOPMENT = ("dev", "docs")
"""Extras for those who change densedepth."""

STAND_INS = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml")}
"""Packages under another name that bring the same module."""

EXTRAS = {"rooms": "rooms", "video": "video", "hub": "hub"}
"""Check to the extra that brings what it needs."""

MARKS = {"works": "ok", "fails": "FAILS", "absent": "-"}


@dataclass(frozen=True)
class Package:
    """A package that densedepth names in its requirements.

    Attributes:
        extra: the extra it belongs to; "" is the core.
        version: None when it is not installed.
        wanted: the versions that densedepth runs with, such as ">=1.18".
        fix: the command that brings it; "" when all is well.
    """

    name: str
    extra: str
    version: str | None
    wanted: str
    fix: str


@dataclass(frozen=True)
class Check:
    """Something that was tried.

    Attributes:
        state: "works", "fails" or "absent".
        detail: on one line, what came out of it.
        fix: what to do; "" when it works.
        numbers: what was measured, by name.
    """

    name: str
    state: str
    detail: str
    fix: str
    numbers: dict[str, Any]


def doctor(json: bool = False) -> int:
    """Say what is installed, try every runtime and device on a tiny picture, and name the fix for what does not work.

    Everything is tried in a process of its own: what crashes is reported. The exit status is 0 when a photo becomes
    depth, whatever else may be missing.

    Args:
        json: print one JSON object
    """
    about = {
        "densedepth": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "location": str(Path(__file__).resolve().parents[1]),
    }
    found = packages()
    if not json:
        print("\n".join(f"{name:<11} {value}" for name, value in about.items()))
        print(f"\npackages\n{_package_lines(found)}\n\nchecks", flush=True)
    checks = []
    for check in run_checks():
        checks.append(check)
        if not json:
            print(_check_lines(check), flush=True)
    works = {check.name for check in checks if check.state == "works"} >= set(CORE)
    if json:
        values = [asdict(package) for package in found], [asdict(check) for check in checks]
        print(json_format.dumps({**about, "works": works, "packages": values[0], "checks": values[1]}, indent=1))
    else:
        print(
            "\nthe core works" if works else "\nthe core does not work: see the lines with FAILS or - and their fixes"
        )
    return 0 if works else 1


def packages() -> list[Package]:
    """Every package of densedepth's requirements, the core first; none when it runs from a folder, not installed."""
    try:
        requirements = importlib.metadata.requires("densedepth") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for text in requirements:
        needs, _, marker = text.partition(";")
        name, wanted = re.fullmatch(r"([\w.-]+)(?:\[.*?\])?\s*(.*)", needs.strip()).groups()  # type: ignore[union-attr]
        belongs = re.search(r"""extra\s*==\s*['"]([\w-]+)""", marker)
        extra = belongs[1] if belongs else ""
        if extra in DEVELOPMENT or name == "densedepth":
            continue
        version = _version(name)
        fix = f"pip install --upgrade densedepth{f'[{extra}]' if extra else ''}"
        found.append(Package(name, extra, version, wanted, "" if version and _suits(version, wanted) else fix))
    return sorted(found, key=lambda package: package.extra != "")


def run_checks() -> list[Check]:
    """The core, every device that a machine of this kind can have, and what extras need from the system."""
    here = _probe("here")
    checks = [_check("photo", _probe("photo"), "")]
    if here["state"] != "works":  # nothing that needs the runtime can be asked for
        return [*checks, _check("onnxruntime", here, FIXES["onnxruntime"])]
    reference_m = None
    for name, source in here["devices"].items():
        answer = _probe("device", name)
        reference_m = answer.get("mean_m") if name == "onnxruntime" else reference_m
        if reference_m and "mean_m" in answer and abs(answer["mean_m"] / reference_m - 1) > here["agreement"]:
            answer |= {"state": "fails", "detail": "says another depth than onnxruntime on the CPU"}
        checks.append(_check(name, answer, source))
    for name in ("rooms", "furniture", "video", "hub", "cache"):
        checks.append(_check(name, _probe(name), f"pip install densedepth[{EXTRAS[name]}]" if name in EXTRAS else ""))
    return checks


def _check(name: str, answer: dict[str, Any], source: str) -> Check:
    """The answer of a probe with what to do about it; `source` brings what is not there."""
    state, detail = answer["state"], answer["detail"]
    fix = {"works": "", "absent": source or FIXES.get(name, ""), "fails": FIXES.get(name, source)}[state]
    numbers = {key: value for key, value in answer.items() if key not in ("state", "detail")}
    return Check(name, state, detail, fix, numbers)


def _probe(*words: str) -> dict[str, Any]:
    """Run one of `densedepth.commands.probes` in a process of its own; a crash is an answer, too."""
    paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    # -P: a file in the user's folder that is called numpy.py is none of ours.
    command = [sys.executable, "-P", "-m", "densedepth.commands.probes", *words]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"state": "fails", "detail": f"no answer within {TIMEOUT_S} s"}
    try:
        answer: dict[str, Any] = json_format.loads(done.stdout.splitlines()[-1])
        return answer
    except (IndexError, ValueError):
        return {"state": "fails", "detail": _last_words(done)}


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Why a process ended without an answer."""
    if done.returncode < 0:
        return f"its process was ended by {signal.Signals(-done.returncode).name}"
    said = done.stderr.strip().splitlines()
    return said[-1][:300] if said else f"its process ended with status {done.returncode}"


def _version(name: str) -> str | None:
    for distribution in (name, *STAND_INS.get(name, ())):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _suits(version: str, wanted: str) -> bool:
    """Whether a version is one that densedepth names: `>=`, `==` and `!=` are all it uses."""
    numbers = _numbers(version)
    compare = {">=": numbers.__ge__, "==": numbers.__eq__, "!=": numbers.__ne__}
    return all(compare[sign](_numbers(limit)) for sign, limit in re.findall(r"(>=|==|!=)\s*([\w.]+)", wanted))


def _numbers(version: str) -> list[int]:
    """1.10.0rc1+cpu as [1, 10]: zeros at the end say nothing."""
    numbers = [int(number) for number in re.match(r"[\d.]*", version)[0].split(".") if number]  # type: ignore[index]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def _package_lines(found: list[Package]) -> str:
    """A paragraph for the core and each extra, with one fix for all that it lacks."""
    if not found:
        return "  densedepth runs from a folder and is not installed: pip install -e FOLDER shows its extras here"
    lines = []
    for extra in dict.fromkeys(package.extra for package in found):
        group = [package for package in found if package.extra == extra]
        words = [f"{package.name} {package.version}{_complaint(package)}" for package in group if package.version]
        if missing := [package.name for package in group if not package.version]:
            words.append(f"not there: {' '.join(missing)}")
        lines += textwrap.wrap(
            "; ".join(words), 108, initial_indent=f"  {extra or 'core':<10}", subsequent_indent=" " * 12
        )
        lines += [f"{'':<12}get them: {package.fix}" for package in group if package.fix][:1]
    return "\n".join(lines)


def _complaint(package: Package) -> str:
    return f" (needs {package.wanted})" if package.fix else ""


def _check_lines(check: Check) -> str:
    line = f"  {MARKS[check.state]:<6} {check.name:<12} {check.detail}"
    lead = "get it" if check.state == "absent" else "fix"
    return f"{line}\n{'':<22}{lead}: {check.fix}" if check.fix else line
