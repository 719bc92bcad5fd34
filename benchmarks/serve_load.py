"""How much a server on this machine does: many clients at once against `densedepth serve`.

    python benchmarks/serve_load.py                                  # the shipped model, 200 requests of 20 clients
    python benchmarks/serve_load.py --requests 1000 --size 4032x3024 --query "format=raw&max_side=1024"

Prints one line: time of a request (median, 95th percentile), requests a second, processor time a request and memory of
the server. Clients and server share the cores of this machine; photos are made before.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from densedepth.commands.arguments import picture_size

PHOTOS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nyu")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--size", type=picture_size, default="640x480", help="of the photos")
    parser.add_argument("--query", default="format=png16")
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()

    photos = [_photo(seed, options.size) for seed in range(PHOTOS)]
    command = [sys.executable, "-m", "densedepth", "serve", "--port", "0", "--rate", "0"]
    command += ["--model", options.model, "--batch", str(options.batch)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        url = server.stdout.readline().split()[0]
        wait_until_ready(url)
        with ThreadPoolExecutor(options.clients) as clients:

            def ask(number: int) -> float:
                started_s = time.perf_counter()
                request = urllib.request.Request(f"{url}v1/depth?{options.query}", photos[number % PHOTOS])
                with urllib.request.urlopen(request) as answer:
                    answer.read()
                return time.perf_counter() - started_s

            list(clients.map(ask, range(options.clients)))  # warm
            warm_mb, used_s = _memory_mb(server.pid), processor_s(server.pid)
            started_s = time.perf_counter()
            seconds = list(clients.map(ask, range(options.requests)))
            wall_s = time.perf_counter() - started_s
        p50_s, p95_s = np.percentile(seconds, [50, 95])
        each_s = (processor_s(server.pid) - used_s) / options.requests
        batch = _mean_batch(urllib.request.urlopen(f"{url}metrics").read().decode())
        width, height = options.size
        print(
            f"{options.requests} requests, {options.clients} clients, {width} x {height}, {options.query}: "
            f"p50 {p50_s * 1000:.0f} ms, p95 {p95_s * 1000:.0f} ms, {options.requests / wall_s:.1f} requests/s, "
            f"{each_s * 1000:.0f} ms of processor each, mean batch {batch:.1f}, "
            f"memory {warm_mb:.0f} MB, then {_memory_mb(server.pid):.0f} MB"
        )
    finally:
        server.terminate()
        server.wait()


def _photo(seed: int, size: tuple[int, int]) -> bytes:
    small = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def wait_until_ready(url: str) -> None:
    """Until the server at ``url`` has loaded its model."""
    while True:
        try:
            urllib.request.urlopen(f"{url}readyz", timeout=10).close()
            return
        except urllib.error.HTTPError:
            time.sleep(0.05)


def _memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def processor_s(pid: int) -> float:
    """Processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _mean_batch(metrics: str) -> float:
    def number(name: str) -> float:
        found = re.search(rf"^densedepth_batch_size_{name} (\S+)", metrics, re.MULTILINE)
        return float(found[1]) if found else float("nan")

    return number("sum") / number("count")


if __name__ == "__main__":
    main()
