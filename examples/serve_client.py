"""Ask a running `densedepth serve`: python examples/serve_client.py [PHOTO] [--url http://127.0.0.1:8000]

Nothing but the standard library and NumPy. $DENSEDEPTH_TOKEN is sent if it is set.
"""

from __future__ import annotations

import argparse
import json
import os
from io import BytesIO
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np

PHOTO = Path(__file__).resolve().parents[1] / "src" / "densedepth" / "examples" / "office.jpg"

parser = argparse.ArgumentParser(description="Ask a running densedepth serve.")
parser.add_argument("photo", nargs="?", type=Path, default=PHOTO)
parser.add_argument("--url", default="http://127.0.0.1:8000")
arguments = parser.parse_args()


def ask(path: str, body: bytes | None = None) -> bytes:
    """The answer to a GET, or to a POST of `body`."""
    token = os.environ.get("DENSEDEPTH_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urlopen(Request(arguments.url.rstrip("/") + path, body, headers), timeout=60) as answer:
        content: bytes = answer.read()
    return content


print("models:", ", ".join(card["name"] for card in json.loads(ask("/v1/models"))))
photo = arguments.photo.read_bytes()
with np.load(BytesIO(ask("/v1/depth?format=npz", photo)), allow_pickle=False) as arrays:
    depth_m = arrays["depth_m"]
print(f"{arguments.photo.name}: {depth_m.shape[1]} x {depth_m.shape[0]}, median {np.median(depth_m):.2f} m")
print("in words:", json.loads(ask("/v1/depth?format=json", photo)))
