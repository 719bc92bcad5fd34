"""Putting a bundle on the Hugging Face hub: the file, a model card made from its own card, and its checksum."""

from __future__ import annotations

import hashlib
import re
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from densedepth.errors import DenseDepthError
from densedepth.runtime.card import PROTOCOL_KEYS, SHOWN_METRICS, Card, read_card, shown_metrics
from densedepth.runtime.hub import CHECKSUMS, PREFIX, answer_of, short

BUNDLE = "model.onnx"
"""Name of the bundle in a repository: always the same, so that a new one takes the place of the old one."""

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
#: Licences by the names that the hub has for them; to it, all others are "other", and stand in the text.
_LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")


def publish_bundle(
    path: str | PathLike[str], repo_id: str, *, private: bool = False, message: str | None = None
) -> str:
    """Upload a bundle with its model card and checksum, all in one commit; the repository is made if it is not there.

    The token is HF_TOKEN, or the one that `hf auth login` has stored. A README.md that is there is replaced.

    Args:
        path: the bundle.
        repo_id: `user/repo`.
        private: make the repository private. One that exists and is public is refused.
        message: of the commit.

    Returns:
        Address of the commit.

    Raises:
        BundleError: no bundle.
        DenseDepthError: huggingface_hub is not installed, no token, no rights, or no network; nothing is uploaded.
    """
    check_access(repo_id)
    path = Path(path)
    if path.suffix == ".xml":
        raise DenseDepthError(f"{path}: OpenVINO bundles are two files; publish the .onnx one")
    card = read_card(path)
    content = path.read_bytes()  # what is hashed is what is sent
    files = {
        BUNDLE: content,
        CHECKSUMS: f"{hashlib.sha256(content).hexdigest()}  {BUNDLE}\n".encode(),
        "README.md": model_card(card, repo_id).encode(),
    }
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    api = HfApi(library_name="densedepth")
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        # For a repository that exists, `private` has no meaning: what was to stay at home must not go out.
        if private and not api.model_info(repo_id).private:
            raise DenseDepthError(f"{repo_id}: exists and is public; make it private on its page, or publish it so")
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, data) for name, data in files.items()],
            commit_message=message or f"{card.name}, {card.created_with or 'a densedepth bundle'}",
        )
    except DenseDepthError:
        raise
    except OfflineModeIsEnabled as cause:
        raise DenseDepthError(f"{repo_id}: HF_HUB_OFFLINE is set; nothing was published") from cause
    except Exception as cause:  # the client raises the errors of the HTTP library it is built on
        why = answer_of(cause) or f"the hub cannot be reached ({short(cause)})"
        raise DenseDepthError(f"{repo_id}: {why}; nothing was published") from cause
    return str(commit.commit_url)


def check_access(repo_id: str) -> None:
    """Find out early what would only fail after an export: a wrong name, a missing package, no token.

    Raises:
        DenseDepthError: one of these.
    """
    if not _REPO.fullmatch(repo_id):
        raise DenseDepthError(f"{repo_id}: not the name of a repository; give user/repo")
    try:
        from huggingface_hub import get_token
    except ImportError as cause:
        raise DenseDepthError(f"{repo_id}: needs huggingface_hub: pip install densedepth[hub]") from cause
    if get_token() is None:
        raise DenseDepthError(f"{repo_id}: no token: set HF_TOKEN to one with the right to write")


def model_card(card: Card, repo_id: str) -> str:
    """The README.md of a repository: YAML for the hub in front, text for people behind."""
    near_m, far_m = card.depth_range_m
    camera = card.input
    facts = {
        "encoder": card.encoder,
        "input": f"{camera.width} x {camera.height}, focal length {camera.focal_35mm:.0f} mm in 35mm terms",
        "range": f"{near_m:g} to {far_m:g} m",
        "made with": card.created_with,
    }
    rows = "\n".join(f"| {name} | {_cell(value)} |" for name, value in facts.items() if value)
    return f"""---
{yaml.safe_dump(_front_matter(card), sort_keys=False, allow_unicode=True)}---

# {card.name}

Monocular depth: one RGB photo in, metres out. One ONNX file that holds everything between the two, and needs no torch.

```
pip install densedepth[hub]
densedepth predict room.jpg --model {PREFIX}{repo_id}
```

```python
import densedepth

depth = densedepth.load("{PREFIX}{repo_id}").predict("room.jpg")
depth.depth_m  # float32 (H, W), metres
```

| | |
|---|---|
{rows}

## Training data

{card.training_data or "Not stated."}

Metres hold for scenes like those it was trained on. Photos are brought to the size of the training images, and depth is
scaled by the focal length (EXIF, or `--focal-35mm`); without one, that of the training camera is assumed.

## Licence

{card.license or "Not stated: ask the owner of this repository."}

## Measured

{_measured(card.metrics)}

## Checksum

`{CHECKSUMS}` states the SHA-256 of `{BUNDLE}`; `densedepth` checks it whenever it loads the model.
"""


def _front_matter(card: Card) -> dict[str, Any]:
    """What the hub reads: see its "Model Cards" documentation."""
    licence = card.license.strip().lower().replace(" ", "-")
    values: dict[str, Any] = {"library_name": "densedepth", "pipeline_tag": "depth-estimation"}
    if licence:
        values["license"] = licence if licence in _LICENCES else "other"
    if values.get("license") == "other":
        values["license_name"] = "see-model-card"
    values["tags"] = ["depth-estimation", "monocular-depth", "metric-depth", "densedepth", "onnx"]
    results = [_result(result) for result in card.metrics if shown_metrics(result)]
    if results:
        values["model-index"] = [{"name": card.name, "results": results}]
    return values


def _result(result: dict[str, Any]) -> dict[str, Any]:
    dataset = str(result.get("dataset", "unknown"))
    protocol = ", ".join(f"{key} {result[key]}" for key in PROTOCOL_KEYS if key in result)
    return {
        "task": {"type": "depth-estimation", "name": "Monocular depth"},
        "dataset": {"type": re.sub(r"[^\w.-]+", "-", dataset), "name": f"{dataset} ({protocol})"},
        "metrics": [
            {"type": key, "name": key, "value": round(value, 4)} for key, value in shown_metrics(result).items()
        ],
    }


def _measured(metrics: list[dict[str, Any]]) -> str:
    results = [result for result in metrics if shown_metrics(result)]
    if not results:
        return "Not measured."
    head = f"| data | {' | '.join(PROTOCOL_KEYS)} | {' | '.join(SHOWN_METRICS)} |"
    lines = [head, "|" + "---|" * (1 + len(PROTOCOL_KEYS) + len(SHOWN_METRICS))]
    for result in results:
        numbers = shown_metrics(result)
        cells = [result.get(key, "") for key in ("dataset", *PROTOCOL_KEYS)]
        cells += [f"{numbers[key]:.3f}" if key in numbers else "" for key in SHOWN_METRICS]
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(["Means over images; `densedepth evaluate` makes them.", "", *lines])


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
