"""What rendered rooms are worth: ImageNet to NYU, against ImageNet to rooms to NYU, against both mixed.

    densedepth data rooms --out rooms --frames 6000 --seed 7
    python benchmarks/rooms_transfer.py --root ../shared/nyu --rooms rooms --take 2000 5400

Every arm sees the same number of pictures, and those of a last group half as many more. Trains configs/transfer.yaml
at the size of --size, measures every run on the NYU scenes it held out, and the rooms alone on the same scenes
(zero-shot, the frames' camera told). Runs that are done are not done again, one that was interrupted goes on. Prints
the table; OUT/table.md and table.json hold it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from transfer import CONFIG, METRICS, densedepth

NYU_FRAMES, BATCH = 673, 8
"""Training frames that configs/transfer.yaml leaves of the 795, and how many a step takes."""


def first_frames(rooms: Path, out: Path, count: int) -> Path:
    """A data set of the first ``count`` training frames of ``rooms``: a csv of its own, and links to the files."""
    folder = out / f"rooms-{count}"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    rows = (rooms / "data" / "nyu2_train.csv").read_text().splitlines()
    if len(rows) < count:
        raise SystemExit(f"{rooms} holds {len(rows)} training frames, {count} are wanted")
    (folder / "data" / "nyu2_train.csv").write_text("\n".join(rows[:count]) + "\n")
    for name in ("nyu2_train", "intrinsics.csv", "dataset.json"):
        link = folder / "data" / name
        if not link.is_symlink():
            link.symlink_to((rooms / "data" / name).resolve())
    return folder


class Study:
    """The runs of all arms and seeds, each in a folder of its own below OUT."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.root: Path = args.root
        self.out: Path = args.out
        height, width = args.size
        size = ["--data.height", height, "--data.width", width]
        self.common = ["--config", CONFIG, *size, "--precision", args.precision]
        self.steps = args.epochs * (NYU_FRAMES // BATCH)
        self.rooms = {count: first_frames(args.rooms, args.out, count) for count in args.take}

    def train(self, name: str, seed: int, root: Path, steps: int, *words: str | Path) -> Path:
        """The run folder of an arm, trained unless it is done."""
        run = self.out / f"{name}-{seed}"
        run.mkdir(parents=True, exist_ok=True)
        if not (run / "best" / "model.safetensors").exists() or not (run / "done").exists():
            what = ["--data.root", root, "--out", run, "--seed", seed, "--epochs", 1000, "--max_steps", steps]
            densedepth(run / "log.txt", "train", *self.common, *what, "--validate_every", 1000, *words)
            (run / "done").touch()
        return run

    def measure(self, run: Path, held_out_by: Path) -> dict[str, float]:
        """Metrics of ``run`` on the NYU frames that ``held_out_by`` held out."""
        result = run / "validation.json"
        if not result.exists():
            words = ["--model", run, "--validation-of", held_out_by, "--use-camera", "--threads", 1, "--json", result]
            densedepth(run / "log.txt", "evaluate", *words)
            print(f"{run.name}: done", flush=True)
        values: dict[str, float] = json.loads(result.read_text())["per_image"]
        return values

    def seed(self, seed: int) -> dict[str, dict[str, float]]:
        """Metrics of every arm with this seed."""
        plain = self.train("nyu", seed, self.root, self.steps)
        found = {"ImageNet, NYU": self.measure(plain, plain)}
        for count, rooms in self.rooms.items():
            options = ["--data.options.mask_border", "false", "--data.validation_fraction", "0.01"]
            alone = self.train(f"rooms{count}", seed, rooms, self.steps // 2, *options)
            found[f"ImageNet, {count} rooms frames, no NYU"] = self.measure(alone, plain)
            after = self.train(f"rooms{count}-nyu", seed, self.root, self.steps // 2, "--init-from", alone)
            found[f"ImageNet, {count} rooms frames, then NYU"] = self.measure(after, plain)
            also = json.dumps([{"root": str(rooms), "per_epoch": NYU_FRAMES}])
            mixed = self.train(f"mixed{count}", seed, self.root, self.steps, "--data.also", also)
            found[f"ImageNet, {count} rooms frames and NYU mixed"] = self.measure(mixed, plain)
        # Half as many pictures more, so that rooms come on top of all the real frames and not in their place.
        count, rooms = max(self.rooms.items())
        steps = self.steps + self.steps // 2
        longer = self.train("nyu-longer", seed, self.root, steps)
        found["1.5 times: ImageNet, NYU"] = self.measure(longer, plain)
        start: list[str | Path] = ["--init-from", self.out / f"rooms{count}-{seed}"]
        after = self.train(f"rooms{count}-nyu-longer", seed, self.root, self.steps, *start)
        found[f"1.5 times: ImageNet, {count} rooms frames, then NYU"] = self.measure(after, plain)
        also = json.dumps([{"root": str(rooms), "per_epoch": NYU_FRAMES // 2}])
        mixed = self.train(f"mixed{count}-longer", seed, self.root, steps, "--data.also", also)
        found[f"1.5 times: ImageNet, {count} rooms frames and NYU mixed"] = self.measure(mixed, plain)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="NYU Depth v2 in the csv layout")
    parser.add_argument("--rooms", type=Path, required=True, help="what `densedepth data rooms` wrote")
    parser.add_argument("--take", type=int, nargs="+", default=[2000, 5400], help="numbers of rendered frames")
    parser.add_argument("--out", type=Path, default=Path("runs/rooms_transfer"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=18, help="of NYU frames, in pictures")
    parser.add_argument("--size", type=int, nargs=2, default=[96, 128], help="height and width")
    parser.add_argument("--precision", default="bf16-mixed")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    study = Study(args)
    results = []
    for seed in range(args.seeds):
        results.append(study.seed(seed))
        lines = [f"| trained on | {' | '.join(METRICS)} |", "|---|" + "---|" * len(METRICS)]
        for arm in results[0]:
            cells = [[row[arm][name] for row in results] for name in METRICS]
            spread = [f" ± {statistics.stdev(cell):.3f}" if len(cell) > 1 else "" for cell in cells]
            means = [f"{statistics.mean(cell):.3f}{more}" for cell, more in zip(cells, spread, strict=True)]
            lines.append(f"| {arm} | {' | '.join(means)} |")
        table = "\n".join(lines)
        (args.out / "table.md").write_text(table + "\n")
        (args.out / "table.json").write_text(json.dumps(results, indent=2) + "\n")
        print(f"{seed + 1} of {args.seeds} seeds\n{table}", flush=True)


if __name__ == "__main__":
    main()
