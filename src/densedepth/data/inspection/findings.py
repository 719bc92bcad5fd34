"""What an inspection can find: stable codes, how bad each is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

#: code -> (how bad, what to do). An error teaches wrong depth or stops training, a warning costs accuracy or makes
#: numbers look better than they are, a note is worth knowing.
CODES: dict[str, tuple[Severity, str]] = {
    "layout": ("error", "name the layout with --dataset, or list the pairs in manifest.csv"),
    "missing-file": ("error", "add the file or take the line out"),
    "unreadable": ("error", "get a whole copy or remove the frame"),
    "wrong-type": ("error", "replace it by a file of one channel in numbers"),
    "size-mismatch": ("error", "photo and depth must have the same size; resize depth by picking, never by mixing"),
    "no-depth": ("error", "remove the frame or replace the file"),
    "constant": ("error", "remove the frame or replace the file"),
    "nan": ("error", "if it means no depth, set the option invalid: nan; otherwise replace the file"),
    "negative": ("error", "if it means no depth, set the option invalid to that number; otherwise replace the file"),
    "refused": ("error", "fix the frame as the message says"),
    "mixed-types": ("error", "depth files of one data set must store the same kind of number"),
    "unit-unknown": ("error", "find out the unit and set metres_per_unit"),
    "unit-implausible": ("error", "check the unit; set metres_per_unit"),
    "disparity": ("error", "turn it into depth first: focal length x baseline / disparity"),
    "swapped": ("error", "pair the depth with the photo it belongs to"),
    "mirrored": ("error", "mirror the photo or the depth, not one of them"),
    "upside-down": ("error", "turn the photo or the depth"),
    "unrelated": ("error", "look at the contact sheet: photo and depth show no common edges"),
    "split-scene": ("error", "keep all frames of a scene in one split"),
    "split-duplicate": ("error", "remove the photo from one of the splits"),
    "shifted-set": ("error", "register depth to the photo: the calibration is off"),
    "shifted": ("warning", "register depth to the photo again, or remove the pair"),
    "unit-ambiguous": ("warning", "confirm the unit and set metres_per_unit"),
    "missing-depth": ("warning", "add the depth file, remove the photo, or set unpaired: skip"),
    "missing-photo": ("warning", "add the photo, remove the depth file, or set unpaired: skip"),
    "duplicate": ("warning", "remove one of the two"),
    "near-duplicate": ("warning", "two scenes share a photo: they belong to one scene"),
    "saturated": ("warning", "set max_depth_m just below that depth, so that these pixels do not count"),
    "few-pixels": ("warning", "look at the frame: almost nothing of it has depth"),
    "eight-bit": ("warning", "use 16-bit depth where the source has it"),
    "sparse": ("note", "losses on gradients want dense depth: densedepth data fill"),
    "holes": ("note", "densedepth data fill closes holes, or leave them: they do not count"),
    "coarse-steps": ("note", "the steps limit how exact depth can be learned and measured"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: one of `CODES`.
        where: the file, frame or data set.
        what: a sentence without a full stop.
        frame: number of the frame in the inspection, for the contact sheet.
    """

    code: str
    where: str
    what: str
    frame: int | None = None

    @property
    def severity(self) -> Severity:
        return CODES[self.code][0]

    @property
    def advice(self) -> str:
        return CODES[self.code][1]

    def __str__(self) -> str:
        return f"{self.severity:8}{self.code:17}{self.where}: {self.what}"


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Most severe first, then in the order of `CODES`, then by name; each (code, where) once."""
    unique: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.code, finding.where), finding)
    order = {code: place for place, code in enumerate(CODES)}
    return sorted(unique.values(), key=lambda f: (SEVERITIES.index(f.severity), order[f.code], f.where))
