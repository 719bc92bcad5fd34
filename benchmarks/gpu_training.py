"""Training speed on an accelerator: DenseNet-169 `paper` at 480x640, plain against this project's default.

    python benchmarks/gpu_training.py --out gpu            # writes gpu/gpu_training.json, .md and profile.txt
    python benchmarks/gpu_training.py --smoke --out gpu    # a minute on a CPU: tiny network, proves the script only

"plain" is what a competent first version does: float32 as torch sets it, NCHW, eager, an unfused optimiser, float
images made on the host. "ours" is bf16 autocast, channels_last, torch.compile, a fused optimiser, uint8 images over
pinned memory. Each switch is also measured alone on top of plain. All arms run in one process, in turns, on the same
batches; a figure is the median over the turns. "loader" is ours fed by the real loader (frames of `densedepth data
synth`), which shows whether the loader is the limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from densedepth.data import AugmentConfig
from densedepth.models import DenseDepth
from densedepth.training.config import DataConfig, LossConfig
from densedepth.training.module import build_loss


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    name: str
    bf16: bool = False
    channels_last: bool = False
    compiled: bool = False
    fused: bool = False
    bytes_to_device: bool = False


PLAIN = Arm("plain")
OURS = Arm("ours", bf16=True, channels_last=True, compiled=True, fused=True, bytes_to_device=True)
SWITCHES = ("bf16", "channels_last", "compiled", "fused", "bytes_to_device")


class Trainee:
    """A network under one arm, stepped batch by batch."""

    def __init__(self, arm: Arm, encoder: str, device: torch.device, seed: int) -> None:
        torch.manual_seed(seed)
        self.arm, self.device = arm, device
        self.net = DenseDepth(encoder, preset="paper").to(device)
        if arm.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.loss = build_loss(LossConfig("paper"), self.net).to(device)
        fused = arm.fused and device.type == "cuda"
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4, amsgrad=True, fused=fused)
        self.forward: Any = torch.compile(self.net) if arm.compiled else self.net

    def step(self, batch: dict[str, Tensor]) -> Tensor:
        if self.arm.bytes_to_device:
            image = batch["image"].to(self.device, non_blocking=True).float() / 255
        else:
            image = (batch["image"].float() / 255).to(self.device)
        if self.arm.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        depth_m = batch["depth_m"].to(self.device, non_blocking=True)
        valid = batch["valid"].to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.arm.bf16):
            prediction = self.forward(image)
        loss: Tensor = self.loss(prediction.float(), self.net.to_reciprocal(depth_m), valid)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach()


def images_per_second(trainee: Trainee, batches: Iterator[dict[str, Tensor]], steps: int) -> float:
    images = 0
    _synchronize(trainee.device)
    started = time.perf_counter()
    for _ in range(steps):
        batch = next(batches)
        images += len(batch["image"])
        loss = trainee.step(batch)
    _synchronize(trainee.device)
    seconds = time.perf_counter() - started
    if not torch.isfinite(loss):
        raise SystemExit(f"{trainee.arm.name}: loss is {loss.item()}, its speed means nothing")
    return images / seconds


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def endless(batches: list[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from batches


def random_batches(count: int, batch_size: int, size: tuple[int, int], pin: bool) -> list[dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(0)
    height, width = size
    batches = []
    for _ in range(count):
        depth_m = torch.rand(batch_size, 1, height // 2, width // 2, generator=draw) * 8 + 1
        image = torch.randint(0, 256, (batch_size, 3, height, width), dtype=torch.uint8, generator=draw)
        batch = {"image": image, "depth_m": depth_m, "valid": depth_m > 0}
        batches.append({k: v.pin_memory() for k, v in batch.items()} if pin else batch)
    return batches


def loader_batches(root: Path, batch_size: int, size: tuple[int, int], workers: int) -> Iterator[dict[str, Tensor]]:
    """The real loader, epoch after epoch."""
    from densedepth.cli import main
    from densedepth.training.loader import DepthData

    words = ["--out", str(root), "--frames", "64", "--seed", "0", "--size", f"{size[1]}x{size[0]}"]
    if main(["data", "synth", *words]) != 0:
        raise SystemExit("densedepth data synth failed")
    config = DataConfig(
        str(root), height=size[0], width=size[1], validation_fraction=0, workers=workers, augment=AugmentConfig()
    )
    data = DepthData(config, batch_size, 0)
    epoch = 0
    while True:
        yield from data.train_batches(epoch)
        epoch += 1


def profile_of(trainee: Trainee, batches: Iterator[dict[str, Tensor]]) -> str:
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if trainee.device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profiler:
        for _ in range(3):
            trainee.step(next(batches))
        _synchronize(trainee.device)
    by = "self_device_time_total" if trainee.device.type == "cuda" else "self_cpu_time_total"
    return str(profiler.key_averages().table(sort_by=by, row_limit=20))


def flops_per_image(net: nn.Module, size: tuple[int, int]) -> int:
    """Forward and backward of one image, by torch's counter (multiply and add count as two)."""
    from torch.utils.flop_counter import FlopCounterMode

    device = next(net.parameters()).device
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, *size, device=device)).sum().backward()
    net.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--batch-size", type=int, default=8, help="frames per step; 8 is the paper's")
    parser.add_argument("--steps", type=int, default=15, help="steps per turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, default=12, help="of the loader arm")
    parser.add_argument("--smoke", action="store_true", help="tiny network, sizes and step counts, for a CPU")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not args.smoke:
        raise SystemExit("no CUDA device: this benchmark says nothing about a CPU; --smoke tries the script")
    encoder, size = ("densenet(2,2,2,2)", (64, 96)) if args.smoke else ("densenet169", (480, 640))
    if args.smoke:
        args.batch_size, args.steps, args.turns, args.workers = 2, 2, 2, 0
    device_name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU (smoke run)"

    arms = [PLAIN, *(replace(PLAIN, name=f"plain + {switch}", **{switch: True}) for switch in SWITCHES), OURS]
    batches = endless(random_batches(4, args.batch_size, size, pin=device.type == "cuda"))
    speeds: dict[str, list[float]] = {arm.name: [] for arm in arms}
    trainees = [Trainee(arm, encoder, device, seed=0) for arm in arms]
    for trainee in trainees:
        images_per_second(trainee, batches, 5 if not args.smoke else 1)  # compile, choose kernels, fill caches
    for turn in range(args.turns):
        for trainee in trainees:
            speeds[trainee.arm.name].append(images_per_second(trainee, batches, args.steps))
        print(f"turn {turn + 1} of {args.turns} done", flush=True)
    ours = trainees[-1]
    with tempfile.TemporaryDirectory() as folder:
        fed = loader_batches(Path(folder) / "rooms", args.batch_size, size, args.workers)
        images_per_second(ours, fed, 2)
        speeds["ours, fed by the loader"] = [images_per_second(ours, fed, args.steps) for _ in range(args.turns)]

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "profile.txt").write_text(profile_of(ours, batches))
    gflop = flops_per_image(trainees[0].net, size) / 1e9
    result = {
        "device": device_name,
        "torch": torch.__version__,
        "encoder": encoder,
        "height": size[0],
        "width": size[1],
        "batch_size": args.batch_size,
        "gflop_per_image": gflop,
        "images_per_second": speeds,
        # Turn by turn, so that a clock that changes between turns does not count.
        "ours_over_plain": statistics.median(a / b for a, b in zip(speeds["ours"], speeds["plain"], strict=True)),
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None,
    }
    (args.out / "gpu_training.json").write_text(json.dumps(result, indent=2) + "\n")
    lines = ["| arm | images/s, median | lowest | highest | TFLOP/s |", "|---|---|---|---|---|"]
    for name, values in speeds.items():
        middle = statistics.median(values)
        lines.append(f"| {name} | {middle:.1f} | {min(values):.1f} | {max(values):.1f} | {middle * gflop / 1e3:.1f} |")
    title = f"{device_name}, torch {torch.__version__}, {encoder} `paper`, {size[0]}x{size[1]}, batch {args.batch_size}"
    table = "\n".join([title, "", *lines, "", f"ours over plain: {result['ours_over_plain']:.2f}"])
    (args.out / "gpu_training.md").write_text(table + "\n")
    print(table)


if __name__ == "__main__":
    main()
