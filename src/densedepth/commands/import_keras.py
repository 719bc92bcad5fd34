"""`densedepth import-keras`: the authors' released weights as a checkpoint, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from densedepth.data.readers.nyu import KINECT
from densedepth.errors import DenseDepthError
from densedepth.models import import_keras as read_keras
from densedepth.models import save_checkpoint
from densedepth.models.checkpoint import SWITCHES
from densedepth.models.keras_import import dataset_of
from densedepth.types import Camera

#: The colour camera of KITTI's calibration files (P2 of the first recordings), for 1242x375.
KITTI_CAMERA = Camera(fx=721.5377, fy=721.5377, cx=609.5593, cy=172.8540, width=1242, height=375)
#: What the published networks were trained to see: the camera at the size of their input.
CAMERAS = {"nyu": KINECT, "kitti": KITTI_CAMERA.resized(1280, 384)}


def import_keras(
    keras_file: Path,
    out_dir: Path,
    dataset: Literal["nyu", "kitti"] | None = None,
    align_corners: bool | None = None,
) -> None:
    """Turn a Keras model of the authors (nyu.h5, kitti.h5) into a checkpoint that load, export and evaluate take.

    Encoder and decoder are found in the file. Whatever does not fit is refused by the name of its layer.

    Args:
        keras_file: the .h5 file, a whole model as Keras' model.save writes it
        out_dir: the checkpoint folder to write; an older checkpoint there is replaced
        dataset: whose depth the network predicts, nyu (10 / metres, 0.1 to 10 m) or kitti (80 / metres, 1 to 80 m);
            by default kitti if the file's name begins so, else nyu
        align_corners: of the up-sampling, which the file does not record; by default true for the released
            network and false for the later one
    """
    if out_dir.exists() and not (out_dir / SWITCHES).exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise DenseDepthError(f"{out_dir} exists and is no checkpoint; nothing was written: give a new folder")
    net = read_keras(keras_file, dataset=dataset, align_corners=align_corners)
    arch = net.architecture
    shown, source = (dataset, "as told") if dataset else (dataset_of(keras_file), "by its name")
    near_m, far_m = arch.depth_range_m
    leaky = "8 LeakyReLU layers, preset half" if arch.inner_activation else "4 LeakyReLU layers, preset paper"
    corners = "by the preset; the file does not record it" if align_corners is None else "as told"
    print(f"{keras_file}: {sum(p.numel() for p in net.parameters()):,} parameters")
    print(f"  encoder        {arch.encoder}, {net.encoder.channels[-1]} channels at its end")
    print(f"  decoder        width {arch.decoder_width}, {leaky}")
    print(f"  align_corners  {str(arch.align_corners).lower()} ({corners})")
    print(f"  depth          {shown} ({source}): {arch.reciprocal_m:g} / output, {near_m:g} to {far_m:g} m")
    info = {
        "training_data": f"{keras_file.name}, imported from Keras; taken for the authors' training on {shown}",
        "camera": CAMERAS[shown].to_dict(),
    }
    save_checkpoint(net, out_dir, info)
    print(f"checkpoint: {out_dir}; next: densedepth export {out_dir} {keras_file.stem}.onnx")
