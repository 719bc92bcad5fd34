"""How a client chooses the form of an answer: by the query, or by the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from densedepth.serve.problems import Refused


def chosen(offers: Mapping[str, Any], wanted: str | None, accept: str) -> tuple[str, str]:
    """(format, media type) for a request.

    Args:
        offers: media type to format.
        wanted: the format that the query names, or None.
        accept: the Accept header; its order counts where the q values are the same.

    Raises:
        Refused: 406, the header names nothing that is offered.
    """
    ranked = _ranked(accept or "*/*")
    for asked in ranked:
        for media, name in offers.items():
            if _matches(asked, media) and wanted in (None, name):
                return name, media.partition(";")[0]
    if wanted is not None:
        return wanted, next(media.partition(";")[0] for media, name in offers.items() if name == wanted)
    raise Refused(406, f"Accept names nothing that is offered: {', '.join(offers)}")


def _ranked(accept: str) -> list[str]:
    weighted = []
    for entry in accept.split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            q = float(weight)
        except ValueError:
            q = 0.0
        kept = [part.replace('"', "") for part in parameters if part.startswith("profile=")]
        if q > 0:
            weighted.append((-q, "; ".join([media, *kept])))
    return [media for _, media in sorted(weighted, key=lambda pair: pair[0])]


def _matches(asked: str, media: str) -> bool:
    kind = media.partition("/")[0]
    return asked in (media, "*/*", f"{kind}/*")
