"""`densedepth data inspect`: what a data set is, and what is wrong with it, before training on it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.data.inspection import SEVERITIES, Finding, Inspection, inspect_dataset, write_page, write_recipe

#: Findings of one code that are printed; the page has them all.
_PRINTED = 10


def inspect(
    path: Path,
    *,
    dataset: str | None = None,
    split: list[str] = [],  # noqa: B006 - a list is what the command line shows
    out: Path | None = None,
    config_out: Path | None = None,
    sample: int = 300,
    strict: bool = False,
    seed: int = 0,
) -> int:
    """Look at a data set before training on it.

    Finds out the layout, pairs photos and depth, guesses the unit and says why, counts holes, compares the edges of
    photos and depth to find pairs that are shifted, mirrored or exchanged, and looks for duplicates and for scenes
    that stand in more than one split. One line for each finding, most severe first.

    Args:
        path: folder, zip, .mat or .h5 of the data set
        dataset: its layout, such as nyu or folder; found out when left out
        split: parts to look at, such as train test; all when left out
        out: write a page with tables, histograms and a contact sheet (.html) here
        config_out: write the recipe that densedepth train takes (.yaml) here
        sample: frames whose depth is looked at; 0 looks at all. Photos are always all compared
        strict: exit with status 1 when there is any finding
        seed: of the sample
    """
    if sample < 0:
        raise UsageError(f"--sample must be 0 or more, got {sample}")
    result = inspect_dataset(path, dataset=dataset, splits=split, sample=sample, seed=seed, progress=_bar)
    for line in result.summary():
        print(line)
    _print_findings(result.findings)
    if out is not None:
        print(f"written: {write_page(result, out, progress=_bar)}")
    if config_out is not None:
        print(f"written: {_config(result, config_out)}")
    return 1 if strict and result.findings else 0


def _config(result: Inspection, path: Path) -> str:
    if result.source is None or not result.items:
        return "no recipe, because nothing could be opened"
    return str(write_recipe(result, path))


def _print_findings(findings: list[Finding]) -> None:
    counts = Counter(finding.severity for finding in findings)
    numbers = [f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in SEVERITIES if counts[name]]
    print(f"findings: {', '.join(numbers) or 'none'}")
    printed: Counter[str] = Counter()
    totals = Counter(finding.code for finding in findings)
    for finding in findings:
        printed[finding.code] += 1
        if printed[finding.code] <= _PRINTED:
            print(finding)
        if printed[finding.code] == min(_PRINTED, totals[finding.code]):
            more = totals[finding.code] - printed[finding.code]
            if more:
                print(f"{'':8}{finding.code:17}... and {more} more, all in the page of --out")
            print(f"{'':25}-> {finding.advice}")


def _bar(items: Iterable[Any], unit: str) -> Iterable[Any]:
    """A progress bar on a terminal, nothing in a log file."""
    bar: Iterable[Any] = tqdm(items, unit=unit, file=sys.stderr, disable=None)
    return bar
