"""One self-contained HTML page about an inspection: no network, no scripts, every picture inside."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from densedepth.data.inspection.alignment import CHANCE, find_edges
from densedepth.data.inspection.findings import Finding
from densedepth.data.inspection.inspection import Inspection
from densedepth.data.inspection.sources import Pixels
from densedepth.data.inspection.survey import BIN_EDGES_M, Progress, no_progress, read_or_finding
from densedepth.io.color import colorize
from densedepth.io.page import color_bar, data_uri, html_page
from densedepth.io.svg import Plot, round_ticks
from densedepth.io.write import replacing

#: Frames on the contact sheet: those with a finding first, and a spread of the others.
_FOUND, _OTHERS = 24, 12
_HOLE = (96, 96, 96)
_CSS = """<style>
.error-row th{color:var(--far)}.note-row th{color:var(--soft)}
.findings th,.findings td{text-align:left}
.findings td:nth-child(n+3){white-space:normal;overflow-wrap:anywhere}
.sheet{display:grid;grid-template-columns:repeat(3,1fr);gap:4px 6px}
.sheet img{width:100%;display:block;border-radius:3px}
.sheet p{grid-column:1/-1;margin:10px 0 0;font-size:13px;overflow-wrap:anywhere}
.sheet b{font-size:13px;color:var(--soft)}
</style>"""


def write_page(result: Inspection, path: Path, *, progress: Progress = no_progress) -> Path:
    """Write the page; the frames of its contact sheet are read once more.

    Returns:
        ``path``.
    """
    sheet = [_panel(result, number) for number in progress(_shown(result), "picture")]
    with replacing(path) as beside:
        beside.write_text(html_page(f"Inspection of {result.root}", _sections(result, sheet)), encoding="utf-8")
    return path


def _sections(result: Inspection, sheet: list[str]) -> Iterable[str]:
    yield _CSS
    yield f"<h1>{escape(result.root.name or str(result.root))}</h1>"
    first, *others = result.summary()
    yield f"<p class='protocol'>{escape(first)}</p>"
    yield "".join(f"<p class='about'>{escape(line)}</p>" for line in others)
    yield "<h2>Findings</h2>"
    yield _findings_table(result.findings)
    if result.conventions is not None and result.conventions.hypotheses and result.conventions.stated is None:
        yield "<h2>Unit</h2>"
        yield _units_table(result)
    if result.frames:
        yield "<h2>Numbers</h2><div class='charts'>"
        for chart, caption in (
            (_depth_chart(result), "Share of the pixels by depth, on a logarithmic scale."),
            (_hole_chart(result), "Frames by the share of their pixels that has depth."),
            (_score_chart(result), f"Frames by how well edges of photo and depth agree. Chance ends at {CHANCE}."),
        ):
            yield f"<figure>{chart}<figcaption>{caption}</figcaption></figure>"
        yield "</div>"
    if sheet:
        yield "<h2>Contact sheet</h2><p class='note'>Frames with findings first, then a spread of the others. Right: "
        yield "edges of the photo in grey, jumps of the depth in red; in a good pair red lies on bright lines.</p>"
        yield f"<p class='legend'>depth: near <img class='bar' alt='' src='{color_bar()}'> far; grey: no depth</p>"
        yield "<div class='sheet'><b>photo</b><b>depth</b><b>edges</b>" + "".join(sheet) + "</div>"


def _findings_table(findings: list[Finding]) -> str:
    if not findings:
        return "<p>None.</p>"
    rows = ["<tr><th></th><th>code</th><th>where</th><th>what</th><th>what to do</th></tr>"]
    for each in findings:
        cells = "".join(f"<td>{escape(text)}</td>" for text in (each.code, each.where, each.what, each.advice))
        rows.append(f"<tr class='{each.severity}-row'><th>{each.severity}</th>{cells}</tr>")
    return f"<div class='wide'><table class='findings'>{''.join(rows)}</table></div>"


def _units_table(result: Inspection) -> str:
    assert result.conventions is not None
    heads = ("one number is", "likely", "5 %, m", "median, m", "95 %, m", "such a scene exists")
    rows = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for each in result.conventions.hypotheses:
        numbers = "".join(f"<td>{value:.3g}</td>" for value in (each.near_m, each.median_m, each.far_m))
        cells = f"<td>{each.percent}</td>{numbers}<td>{'yes' if each.plausible else 'no'}</td>"
        rows.append(f"<tr><th>{escape(each.name)}</th>{cells}</tr>")
    note = "From how usual the unit is for such files, and how well its median and far end fit a room or a street."
    return f"<div class='wide'><table>{''.join(rows)}</table></div><p class='note'>{note}</p>"


def _depth_chart(result: Inspection) -> str:
    counts = np.sum([frame.histogram for frame in result.frames], axis=0)
    used = np.flatnonzero(counts)
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, len(counts))
    edges, shares = np.log10(BIN_EDGES_M), counts / max(counts.sum(), 1)
    ticks = round_ticks(float(shares.max()))
    plot = Plot((edges[first], edges[last]), (0, ticks[-1]), "Histogram of depth")
    marks = [m for m in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if BIN_EDGES_M[first] <= m <= BIN_EDGES_M[last]]
    plot.axes([], ticks, "depth, m", "share of pixels", percent=True)
    plot.x_labels([(float(np.log10(mark)), f"{mark:g}") for mark in marks])
    for place in range(first, last):
        tip = f"{BIN_EDGES_M[place]:.3g} to {BIN_EDGES_M[place + 1]:.3g} m: {100 * shares[place]:.2f} %"
        plot.bar(edges[place], edges[place + 1], shares[place], "near", tip)
    return plot.svg()


def _hole_chart(result: Inspection) -> str:
    return _bars([frame.valid_share for frame in result.frames], np.linspace(0, 1, 21), "share of pixels with depth")


def _score_chart(result: Inspection) -> str:
    scores = [frame.agreement.here for frame in result.frames if frame.agreement is not None]
    return _bars(scores, np.linspace(-0.1, 0.7, 33), "agreement of edges")


def _bars(values: list[float], edges: np.ndarray, label: str) -> str:
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    ticks = round_ticks(max(float(counts.max()), 1.0))
    plot = Plot((edges[0], edges[-1]), (0, ticks[-1]), f"Frames by {label}")
    plot.axes(np.linspace(edges[0], edges[-1], 5), ticks, label, "frames", percent=False)
    for place, count in enumerate(counts):
        tip = f"{edges[place]:.3g} to {edges[place + 1]:.3g}: {count} frames"
        plot.bar(edges[place], edges[place + 1], float(count), "near", tip)
    return plot.svg()


def _shown(result: Inspection) -> list[int]:
    found = [finding.frame for finding in result.findings if finding.frame is not None]
    numbers = list(dict.fromkeys(found))[:_FOUND]
    rest = [frame.number for frame in result.frames if frame.number not in set(found)]
    return numbers + rest[:: max(1, len(rest) // _OTHERS)][:_OTHERS]


def _panel(result: Inspection, number: int) -> str:
    assert result.source is not None
    item = result.items[number]
    said = [f"{each.code}: {each.what}" for each in result.findings if each.frame == number]
    text = " · ".join([item.where, *([item.split] if item.split else []), f"scene {item.scene}", *said])
    pixels = read_or_finding(result.source, number)
    if isinstance(pixels, Finding) or result.conventions is None:
        return f"<p>{escape(text)}</p><b></b><b>cannot be read</b><b></b>"
    pictures = [Image.fromarray(pixels.image), *_depth_views(result, pixels)]
    labels = ("photo", "depth", "edges")
    images = "".join(
        f"<img alt='{label}' src='{data_uri(picture)}'>" for label, picture in zip(labels, pictures, strict=False)
    )
    return f"<p>{escape(text)}</p>{images}{'<b></b>' * (3 - len(pictures))}"


def _depth_views(result: Inspection, pixels: Pixels) -> list[Image.Image]:
    """Coloured depth, and edges where sizes fit."""
    assert result.conventions is not None
    valid = result.conventions.valid(pixels.values)
    depth_m = np.where(valid, pixels.values * np.float64(result.conventions.metres_per_unit), 0).astype(np.float32)
    colours = np.array(colorize(depth_m))
    colours[~valid] = _HOLE
    views = [Image.fromarray(colours)]
    if pixels.image.shape[:2] == valid.shape and valid.any():
        edges = find_edges(pixels.image, depth_m, valid)
        grey = np.rint(edges.photo / max(float(edges.photo.max()), 1e-6) * 200).astype(np.uint8)
        drawn = np.repeat(grey[..., None], 3, axis=2)
        drawn[edges.depth > 0] = (230, 60, 50)
        views.append(Image.fromarray(drawn))
    return views
