"""How well `densedepth data inspect` tells good pairs from mirrored, shifted and exchanged ones, on real frames.

    python benchmarks/inspect_alignment.py ../shared/nyu --frames 300

Each frame is looked at as it is and with one fault after the other; the first column is the false alarms. Frames of
NYU that really are shifted count as false alarms here.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from densedepth.data import open_dataset
from densedepth.data.inspection.alignment import Agreement, agree, find_edges


def judged(image: np.ndarray, depth_m: np.ndarray) -> Agreement | None:
    edges = find_edges(image, np.ascontiguousarray(depth_m), depth_m > 0)
    return agree(edges) if edges.judgeable else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--dataset", default="nyu")
    parser.add_argument("--split", default="test")
    parser.add_argument("--frames", type=int, default=300)
    options = parser.parse_args()
    frames = open_dataset(options.dataset, options.root, options.split)
    places = np.linspace(0, len(frames) - 1, min(options.frames, len(frames))).astype(int)
    rng = np.random.default_rng(0)
    verdicts: dict[str, Counter[str]] = {}
    scores: dict[str, list[float]] = {}
    for count, place in enumerate(places):
        frame = frames[int(place)]
        other = frames[int(places[(count + len(places) // 2) % len(places)])].depth_m
        faults = {"as it is": frame.depth_m, "mirrored": frame.depth_m[:, ::-1], "upside down": frame.depth_m[::-1]}
        if other.shape == frame.depth_m.shape:
            faults["of another frame"] = other
        for pixels in (8, 16, 32):
            angle = rng.uniform(0, 2 * np.pi)
            move = round(pixels * np.sin(angle)), round(pixels * np.cos(angle))
            faults[f"shifted by {pixels} px"] = np.roll(frame.depth_m, move, (0, 1))
        for name, depth_m in faults.items():
            agreement = judged(frame.image, depth_m)
            verdict = "not judged" if agreement is None else agreement.verdict or "nothing"
            verdicts.setdefault(name, Counter())[verdict] += 1
            scores.setdefault(name, []).append(np.nan if agreement is None else agreement.here)
    for name, counts in verdicts.items():
        low, median, high = np.nanquantile(scores[name], (0.01, 0.5, 0.99))
        said = ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common())
        print(f"{name:18} score {low:.2f} {median:.2f} {high:.2f} (1, 50, 99 %)   said: {said}")


if __name__ == "__main__":
    main()
