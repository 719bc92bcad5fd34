"""What `densedepth doctor` tries, each in a process of its own: python -m densedepth.commands.probes NAME [DEVICE]

The last line printed is a JSON object: `state` ("works", "fails" or "absent"), `detail` for people, and numbers. A
process that dies has said as much.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]

LOW_DISK_GB = 1.0
"""Less free space than this is a fault: furniture alone takes a tenth of it."""


def here() -> Answer:
    """The cores, and the devices that can be on a machine of this kind, with what brings each."""
    from densedepth.runtime.devices import AGREEMENT, DEVICES, cores, nvidia_driver

    absent = set() if sys.platform == "darwin" else {"coreml"}
    absent |= set() if sys.platform == "win32" else {"directml"}
    if not nvidia_driver():
        absent |= {"cuda", "torch:cuda"}
    # It runs a C++ compiler for a minute: `densedepth bench` tries that.
    absent |= {"torch:compile"}
    devices = {name: fix for name, fix in DEVICES.items() if name not in absent}
    return _works(f"{cores()} cores", cores=cores(), devices=devices, agreement=AGREEMENT)


def photo() -> Answer:
    """An example photo from its file to a depth file and back: the whole core."""
    import densedepth
    from densedepth.runtime.zoo import EXAMPLES_DIR

    file = min(EXAMPLES_DIR.glob("*.jpg"))
    started_s = time.perf_counter()
    depth = densedepth.load("nyu", device="onnxruntime").predict(file)
    with tempfile.TemporaryDirectory() as folder:
        again = densedepth.load_depth(depth.save(Path(folder) / "depth.png"))
    seconds = time.perf_counter() - started_s
    if not (again.valid.all() and depth.range_m):
        return {"state": "fails", "detail": f"{file.name} has no depth everywhere"}
    near_m, far_m = depth.range_m
    return _works(f"{file.name}: {near_m:.1f} to {far_m:.1f} m", seconds=seconds)


def device(name: str) -> Answer:
    """The shipped bundle on one device, with a tiny picture."""
    import numpy as np

    from densedepth.runtime import load
    from densedepth.runtime.devices import installed

    if name.partition(":")[0] not in installed():
        return {"state": "absent", "detail": "not installed"}
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    started_s = time.perf_counter()
    estimator = load("nyu", device=name)
    estimator.predict(image)  # the first one makes plans
    ready_s = time.perf_counter()
    mean_m = float(estimator.predict(image).depth_m.mean())
    picture_s = time.perf_counter() - ready_s
    detail = f"ready in {ready_s - started_s:.1f} s, a picture in {picture_s * 1000:.0f} ms"
    return _works(detail, seconds=picture_s, ready_s=ready_s - started_s, mean_m=mean_m)


def rooms() -> Answer:
    """OpenGL without a screen."""
    from densedepth.rooms.renderer import Renderer

    started_s = time.perf_counter()
    name = Renderer(32, 32).device
    return _works(f"OpenGL on {name}", seconds=time.perf_counter() - started_s)


def furniture() -> Answer:
    """The models that rooms are furnished with."""
    from densedepth.errors import DataError
    from densedepth.rooms.assets import find_assets

    try:
        return _works(str(find_assets(None)))
    except DataError:
        return {"state": "absent", "detail": "not installed"}


def video() -> Answer:
    """Reading and writing videos."""
    import av

    from densedepth.runtime.video.writing import available_encoder

    return _works(f"av {av.__version__}, writes {available_encoder()}")


def hub() -> Answer:
    """What the client of the Hugging Face hub is set to, and where it keeps what it fetches."""
    from huggingface_hub import constants, get_token

    network = "offline (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else "online"
    token = "a token" if get_token() else "no token"
    return _space(Path(constants.HF_HUB_CACHE), f"{network}, {token}, ", offline=bool(constants.HF_HUB_OFFLINE))


def cache() -> Answer:
    """Where fetched furniture is kept."""
    from densedepth.rooms.assets import cache_folder

    return _space(cache_folder(), "")


PROBES: dict[str, Callable[..., Answer]] = {
    probe.__name__: probe for probe in (here, photo, device, rooms, furniture, video, hub, cache)
}


def _works(detail: str, **numbers: Any) -> Answer:
    return {"state": "works", "detail": detail, **numbers}


def _space(folder: Path, before: str, **numbers: Any) -> Answer:
    """Free space where a folder is, or will be made."""
    there = folder
    while not there.exists():
        there = there.parent
    free_gb = shutil.disk_usage(there).free / 1e9
    state = "works" if free_gb >= LOW_DISK_GB else "fails"
    return {"state": state, "detail": f"{before}{folder}: {free_gb:.1f} GB free", "free_gb": free_gb, **numbers}


def main(words: list[str]) -> None:
    """Run one probe and print its answer; what is raised is an answer, too."""
    from densedepth.io.opening import one_line

    try:
        answer = PROBES[words[0]](*words[1:])
    except ModuleNotFoundError as error:
        answer = {"state": "absent", "detail": f"no module {error.name}"}
    except Exception as error:  # whatever a runtime raises is what is wrong with it
        answer = {"state": "fails", "detail": one_line(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
