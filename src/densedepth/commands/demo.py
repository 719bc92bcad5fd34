"""`densedepth demo`: the shipped photos through the shipped model."""

from __future__ import annotations

from pathlib import Path

from densedepth.commands.batch import Settings, Tally, predict_all
from densedepth.commands.inputs import find_inputs
from densedepth.errors import DataError
from densedepth.runtime.zoo import EXAMPLES_DIR

DEMO_FORMATS = ["png16", "color", "ply"]


def demo(out: Path = Path("out"), model: str = "nyu") -> int:
    """Predict the example photos: 16-bit PNG, picture of photo beside depth, and point cloud.

    Args:
        out: folder for the results, which are replaced when they exist
        model: name of a shipped model, a bundle (.onnx) or a checkpoint folder
    """
    photos = find_inputs([str(EXAMPLES_DIR)]).files
    if not photos:
        raise DataError(f"{EXAMPLES_DIR}: no example photos in this installation; try densedepth predict PHOTO")
    tally = Tally()
    jobs = [(file, out / place.with_suffix("")) for file, place in photos]
    predict_all(Settings(model, DEMO_FORMATS, overwrite=True), jobs, tally)
    print(tally.summary())
    return 1 if tally.failed else 0
