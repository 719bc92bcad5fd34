"""Measure a model: python examples/evaluate.py [--root FOLDER] [--dataset nyu] [--model nyu] [--report FOLDER]

Without --root, on eight drawn rooms. They are not what the shipped model knows: its numbers there are poor.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import densedepth
from densedepth.cli import main
from densedepth.data import open_dataset
from densedepth.evaluation import evaluate_model, protocol_for, write_report

parser = argparse.ArgumentParser(description="Measure a model.")
parser.add_argument("--root", type=Path, help="folder of the data set")
parser.add_argument("--dataset", default="nyu", help="its layout, see docs/data.md")
parser.add_argument("--model", default="nyu")
parser.add_argument("--report", type=Path, default=Path("report"))
arguments = parser.parse_args()

with TemporaryDirectory() as folder:
    root, protocol = arguments.root, protocol_for(arguments.dataset)
    if root is None:
        root, protocol = Path(folder) / "rooms", protocol_for("nyu", "none")
        main(["data", "synth", "--out", str(root), "--frames", "16", "--test-fraction", "0.5", "--workers", "1"])
    frames = open_dataset(arguments.dataset, root, "test")
    estimator = densedepth.load(arguments.model)
    result = evaluate_model(estimator, frames, protocol, dataset_name=f"{arguments.dataset} test")
    print(result)
    print(f"delta1 {result.per_image['delta1']:.3f} of the mean image, {result.pooled['delta1']:.3f} of all pixels")
    report = write_report(result, arguments.report, estimator=estimator, dataset=frames, protocol=protocol)
    print(f"written: {report}")
