"""The page, the table and the JSON of an evaluation."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from densedepth.evaluation import PROTOCOLS, Evaluation, evaluate_model, write_report
from densedepth.evaluation.alignment import Fit
from densedepth.evaluation.charts import error_by_depth
from densedepth.evaluation.panels import chosen
from densedepth.evaluation.profile import ErrorProfile
from densedepth.evaluation.published import published_for
from densedepth.evaluation.result import FrameResult
from densedepth.io.svg import round_ticks
from densedepth.metrics import METRIC_NAMES
from test_protocols import Frames, Model

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Fails on tags that do not close; collects what the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def evaluated(count: int, **options: object) -> tuple[Evaluation, Frames, Model]:
    model, frames = Model(), Frames(count)
    return evaluate_model(model, frames, PROTOCOLS["none"], dataset_name="nyu test", **options), frames, model  # type: ignore[arg-type]


def page_of(folder: Path, count: int, **options: object) -> str:
    result, frames, model = evaluated(count, **options)
    path = write_report(result, folder, estimator=model, dataset=frames, protocol=PROTOCOLS["none"])
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


def test_page_is_self_contained_and_well_formed(tmp_path: Path) -> None:
    page = page_of(tmp_path / "new" / "report", 24)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert all(source.startswith("data:image/") for source in parser.sources)
    assert "<script" not in page
    assert set(re.findall(r"https?://[^'\"< ]+", page)) <= {"http://www.w3.org/2000/svg"}
    # Ten worst and ten median, four pictures each; two legends with two bars each.
    assert len(parser.sources) == 20 * 4 + 4
    assert len((tmp_path / "new" / "report" / "per_image.csv").read_text().splitlines()) == 25
    assert [path.name for path in sorted((tmp_path / "new" / "report").iterdir())] == ["per_image.csv", "report.html"]


def test_page_says_the_conditions_and_the_published_numbers(tmp_path: Path) -> None:
    page = page_of(tmp_path, 4, alignment="median", tta=False, limit=2)
    assert "2 images (only every 2nd of 4)" in page
    assert "alignment median, mirror averaging off" in page
    for number in ("0.465", "0.5485", "0.1274", ".1234", "0.895", "50,688", "0.641", "0.604", "0.392", "0.206"):
        assert number in page, number
    assert "why these differ" in page
    assert "Alignment none; here median." in page
    assert "Mirror averaging on; here off." in page


def test_names_are_escaped(tmp_path: Path) -> None:
    result, frames, model = evaluated(1)
    model.card = type("Card", (), {"name": "<b>&'"})()
    result = evaluate_model(model, frames, PROTOCOLS["none"], dataset_name="<i>")
    page = write_report(result, tmp_path, estimator=model, dataset=frames, protocol=PROTOCOLS["none"]).read_text(
        encoding="utf-8"
    )
    assert "<title>&lt;b&gt;&amp;&#x27; on &lt;i&gt;</title>" in page
    assert "Beside published" not in page


def test_published_rows_explain_themselves() -> None:
    result, _, _ = evaluated(2)
    rows = {row.name: row.differences(result) for row in published_for("nyu test")}
    assert len(rows) == 11
    assert all(rows.values())
    assert "rows 20:460, cols 24:616" in rows["DenseDepth, the paper"]
    assert "rows 45:471, cols 41:601" in rows["BTS"]
    assert published_for("kitti test")[0].values["rmse"] == 4.170
    assert published_for("mine") == ()


def frame(index: int, abs_rel: float) -> FrameResult:
    return FrameResult(index, f"{index}.png", 10, dict.fromkeys(METRIC_NAMES, abs_rel), (0.5, float("nan"), 1.0), Fit())


def test_worst_and_median_images() -> None:
    worst, median = chosen([frame(i, i / 100) for i in range(100)])
    assert [row.index for row in worst] == list(range(99, 89, -1))
    assert sorted(row.index for row in median) == list(range(45, 55))
    for count in (1, 2, 3, 5, 20, 21, 29):
        worst, median = chosen([frame(i, i / 100) for i in range(count)])
        assert worst[0].index == count - 1
        assert not {row.index for row in worst} & {row.index for row in median}
        assert len(median) == min(10, count // 2)


def test_csv_has_a_row_an_image(tmp_path: Path) -> None:
    result, _, _ = evaluated(3, alignment="median")
    with result.save_csv(tmp_path / "deep" / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["frame0.png", "frame1.png", "frame2.png"]
    assert [*rows[0]][:11] == ["image", "pixels", *METRIC_NAMES]
    assert np.mean([float(row["rmse"]) for row in rows]) == pytest.approx(result.per_image["rmse"])
    assert float(rows[1]["scale"]) == result.frames[1].fit.scale != 1


def test_json_has_no_nan_even_without_edges(tmp_path: Path) -> None:
    class Flat(Frames):
        def __getitem__(self, index: int):  # type: ignore[no-untyped-def]
            plain = super().__getitem__(index)
            plain.depth_m[:] = 3
            return plain

    result = evaluate_model(Model(), Flat(2), PROTOCOLS["none"], dataset_name="flat")
    text = result.save_json(tmp_path / "x.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["edges"]["0.5"]["f1"] is None
    assert "no image has true edges" in str(result)


def test_profile_counts_every_pixel() -> None:
    profile = ErrorProfile(10.0)
    truth_m = np.array([0.2, 1.2, 1.4, 9.9, 10.0], np.float32)
    profile.update(np.array([9.0, 1.3, 1.3, 0.1, 10.0], np.float32), truth_m)
    assert profile.error_shares.sum() == pytest.approx(1)
    assert profile.error_shares[0] == pytest.approx(0.2)
    assert profile.error_shares[-1] == pytest.approx(0.2)
    assert profile.depth_shares[[0, 2, 19]] == pytest.approx([0.2, 0.4, 0.4])
    assert profile.mean_error_m[2] == pytest.approx(0.1)
    assert profile.bias_m[2] == pytest.approx(0, abs=1e-6)
    assert np.isnan(profile.mean_error_m[7])
    # Lines break where no pixel is; nothing of that reaches the page.
    assert "nan" not in error_by_depth(profile)


@pytest.mark.parametrize(("low", "high"), [(0, 0.07), (0, 1), (-7.6, 7.8), (-0.02, 3), (0, 1e-12)])
def test_ticks_enclose(low: float, high: float) -> None:
    ticks = round_ticks(high, low)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 10
