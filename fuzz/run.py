"""Damages tiny valid files at random and reads them: `python fuzz/run.py [--seconds 600] [READER ...]`.

Only an error of the project, of one line that names the file, or a valid result will do. Anything else is a finding:
another exception, a crash, more than 60 s of processor time for a file of at most 1 MB, or more memory than there is.
Each finding is kept as the file itself and a text that says how to make it again. A case is drawn from the name of the
reader, the seed and its number alone: `--first N --cases 1` repeats case N.

A reader runs in a process of its own, with a limit on its memory, that is started again when it dies.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from mutate import mutated
from readers import READERS
from seeds import Seed

CPU_S = 60
"""Processor time of one case: three decodes of a picture of 200 megapixels, which is allowed, take half of it."""
STUCK_S = 600
"""Wall time of one case: for those that wait and use no processor."""
MEMORY = 6 << 30
"""Address space. A picture of 200 megapixels, which is allowed, takes some 4 GB of it."""
LONGEST_MESSAGE = 1000


class Counts(ctypes.Structure):
    """What the process shares with the one that watches it."""

    _fields_ = [(name, ctypes.c_int64) for name in ("number", "valid", "refused", "findings", "peak_kb")]


def case(name: str, seeds: list[Seed], seed: int, number: int) -> tuple[int, bytes]:
    """Which seed is damaged in this case, and the file that comes out."""
    rng = random.Random(f"{name} {seed} {number}")
    chosen = rng.randrange(len(seeds))
    damaged = mutated(seeds[chosen].data, rng, [other.data for other in seeds])
    return chosen, seeds[chosen].wrap(damaged)


def judged(read: Any, path: Path, folder: Path) -> str | None:
    """None for a valid result, "" for a proper error, else what is wrong."""
    from densedepth.errors import DenseDepthError

    try:
        read(path)
    except DenseDepthError as error:
        text, cause = str(error), error.__cause__ or error.__context__
        if "\n" in text or len(text) > LONGEST_MESSAGE:
            return f"a message of {len(text)} characters and {len(text.splitlines())} lines:\n{text[:3000]}"
        if str(folder) not in text and path.name not in text:
            return f"the message names no file: {text}"
        # FFmpeg refuses absurd sizes as "cannot allocate", in a class of its own, without having tried.
        if isinstance(cause, MemoryError) and not type(cause).__module__.startswith("av."):
            return f"refused only when memory was at its end:\n{traceback.format_exc()}"
        return ""
    except BaseException:
        return traceback.format_exc()
    return None


def work(name: str, seed: int, first: int, cases: int, seconds: float, findings: Path, counts: Any) -> None:
    """Read case after case until so much processor time is used; the caller sees how far it came."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silent = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(silent, descriptor)
    reader = READERS[name]
    seeds = reader.seeds()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        folders = [Path(folder) / str(number) for number in range(len(seeds))]
        paths = [place / each.name for place, each in zip(folders, seeds, strict=True)]
        for each, home, path in zip(seeds, folders, paths, strict=True):
            for other, data in each.beside.items():
                place = home / other
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(each.wrap(each.data))
            problem = judged(reader.read, path, home)
            # Those two are read and then refused: a whole Keras model takes minutes, cells are no list of frames.
            if problem or (problem is not None and path.name not in ("keras.h5", "cells.mat")):
                keep(findings, name, seed, -1, path.read_bytes(), path.name, f"an undamaged file: {problem}")
                counts.findings += 1
        for number in range(first, first + cases):
            if sum(os.times()[:4]) > seconds:  # with what processes of its own have used
                break
            counts.number = number
            chosen, data = case(name, seeds, seed, number)
            paths[chosen].write_bytes(data)
            # The kernel ends us, also in the middle of a decoder's own loop.
            signal.setitimer(signal.ITIMER_PROF, CPU_S)
            problem = judged(reader.read, paths[chosen], folders[chosen])
            signal.setitimer(signal.ITIMER_PROF, 0)
            counts.valid += problem is None
            counts.refused += problem == ""
            if problem:
                counts.findings += 1
                keep(findings, name, seed, number, data, paths[chosen].name, problem)
            counts.peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            counts.number = number + 1


def keep(folder: Path, name: str, seed: int, number: int, data: bytes, file_name: str, problem: str) -> None:
    """Keep a finding as its file and what happened."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{seed}-{number}-{file_name}"
    path.write_bytes(data)
    again = f"python fuzz/run.py {name} --seed {seed} --first {number} --cases 1"
    path.with_name(path.name + ".txt").write_text(f"{again}\n{problem}\n")


def fuzz(name: str, seed: int, seconds: float, first: int, cases: int, findings: Path) -> bool:
    """Fuzz one reader and print a line about it; whether nothing was found."""
    counts: Any = multiprocessing.get_context("spawn").Value(Counts, lock=False)
    start_s, before_s, last = time.monotonic(), _cpu_s(), first + cases
    counts.number = first
    while counts.number < last and (left_s := seconds - (_cpu_s() - before_s)) > 0:
        arguments = (name, seed, counts.number, last - counts.number, left_s, findings, counts)
        process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
        process.start()
        before, stuck = counts.number, False
        process.join(STUCK_S)
        while process.is_alive() and not stuck:
            before = counts.number
            process.join(STUCK_S)
            stuck = counts.number == before
        stuck = stuck and process.is_alive()
        if stuck:
            process.kill()
            process.join()
        if process.exitcode:
            how = f"it waited for {STUCK_S} s" if stuck else _ending(process.exitcode)
            counts.findings += 1
            chosen = READERS[name].seeds()
            which, data = case(name, chosen, seed, counts.number)
            file_name = Path(chosen[which].name).name
            keep(findings, name, seed, counts.number, data, file_name, f"the process ended: {how}")
            counts.number += 1
        else:
            break
    wall_s, cpu_s = time.monotonic() - start_s, _cpu_s() - before_s
    print(
        f"{name}: {counts.number - first} cases in {wall_s:.0f} s ({cpu_s:.0f} s of processor): {counts.valid} valid, "
        f"{counts.refused} refused, {counts.findings} findings; at most {counts.peak_kb / 1024:.0f} MB",
        flush=True,
    )
    return not counts.findings


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ending(code: int) -> str:
    if code == -signal.SIGPROF:
        return f"more than {CPU_S} s of processor time"
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", default=[], help=f"some of {', '.join(READERS)}; all by default")
    parser.add_argument("--seconds", type=float, default=600, help="processor time for each reader")
    parser.add_argument("--cases", type=int, default=10**12, help="at most so many cases for each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("out/fuzz"), help="where findings are kept")
    arguments = parser.parse_args()
    unknown = set(arguments.readers) - set(READERS)
    if unknown:
        parser.error(f"unknown reader {min(unknown)}; there are {', '.join(READERS)}")
    clean = [
        fuzz(name, arguments.seed, arguments.seconds, arguments.first, arguments.cases, arguments.findings)
        for name in arguments.readers or READERS
    ]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
