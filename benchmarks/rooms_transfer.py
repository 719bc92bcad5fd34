"""What rendered rooms are worth: ImageNet to NYU, against ImageNet to rooms to NYU, against both mixed.

    densedepth data rooms --out rooms --frames 6000 --seed 7
    python benchmarks/rooms_transfer.py --root ../shared/nyu --rooms rooms --take 2000 5400

Every arm sees the same number of pictures, those of a second group three times as many; those of a third are given a
tenth of the real frames.
Trains configs/transfer.yaml at the size of --size, measures every run on the NYU scenes it held out, and the rooms
alone on the same scenes (zero-shot, the frames' camera told). Runs that are done are not done again, one that was
interrupted goes on. Prints the table; OUT/table.md and table.json hold it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import yaml
from ablation import METRICS, shown
from transfer import CONFIG, densedepth

from densedepth.data import open_dataset, split_by_scene

NYU_FRAMES, BATCH = 673, 8
"""Training frames that configs/transfer.yaml leaves of the 795, and how many a step takes."""
ROOMS_ALONE = ["--data.options.mask_border", "false", "--data.validation_fraction", "0.01"]


def rows_of(root: Path) -> list[str]:
    """The training frames of a folder in the csv layout, a row each."""
    return (root / "data" / "nyu2_train.csv").read_text().splitlines()


def part_of(root: Path, folder: Path, rows: list[str]) -> Path:
    """A data set of some of the training frames of ``root``: a csv of its own, and links to the files."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "nyu2_train.csv").write_text("\n".join(rows) + "\n")
    for name in ("nyu2_train", "intrinsics.csv", "dataset.json"):
        link, file = folder / "data" / name, (root / "data" / name).resolve()
        if file.exists() and not link.is_symlink():
            link.symlink_to(file)
    return folder


def first_frames(rooms: Path, out: Path, count: int) -> Path:
    """The first ``count`` training frames of ``rooms``."""
    rows = rows_of(rooms)
    if len(rows) < count:
        raise SystemExit(f"{rooms} holds {len(rows)} training frames, {count} are wanted")
    return part_of(rooms, out / f"rooms-{count}", rows[:count])


def few_frames(root: Path, out: Path) -> Path:
    """Every tenth of the real frames that the arms train on."""
    split = yaml.safe_load(CONFIG.read_text())["data"]
    rows, frames = rows_of(root), open_dataset("nyu", root, "train")
    training, _ = split_by_scene(frames, split["validation_fraction"], split["split_seed"])
    return part_of(root, out / "nyu-few", [rows[index] for index in training.indices[::10]])


class Study:
    """The runs of all arms and seeds, each in a folder of its own below OUT."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.root: Path = args.root
        self.out: Path = args.out
        height, width = args.size
        size = ["--data.height", height, "--data.width", width]
        self.common = ["--config", CONFIG, *size, "--precision", args.precision]
        self.steps = args.epochs * (NYU_FRAMES // BATCH)
        self.tenth = few_frames(args.root, args.out)
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

    def measure(self, run: Path, seed: int) -> dict[str, float]:
        """Metrics of ``run`` on the NYU frames that the arm without rooms held out."""
        result = run / "validation.json"
        if not result.exists():
            held_out = ["--validation-of", self.out / f"nyu-{seed}", "--use-camera"]
            densedepth(run / "log.txt", "evaluate", "--model", run, *held_out, "--threads", 1, "--json", result)
            print(f"{run.name}: done", flush=True)
        values: dict[str, float] = json.loads(result.read_text())["per_image"]
        return values

    def seed(self, seed: int) -> dict[str, dict[str, float]]:
        """Metrics of every arm with this seed."""
        plain = self.train("nyu", seed, self.root, self.steps)
        found = {"ImageNet, NYU": self.measure(plain, seed)}
        for count, rooms in self.rooms.items():
            alone = self.train(f"rooms{count}", seed, rooms, self.steps // 2, *ROOMS_ALONE)
            found[f"ImageNet, {count} rooms frames, no NYU"] = self.measure(alone, seed)
            after = self.train(f"rooms{count}-nyu", seed, self.root, self.steps // 2, "--init-from", alone)
            found[f"ImageNet, {count} rooms frames, then NYU"] = self.measure(after, seed)
            also = json.dumps([{"root": str(rooms), "per_epoch": NYU_FRAMES}])
            mixed = self.train(f"mixed{count}", seed, self.root, self.steps, "--data.also", also)
            found[f"ImageNet, {count} rooms frames and NYU mixed"] = self.measure(mixed, seed)
        return found

    def longest(self, seed: int) -> dict[str, dict[str, float]]:
        """Metrics of the arms with 3 times the pictures: 2,000 rendered frames are seen a dozen times, 40,000 once."""
        plain = self.train("nyu-longest", seed, self.root, 3 * self.steps)
        found = {"3 times: ImageNet, NYU": self.measure(plain, seed)}
        for count, rooms in self.rooms.items():
            alone = self.train(f"rooms{count}-longest", seed, rooms, 2 * self.steps, *ROOMS_ALONE)
            found[f"2 times: ImageNet, {count} rooms frames, no NYU"] = self.measure(alone, seed)
            after = self.train(f"rooms{count}-longest-nyu", seed, self.root, self.steps, "--init-from", alone)
            found[f"3 times: ImageNet, {count} rooms frames, then NYU"] = self.measure(after, seed)
        return found

    def few(self, seed: int) -> dict[str, dict[str, float]]:
        """Metrics of the arms with a tenth of the real frames, as with a camera of one's own."""
        count, rooms = max(self.rooms.items())
        words = ["--data.validation_fraction", "0"]
        plain = self.train("few", seed, self.tenth, self.steps, *words)
        found = {"a tenth: ImageNet, NYU": self.measure(plain, seed)}
        start = self.out / f"rooms{count}-{seed}"
        after = self.train(f"rooms{count}-few", seed, self.tenth, self.steps // 2, *words, "--init-from", start)
        found[f"a tenth: ImageNet, {count} rooms frames, then NYU"] = self.measure(after, seed)
        also = ["--data.also", json.dumps([{"root": str(rooms), "per_epoch": NYU_FRAMES // 10}])]
        mixed = self.train(f"mixed{count}-few", seed, self.tenth, self.steps, *words, *also)
        found[f"a tenth: ImageNet, {count} rooms frames and NYU mixed"] = self.measure(mixed, seed)
        return found


def table(results: list[dict[str, dict[str, float]]]) -> str:
    """Mean and deviation over the seeds."""
    lines = [f"| trained on | {' | '.join(METRICS)} |", "|---|" + "---|" * len(METRICS)]
    for arm in results[0]:
        cells = []
        for name in METRICS:
            values = [row[arm][name] for row in results]
            spread = f" ± {shown(name, statistics.stdev(values))}" if len(values) > 1 else ""
            cells.append(shown(name, statistics.mean(values)) + spread)
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
    results = [study.seed(seed) | study.longest(seed) | study.few(seed) for seed in range(args.seeds)]
    text = table(results)
    (args.out / "table.md").write_text(text + "\n")
    (args.out / "table.json").write_text(json.dumps(results, indent=2) + "\n")
    print(text)


if __name__ == "__main__":
    main()
