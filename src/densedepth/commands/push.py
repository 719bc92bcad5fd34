"""`densedepth push`: a model on the Hugging Face hub, for `hf:user/repo` everywhere else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from densedepth.errors import BundleError
from densedepth.runtime import available
from densedepth.runtime.publishing import BUNDLE, check_access, publish_bundle
from densedepth.runtime.zoo import BUNDLES_DIR


def push(model: str, repo: str, private: bool = False, message: str | None = None) -> None:
    """Publish a model on the Hugging Face hub: the bundle, a model card made from it, and its SHA-256, in one commit.

    Needs the extra hub, and HF_TOKEN with the right to write. The repository is made if it is not there.

    Args:
        model: name of a shipped model, a bundle (.onnx), or a checkpoint folder, which is exported first; to give it a
            name, a licence and metrics, use densedepth export and push the bundle
        repo: repository, such as user/repo
        private: make the repository private; one that exists and is public is refused
        message: of the commit
    """
    check_access(repo)
    path = BUNDLES_DIR / f"{model}.onnx" if model in available() else Path(model)
    if not path.exists():
        raise BundleError(f"{model}: no shipped model, bundle (.onnx) or checkpoint folder of that name")
    with tempfile.TemporaryDirectory() as folder:
        if path.is_dir():
            from densedepth.export import export_checkpoint

            path = export_checkpoint(path, Path(folder) / BUNDLE, name=repo.rpartition("/")[2])
        address = publish_bundle(path, repo, private=private, message=message)
    print(f"{model} -> {address}")
