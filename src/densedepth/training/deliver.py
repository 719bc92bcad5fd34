"""The end of a run: its best weights as a bundle, measured on the frames that were held out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from densedepth.data import DepthDataset
from densedepth.evaluation import PROTOCOLS, evaluate_model, protocol_for, write_report
from densedepth.export import add_metrics, export_checkpoint
from densedepth.runtime import load

BUNDLE = "model.onnx"
RESULT = "validation.json"
REPORT = "report"


def deliver(run: Path, validation: DepthDataset, dataset: str) -> Path:
    """Write RUN/model.onnx, and its numbers on ``validation`` into its card, RUN/validation.json and RUN/report/.

    The frames are held out by scene but did choose the epoch, so the numbers are a little too good; a test part of
    one's own says more. Where the layout has no protocol, or frames of another size than its protocol's, whole frames
    count, up to the network's far end.

    Args:
        run: run folder with ``best/`` in it.
        validation: the frames held out; none leaves the bundle unmeasured.
        dataset: name of the layout, which decides the protocol.

    Returns:
        Path of the bundle.
    """
    bundle = export_checkpoint(run / "best", run / BUNDLE, name=run.name)
    print(f"bundle: {bundle}, {bundle.stat().st_size / 1e6:.1f} MB, depth equal to torch's at four sizes")
    if not len(validation):
        print("no frames were held out, so nothing was measured: set --data.validation_fraction")
        return bundle
    estimator = load(bundle)
    protocol = protocol_for(dataset)
    if protocol.name == "none" or protocol.frame_size not in (None, validation[0].depth_m.shape):
        protocol = replace(PROTOCOLS["none"], cap_m=estimator.card.depth_range_m[1])
    bar = partial(tqdm, unit="frame", disable=None)
    name = f"{dataset} validation part"
    result = evaluate_model(estimator, validation, protocol, dataset_name=name, tta=True, progress=bar)
    print(result)
    result.save_json(run / RESULT)
    page = write_report(result, run / REPORT, estimator=estimator, dataset=validation, protocol=protocol, progress=bar)
    add_metrics(bundle, [result.as_json()])
    print(f"measured on the frames held out: {run / RESULT}, {page}")
    return bundle
