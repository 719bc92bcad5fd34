"""Transfer against scratch: ImageNet weights or random ones, same frames, same budget, several seeds.

    python benchmarks/transfer.py --root ../shared/nyu --out runs/transfer

Trains configs/transfer.yaml once for each arm and seed and measures every run on the scenes it held out. Runs that are
done are not done again, one that was interrupted goes on. Prints the table; OUT/transfer.md and transfer.json hold it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "configs" / "transfer.yaml"
ARMS = {"ImageNet": "true", "random": "false"}
METRICS = ("delta1", "abs_rel", "rmse", "log10")


def densedepth(log: Path, *words: object) -> None:
    """Run a command, its output going to the end of ``log``; ends the program when it fails."""
    # One thread each: runs that share the cores must not wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "densedepth", *map(str, words)]
    with log.open("a") as file:
        if subprocess.run(command, env=environment, stdout=file, stderr=file, check=False).returncode:
            raise SystemExit(f"{' '.join(command)} failed: see {log}")


def measured(root: Path, out: Path, arm: str, seed: int, epochs: int) -> dict[str, float]:
    """Metrics of a run, trained and measured unless it is done."""
    run = out / f"{arm}-{seed}"
    result = run / "validation.json"
    run.mkdir(parents=True, exist_ok=True)
    if not result.exists():
        log = run / "log.txt"
        words = ["--config", CONFIG, "--data.root", root, "--out", run, "--seed", str(seed), "--epochs", str(epochs)]
        densedepth(log, "train", *words, "--model.pretrained", ARMS[arm])
        words = ["--model", run, "--validation-of", run, "--threads", "1", "--json", result]
        densedepth(log, "evaluate", *words)
        print(f"{arm}, seed {seed}: done", flush=True)
    values: dict[str, float] = json.loads(result.read_text())["per_image"]
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="NYU Depth v2 in the csv layout")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    args = parser.parse_args()
    jobs = [(arm, seed) for seed in range(args.seeds) for arm in ARMS]
    with ThreadPoolExecutor(args.jobs) as pool:
        running = {job: pool.submit(measured, args.root, args.out, *job, args.epochs) for job in jobs}
        results = {job: run.result() for job, run in running.items()}
    lines = [f"| start | seed | {' | '.join(METRICS)} |", "|---|---|" + "---|" * len(METRICS)]
    for arm in ARMS:
        rows = [results[arm, seed] for seed in range(args.seeds)]
        for seed, row in enumerate(rows):
            lines.append(f"| {arm} | {seed} | " + " | ".join(f"{row[name]:.3f}" for name in METRICS) + " |")
        spread = statistics.stdev if args.seeds > 1 else lambda values: 0.0
        cells = [[row[name] for row in rows] for name in METRICS]
        means = [f"**{statistics.mean(cell):.3f}** ± {spread(cell):.3f}" for cell in cells]
        lines.append(f"| {arm} | mean ± std | {' | '.join(means)} |")
    table = "\n".join(lines)
    (args.out / "transfer.md").write_text(table + "\n")
    plain = [{"start": arm, "seed": seed, **values} for (arm, seed), values in results.items()]
    (args.out / "transfer.json").write_text(json.dumps(plain, indent=2) + "\n")
    print(table)


if __name__ == "__main__":
    main()
