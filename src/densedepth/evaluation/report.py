"""One self-contained HTML page about an evaluation: no network, no scripts, every picture inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

from densedepth.data import DepthDataset
from densedepth.evaluation.charts import error_by_depth, error_histogram
from densedepth.evaluation.comparison import Predictor, compare
from densedepth.evaluation.panels import ERROR_CMAP, Panel, chosen, panel
from densedepth.evaluation.protocols import Protocol
from densedepth.evaluation.published import TEST_IMAGES, published_for
from densedepth.evaluation.result import Evaluation, FrameResult
from densedepth.io.page import color_bar, html_page
from densedepth.io.write import replacing
from densedepth.metrics import METRIC_NAMES

_LABELS = {
    **{f"delta{k}": f"δ<sub>{k}</sub>" for k in (1, 2, 3)},
    "abs_rel": "abs rel",
    "sq_rel": "sq rel, m",
    "rmse": "RMSE, m",
    "rmse_log": "RMSE log",
    "log10": "log10",
    "silog": "SILog",
}
_BETTER = {name: "↑" if name.startswith("delta") else "↓" for name in METRIC_NAMES}


def write_report(
    result: Evaluation,
    folder: str | os.PathLike[str],
    *,
    estimator: Predictor,
    dataset: DepthDataset,
    protocol: Protocol,
    progress: Callable[[Iterable[FrameResult]], Iterable[FrameResult]] = iter,
) -> Path:
    """Write ``report.html`` and ``per_image.csv`` into ``folder``.

    The images of the panels are predicted once more, under the same protocol: keeping all predictions of the first
    pass would need memory for every image of the data set.

    Args:
        result: from `evaluate_model` with the next three.
        folder: made if missing.
        estimator: the model.
        dataset: the frames, in the same order.
        protocol: the same.
        progress: wraps the iteration over the images to draw.

    Returns:
        Path of the page.
    """
    folder = Path(folder)
    result.save_csv(folder / "per_image.csv")
    assert result.profile is not None, "a result of evaluate_model has a profile"
    reach_m = float(result.profile.error_edges_m[-1])
    worst, median = chosen(result.frames)
    panels: list[Panel] = []
    for row in progress([*worst, *median]):
        frame = dataset[row.index]
        compared = compare(
            estimator, frame, protocol, tta=result.tta, alignment=result.alignment, use_camera=result.use_camera
        )
        panels.append(panel(frame, compared, row, reach_m))
    with replacing(folder / "report.html") as beside:
        beside.write_text(_page(result, panels[: len(worst)], panels[len(worst) :], reach_m), encoding="utf-8")
    return folder / "report.html"


def _page(result: Evaluation, worst: list[Panel], median: list[Panel], reach_m: float) -> str:
    title = f"{result.model} on {result.dataset}"
    assert result.profile is not None
    sections = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='protocol'>{escape(result.images_text)} · {escape(result.protocol_line)}</p>",
        _about(result),
        "<h2>Results</h2>",
        _results_table(result),
        _edges_table(result),
        _published_table(result),
        "<h2>Where the errors are</h2><div class='charts'>",
        f"<figure>{error_histogram(result.profile)}<figcaption>Share of the counted pixels by signed error. "
        "Blue: predicted too near; red: too far. The outermost bars hold everything beyond.</figcaption></figure>",
        f"<figure>{error_by_depth(result.profile)}<figcaption><b class='key-error'>Mean absolute error</b> and "
        "<b class='key-bias'>bias</b> (prediction − truth) against true depth. Grey bars: how many of the pixels lie "
        "at that depth, not to scale.</figcaption></figure></div>",
        _panels("Worst images", "by absolute relative error, worst first", worst, reach_m),
        _panels("Median images", "around the median of absolute relative error", median, reach_m),
    ]
    return html_page(title, sections)


def _about(result: Evaluation) -> str:
    parts = [f"densedepth {result.densedepth_version}"]
    if result.seconds is not None:
        parts.append(f"{result.seconds:.0f} s")
    if result.pixels is not None:
        parts.append(f"{result.pixels:,} counted pixels")
    if result.training_data:
        parts.append(f"model trained on: {result.training_data}")
    return f"<p class='about'>{escape(' · '.join(parts))}</p>"


def _head(names: Iterable[str], last: str = "") -> str:
    cells = "".join(f"<th>{_LABELS[name]} {_BETTER[name]}</th>" for name in names)
    return f"<tr><th></th>{cells}{f'<th class=why>{last}</th>' if last else ''}</tr>"


def _results_table(result: Evaluation) -> str:
    rows = [_head(METRIC_NAMES)]
    for label, key, values in (
        ("mean of per-image values", "per_image", result.per_image),
        ("pooled over all pixels", "pooled", result.pooled),
    ):
        limits = (result.intervals95 or {}).get(key, {})
        cells = ""
        for name in METRIC_NAMES:
            between = limits.get(name)
            small = f"<small>{between[0]:.3f} – {between[1]:.3f}</small>" if between else ""
            cells += f"<td><b>{values[name]:.4f}</b>{small}</td>"
        rows.append(f"<tr><th>{label}</th>{cells}</tr>")
    note = (
        "<p class='note'>Small: 95 % bootstrap intervals over images. Roots (RMSE, RMSE log, SILog) are taken per "
        "image in the first row and once over all pixels in the second; papers print either without saying which.</p>"
    )
    return f"<div class='wide'><table>{''.join(rows)}</table></div>{note}"


def _edges_table(result: Evaluation) -> str:
    rows = ["<tr><th>Sobel gradient of depth</th><th>precision ↑</th><th>recall ↑</th><th>F1 ↑</th>"]
    rows.append("<th>95 % of F1</th><th>images</th><th>without true edges</th></tr>")
    for name, row in result.edges.items():
        between = (result.intervals95 or {}).get("edges", {}).get(name)
        scores = [row[score] for score in ("precision", "recall", "f1")]
        cells = "".join(f"<td>{'–' if score is None else format(score, '.4f')}</td>" for score in scores)
        interval = f"{between[0]:.4f} – {between[1]:.4f}" if between else "–"
        counts = f"<td>{row['images']}</td><td>{row['images_without_edges']}</td>"
        rows.append(f"<tr><th>&gt; {name}</th>{cells}<td>{interval}</td>{counts}</tr>")
    note = (
        "<p class='note'>After Hu et al. 2019 at the size of the ground truth, without tolerance in position; a "
        "straight step of h metres has gradient 4 h. Images whose truth has no edge are left out of that row.</p>"
    )
    return f"<h2>Depth discontinuities</h2><div class='wide'><table>{''.join(rows)}</table></div>{note}"


def _published_table(result: Evaluation) -> str:
    published = published_for(result.dataset)
    if not published:
        return ""
    names = [name for name in METRIC_NAMES if any(name in row.values for row in published)]
    rows = [_head(names, "why these differ")]
    conditions = f"{result.protocol}, alignment {result.alignment}, mirror averaging {'on' if result.tta else 'off'}."
    for label, values, how in (
        ("this model, per image", result.per_image, "Mean of per-image values"),
        ("this model, pooled", result.pooled, "Pooled over all pixels"),
    ):
        why = f"{how}; {conditions}"
        if result.training_data:
            why += f" Trained on {result.training_data}."
        cells = "".join(f"<td>{values[name]:.3f}</td>" for name in names)
        rows.append(f"<tr class='this'><th>{label}</th>{cells}<td class='why'>{escape(why)}</td></tr>")
    for row in published:
        cells = "".join(f"<td>{_as_printed(row.values.get(name))}</td>" for name in names)
        style = " class='ours'" if row.ours else ""
        why = escape(row.differences(result))
        rows.append(f"<tr{style}><th>{escape(row.name)}</th>{cells}<td class='why'>{why}</td></tr>")
    expected = TEST_IMAGES[result.dataset.partition(" ")[0]]
    note = (
        f"The published numbers are for {expected} test images; this run used {result.images_text} of {result.dataset}."
    )
    return (
        f"<h2>Beside published results</h2><p class='note'>{escape(note)}</p>"
        f"<div class='wide'><table>{''.join(rows)}</table></div>"
    )


def _as_printed(value: float | None) -> str:
    """Published numbers have three decimals, a few have four."""
    if value is None:
        return "–"
    return f"{value:.3f}" if round(value, 3) == value else f"{value:.4f}"


def _panels(title: str, how: str, panels: list[Panel], reach_m: float) -> str:
    if not panels:
        return ""
    bars = (
        f"<span>depth: near <img class='bar' alt='' src='{color_bar()}'> far, in metres as said above each image; "
        "grey: no ground truth</span>"
        f"<span>error: −{reach_m:g} m, too near <img class='bar' alt='' src='{color_bar(ERROR_CMAP)}'> "
        f"too far, +{reach_m:g} m; grey: not counted</span>"
    )
    rows = [f"<h2>{title}</h2><p class='note'>{len(panels)} {how}.</p><p class='legend'>{bars}</p><div class='panels'>"]
    rows.append("".join(f"<b>{label}</b>" for label in ("photo", "truth", "prediction", "error")))
    for row in panels:
        metrics = row.result.metrics
        rows.append(
            f"<p>{escape(row.result.key)} · abs rel {metrics['abs_rel']:.3f} · RMSE {metrics['rmse']:.3f} m · "
            f"δ<sub>1</sub> {metrics['delta1']:.3f} · colours {row.near_m:.2f} to {row.far_m:.2f} m</p>"
        )
        for label, picture in (
            ("photo", row.photo),
            ("truth", row.truth),
            ("prediction", row.prediction),
            ("error", row.error),
        ):
            rows.append(f"<img alt='{label} of {escape(row.result.key, quote=True)}' src='{picture}'>")
    return "".join(rows) + "</div>"
