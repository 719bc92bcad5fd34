"""Reading the card of an OpenVINO bundle without OpenVINO."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

_PLACE = "rt_info/densedepth/card"
"""Where `model.set_rt_info(card, ["densedepth", "card"])` puts it."""


def read_ir_card(path: Path) -> str | None:
    """The card in an .xml file as JSON text; None when there is none.

    Raises:
        ValueError: not XML.
        OSError: the file cannot be read.
    """
    try:
        entry = ElementTree.parse(path).find(_PLACE)
    except ElementTree.ParseError as cause:
        raise ValueError(str(cause)) from cause
    return None if entry is None else entry.get("value")
