"""Training steps on one CPU thread: float32 and bfloat16, memory layouts, and the quick depthwise convolutions.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/cpu_training.py [--encoder E] [--size 224 320] [--steps 7]

Ways alternate within each round; printed are medians, and the ratio to the first way in the same round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from densedepth.models import DenseDepth
from densedepth.models.depthwise import quicken_depthwise

BATCH = 8


def stepper(encoder: str, size: list[int], *, half: bool, channels_last: bool, quick: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    net = DenseDepth(encoder, decoder_width=256, output="exp").train()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=layout)
    if quick:
        quicken_depthwise(net)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
    image = torch.rand(BATCH, 3, *size).contiguous(memory_format=layout)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            answer = net(image)
        answer.float().log().abs().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="tf_efficientnet_lite2")
    parser.add_argument("--size", type=int, nargs=2, default=[224, 320], help="height and width")
    parser.add_argument("--steps", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ways = {
        "32-true": {"half": False, "channels_last": False, "quick": False},
        "32-true, channels_last": {"half": False, "channels_last": True, "quick": False},
        "bf16-mixed, channels_last, torch's depthwise": {"half": True, "channels_last": True, "quick": False},
        "bf16-mixed, channels_last, as `train` does": {"half": True, "channels_last": True, "quick": True},
    }
    steps = {name: stepper(args.encoder, args.size, **way) for name, way in ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(args.steps + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:  # the first round warms up
                taken[name].append(time.perf_counter() - start)
    first = taken["32-true"]
    print("| way | images/s | times as fast (least to most) |\n|---|---|---|")
    for name, times in taken.items():
        ratios = sorted(one / this for one, this in zip(first, times, strict=True))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| {name} | {BATCH / statistics.median(times):.1f} | {spread} |")


if __name__ == "__main__":
    main()
