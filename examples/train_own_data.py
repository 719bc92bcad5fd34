"""From frames of your own to a bundle: python examples/train_own_data.py [FOLDER] [--out RUN]

Without a folder it draws a few rooms and trains for seconds, to show the way; docs/own-frames.md explains each step.
Needs pip install densedepth[train].
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import densedepth
from densedepth.cli import main

RECIPE = Path(__file__).resolve().parents[1] / "configs" / "finetune.yaml"
IN_SECONDS = ["--data.height", "64", "--data.width", "96", "--epochs", "1", "--data.workers", "0"]

parser = argparse.ArgumentParser(description="From frames of your own to a bundle.")
parser.add_argument("frames", nargs="?", type=Path, help="folder of photos and depth files")
parser.add_argument("--out", type=Path, default=Path("runs/mine"), help="run folder")
arguments = parser.parse_args()


def run(*words: object) -> None:
    """A command as on the command line; ends here if it fails."""
    print("densedepth", *words)
    if status := main([str(word) for word in words]):
        sys.exit(status)


frames, short = arguments.frames, []
if frames is None:
    frames, short = arguments.out.with_name("drawn_rooms"), IN_SECONDS
    run("data", "synth", "--out", frames, "--frames", 16, "--size", "160x120", "--workers", 1)
# What is in the folder and what is wrong with it; the recipe learns layout and unit from it.
found = arguments.out.with_name("mine.yaml")
run("data", "inspect", frames, "--out", arguments.out.with_name("inspect.html"), "--config-out", found)
run("train", "--config", RECIPE, "--config", found, "--out", arguments.out, *short)

photo = Path(densedepth.__file__).parent / "examples" / "bedroom.jpg"
depth = densedepth.load(arguments.out / "model.onnx").predict(photo)
print(f"the new bundle says {depth.depth_m.min():.2f} to {depth.depth_m.max():.2f} m")
