"""A network on the Hugging Face hub, as the bundle that everybody can use without torch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densedepth.models.checkpoint import save_checkpoint
from densedepth.runtime.publishing import BUNDLE, check_access, publish_bundle

if TYPE_CHECKING:
    from densedepth.models.densedepth import DenseDepth


def push_to_hub(
    net: DenseDepth,
    repo_id: str,
    *,
    info: dict[str, Any] | None = None,
    name: str | None = None,
    license: str = "",
    metrics: Sequence[dict[str, Any]] = (),
    private: bool = False,
    message: str | None = None,
) -> str:
    """Export a network, checked against torch, and publish it; see `DenseDepth.push_to_hub`."""
    from densedepth.export import export_checkpoint  # stands above this room, and is needed for this alone

    check_access(repo_id)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_checkpoint(net, Path(folder) / "checkpoint", info)
        title = name or repo_id.rpartition("/")[2]
        bundle = export_checkpoint(checkpoint, Path(folder) / BUNDLE, name=title, license=license, metrics=metrics)
        return publish_bundle(bundle, repo_id, private=private, message=message)
