"""`densedepth export`: a trained checkpoint as one file that needs no torch."""

from __future__ import annotations

from pathlib import Path

from densedepth.export import export_checkpoint


def export(
    checkpoint: Path,
    bundle: Path,
    name: str | None = None,
    license: str = "",
    half_weights: bool = True,
) -> None:
    """Write a checkpoint as a bundle (.onnx), compared with torch at four sizes before it is put in place.

    Args:
        checkpoint: checkpoint folder, or the run folder that holds one as best/
        bundle: the .onnx file to write
        name: stands in the card and in depth files; the file's own name if not given
        license: what the weights may be used for; stands in the card
        half_weights: store weights as float16, half the size; arithmetic stays float32
    """
    path = export_checkpoint(checkpoint, bundle, name=name, license=license, half_weights=half_weights)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, depth equal to torch's at four sizes")
