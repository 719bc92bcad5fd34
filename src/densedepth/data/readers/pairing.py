"""Which photo belongs to which depth file, from their names alone.

The habits known here: ``rgb/0001.png`` + ``depth/0001.png``; ``x_rgb.png`` + ``x_depth.png``; ``x.jpg`` + ``x.png``;
``rgb_0001.jpg`` + ``sync_depth_0001.png``; one folder a frame; and time stamps that nearly agree, as in the RGB-D
sets of TUM, with or without a file of associations.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from densedepth.data.readers.depth_files import DEPTH_SUFFIXES, is_deep, picture_header
from densedepth.errors import DataError
from densedepth.io import IMAGE_SUFFIXES
from densedepth.io.opening import one_line

DEPTH_WORDS = frozenset(
    {"depth", "depths", "depthmap", "depthmaps", "dmap", "disp", "disparity", "disparities", "gt", "groundtruth"}
)
DISPARITY_WORDS = frozenset({"disp", "disparity", "disparities"})
PHOTO_WORDS = frozenset(
    {"rgb", "color", "colors", "colour", "colours", "image", "images", "img", "imgs", "photo", "photos"}
)
#: Belongs to a frame, but is neither its photo nor its depth.
OTHER_WORDS = frozenset(
    {
        "mask",
        "masks",
        "label",
        "labels",
        "semantic",
        "semantics",
        "normal",
        "normals",
        "confidence",
        "vis",
        "viz",
        "preview",
    }
)
#: With a word for depth, these mean a picture of depth in colour.
_COLOUR_WORDS = frozenset({"rgb", "color", "colors", "colour", "colours", "colored", "coloured"})
_FILLERS = DEPTH_WORDS | PHOTO_WORDS | {"sync", "raw", "map", "maps"}
#: Only depth comes in these.
_ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".exr"})
#: Photos and depth that were taken further apart are no pair, seconds; the value of TUM's own tool.
MAX_GAP_S = 0.02
_ASSOCIATIONS = "*assoc*.txt"


@dataclass(frozen=True)
class Pairing:
    """Paths relative to the folder, sorted by photo.

    Attributes:
        pairs: (photo, depth).
        lone_photos: photos without a depth file.
        lone_depths: depth files without a photo.
        rule: how the pairs were found, for people.
    """

    pairs: list[tuple[str, str]]
    lone_photos: list[str]
    lone_depths: list[str]
    rule: str


def sort_files(root: Path, files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tell photos from depth files: by the words in their names, then by suffix, then by bit depth.

    Args:
        root: the folder.
        files: paths relative to it.

    Returns:
        Photos and depth files, each sorted. What is neither is left out.
    """
    photos: list[str] = []
    depths: list[str] = []
    grey: list[str] = []
    for name in sorted(files):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in IMAGE_SUFFIXES | DEPTH_SUFFIXES:
            continue
        kind = _kind_by_words(name)
        if kind is None and suffix in _ARRAY_SUFFIXES:
            kind = "depth"
        if kind is None:
            header = picture_header(root / name) if suffix in DEPTH_SUFFIXES else None
            mode = header[0] if header else "RGB"
            kind = "depth" if is_deep(mode) else "grey" if mode == "L" else "photo"
        {"photo": photos, "depth": depths, "grey": grey, "other": []}[kind].append(name)
    # 8-bit grey without a word for it is depth where it has a photo beside it, and a grey photo elsewhere.
    keys = {key_of(name) for name in photos}
    for name in grey:
        (depths if key_of(name) in keys else photos).append(name)
    return sorted(photos), sorted(depths)


def find_pairs(root: Path, photos: Sequence[str], depths: Sequence[str]) -> Pairing:
    """Pair photos with depth files.

    Args:
        root: the folder; a file of associations in it (``*assoc*.txt``) decides where there is one.
        photos: paths relative to it.
        depths: the same.

    Raises:
        DataError: a line of the associations that is not "time file time file".
    """
    listed = sorted(root.glob(_ASSOCIATIONS))
    if listed:
        pairs = _associated(listed[0], set(photos), set(depths))
        return _pairing(pairs, photos, depths, f"the list {listed[0].name}")
    pairs = _with_equal_key(photos, depths, key_of)
    rules = ["equal names"] if pairs else []
    for rule, more in (("equal file names", _by_file_name), ("nearest time stamps", _by_time)):
        taken = {name for pair in pairs for name in pair}
        found = more([name for name in photos if name not in taken], [name for name in depths if name not in taken])
        pairs += found
        rules += [rule] if found else []
    return _pairing(pairs, photos, depths, " and ".join(rules) or "no rule that fits")


def text_lines(path: Path) -> list[str]:
    """The lines of a list of names. Raises DataError when it cannot be read as UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({one_line(error)}); save it as UTF-8, or remove it") from None


def key_of(name: str) -> tuple[str, ...]:
    """What photo and depth of one frame have in common: folders and stem without the words for either."""
    path = PurePosixPath(name)
    folders = ["_".join(words_of(part, _FILLERS)) for part in path.parts[:-1]]
    return (*(part for part in folders if part), "_".join(words_of(path.stem, _FILLERS)))


def words_of(text: str, without: frozenset[str] = frozenset()) -> list[str]:
    """Runs of letters and of digits, lower case; a capital begins a new word."""
    runs = re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+", text)
    return [run.lower() for run in runs if run.lower() not in without]


def _kind_by_words(name: str) -> str | None:
    """A stem that says depth or colour decides; then the nearest folder that says anything; then the stem's rest."""
    *folders, stem = (set(words_of(part)) for part in PurePosixPath(name).with_suffix("").parts)
    if stem & OTHER_WORDS or (stem & DEPTH_WORDS and stem & _COLOUR_WORDS):
        return "other"
    if stem & DEPTH_WORDS:
        return "depth"
    if stem & _COLOUR_WORDS:
        return "photo"
    for words in [*reversed(folders), stem]:
        if words & OTHER_WORDS:
            return "other"
        if words & DEPTH_WORDS:
            return "depth"
        if words & PHOTO_WORDS:
            return "photo"
    return None


def _pairing(pairs: list[tuple[str, str]], photos: Sequence[str], depths: Sequence[str], rule: str) -> Pairing:
    taken = {name for pair in pairs for name in pair}
    lone_photos, lone_depths = ([name for name in names if name not in taken] for names in (photos, depths))
    return Pairing(sorted(pairs), lone_photos, lone_depths, rule)


def _with_equal_key(
    photos: Sequence[str], depths: Sequence[str], key: Callable[[str], object]
) -> list[tuple[str, str]]:
    """Of several files with one key the first in order is taken; the others stay without partner."""
    by_key: dict[object, str] = {}
    for name in depths:
        by_key.setdefault(key(name), name)
    return [(name, by_key.pop(key(name))) for name in photos if key(name) in by_key]


def _by_file_name(photos: Sequence[str], depths: Sequence[str]) -> list[tuple[str, str]]:
    """Folders differ, but the stem occurs once among the photos and once among the depth files."""
    stems = [defaultdict(list), defaultdict(list)]  # type: list[defaultdict[str, list[str]]]
    for by_stem, names in zip(stems, (photos, depths), strict=True):
        for name in names:
            by_stem[key_of(name)[-1]].append(name)
    shared = (stem for stem in stems[0] if stem and len(stems[0][stem]) == len(stems[1].get(stem, ())) == 1)
    return [(stems[0][stem][0], stems[1][stem][0]) for stem in shared]


def _by_time(photos: Sequence[str], depths: Sequence[str]) -> list[tuple[str, str]]:
    """One to one, nearest first, inside folders of the same name but for the words."""
    candidates = []
    times_of = [
        defaultdict(list),
        defaultdict(list),
    ]  # type: list[defaultdict[tuple[str, ...], list[tuple[float, str]]]]
    for by_folder, names in zip(times_of, (photos, depths), strict=True):
        for name in names:
            time_s = _time_s(PurePosixPath(name).stem)
            if time_s is not None:
                by_folder[key_of(name)[:-1]].append((time_s, name))
    for folder, photo_times in times_of[0].items():
        depth_times = sorted(times_of[1].get(folder, []))
        first = 0
        for time_s, photo in sorted(photo_times):
            while first < len(depth_times) and depth_times[first][0] < time_s - MAX_GAP_S:
                first += 1
            for other_s, depth in depth_times[first:]:
                if other_s > time_s + MAX_GAP_S:
                    break
                candidates.append((abs(other_s - time_s), photo, depth))
    pairs: dict[str, str] = {}
    for _, photo, depth in sorted(candidates):
        if photo not in pairs and depth not in pairs:
            pairs[photo], pairs[depth] = depth, ""
    return [(photo, depth) for photo, depth in pairs.items() if depth]


def _time_s(stem: str) -> float | None:
    """A time stamp as seconds: with a decimal point, or whole milli-, micro- or nanoseconds since 1970."""
    text = re.search(r"\d{9,}(\.\d+)?", stem)
    if text is None:
        return None
    time = float(text[0])
    return time / next((unit for limit, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)) if time > limit), 1.0)


def _associated(path: Path, photos: set[str], depths: set[str]) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text_lines(path), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 4:
            raise DataError(f"{path}, line {number}: expected 'time photo time depth', got {len(words)} words")
        one, two = words[1], words[3]
        pairs += [(one, two)] if one in photos and two in depths else []
        pairs += [(two, one)] if two in photos and one in depths else []
    return pairs
