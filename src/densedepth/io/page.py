"""What self-contained HTML pages share: their look (light, or dark where the reader's system is), their frame, and
pictures inside the page. No network, no scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape

from PIL import Image

from densedepth.io.color import DEFAULT_CMAP, color_table

PICTURE_WIDTH = 320

CSS = """
:root{--ink:#1d2330;--soft:#5b6474;--line:#dfe3ea;--page:#fff;--tint:#f4f6f9;--near:#3b6fb5;--far:#c0453f;--bar:#d9dee7}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#333b49;--page:#14181f;--tint:#1c222c;
--near:#6d9ede;--far:#e27a73;--bar:#343d4d}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:var(--ink);
background:var(--page);max-width:1240px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;margin:0 0 6px}h2{font-size:19px;margin:36px 0 10px}
.protocol{font-weight:600;background:var(--tint);border-left:4px solid var(--near);padding:8px 12px;margin:8px 0}
.about,.note,figcaption,.legend{color:var(--soft);font-size:13px;margin:6px 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;text-align:right;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
tr:first-child th{color:var(--soft);font-weight:600;font-size:13px}
th:first-child{text-align:left;font-weight:600}
td small{display:block;color:var(--soft);font-size:11px}
.why{text-align:left;white-space:normal;min-width:300px;font-size:13px;color:var(--soft)}
.this{background:var(--tint)}.this td:not(.why){font-weight:700}.ours th{color:var(--near)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:24px}
figure{margin:0}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,"DejaVu Sans",sans-serif;fill:var(--soft)}
.grid{stroke:var(--line)}.zero{stroke:var(--ink);stroke-width:1;fill:none}
.near{fill:var(--near)}.far{fill:var(--far)}.share{fill:var(--bar)}
.error,.bias{fill:none;stroke-width:2.5;stroke-linejoin:round}.error{stroke:var(--far)}.bias{stroke:var(--near)}
.key-error{color:var(--far)}.key-bias{color:var(--near)}
.legend span{display:inline-block;margin-right:28px;white-space:nowrap}
.bar{width:130px;height:11px;vertical-align:-1px;image-rendering:pixelated}
.panels{display:grid;grid-template-columns:repeat(4,1fr);gap:4px 6px}
.panels b{font-size:13px;color:var(--soft)}.panels img{width:100%;display:block;border-radius:3px}
.panels p{grid-column:1/-1;margin:10px 0 0;font-size:13px}
@media print{body{max-width:none}}
"""


def html_page(title: str, sections: Iterable[str]) -> str:
    """A whole document; the sections are HTML, the title is text."""
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def color_bar(cmap: str = DEFAULT_CMAP) -> str:
    """All colours of a map from left to right, as a data URI."""
    return data_uri(Image.fromarray(color_table(cmap)[None]).resize((256, 8), Image.Resampling.NEAREST), 256)


def data_uri(picture: Image.Image, width: int = PICTURE_WIDTH, how: Image.Resampling = Image.Resampling.BOX) -> str:
    """A JPEG of at most ``width`` pixels that stands inside the page."""
    if picture.width > width:
        picture = picture.resize((width, max(1, round(picture.height * width / picture.width))), how)
    buffer = io.BytesIO()
    # Full chroma: half of it would smear the colours of depth over edges.
    picture.save(buffer, "JPEG", quality=82, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
