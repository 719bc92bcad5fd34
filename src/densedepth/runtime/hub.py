"""Bundles of the Hugging Face hub: fetched once, checked against their SHA-256, kept in the hub's own cache.

Only a bundle (.onnx) and the list of its checksum are ever fetched, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densedepth.errors import BundleError, DenseDepthError, NoBundleError
from densedepth.io.opening import one_line

PREFIX = "hf:"
CHECKSUMS = "SHA256SUMS"
"""File of a repository that states the SHA-256 of its bundle, as `sha256sum` writes it."""

_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>refs/\w+/[\w.-]+|[^/@]+))?(/(?P<file>[^@]+\.onnx))?")
_ANSWERS = {401: "the token is not accepted: set HF_TOKEN to a valid one", 403: "HF_TOKEN has no right to it"}


@dataclass(frozen=True)
class HubName:
    """`hf:user/repo`, with `@revision` (branch, tag or commit), `/file.onnx`, both or neither behind it."""

    text: str
    repo: str
    revision: str | None
    file: str | None

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Take a name apart.

        Raises:
            NoBundleError: it is no name of a repository, or that of a local folder.
        """
        name = text.removeprefix(PREFIX)
        found = _NAME.fullmatch(name)
        if found is None:
            raise NoBundleError(f"{text}: give hf:user/repo, hf:user/repo@revision or hf:user/repo/file.onnx")
        if Path(name).exists():
            raise NoBundleError(f"{text}: {name} lies on this machine; a bundle is loaded without 'hf:'")
        return cls(text, found["repo"], found["revision"], found["file"])


def fetch_bundle(model: str) -> Path:
    """The bundle that `hf:user/repo` names, as a file in the hub's cache.

    HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are respected. When the hub cannot be reached, what is in the
    cache is used, with a warning.

    Args:
        model: see `HubName`.

    Raises:
        NoBundleError: the repository holds no .onnx file.
        BundleError: no such repository, revision or file; several bundles and none named; no network and nothing in
            the cache; or the file is not the one that its checksum stands for (it is removed then).
    """
    name = HubName.parse(model)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import OfflineModeIsEnabled
    except ImportError as cause:
        raise BundleError(f"{model}: needs huggingface_hub: pip install densedepth[hub]") from cause
    try:
        path, stated = _downloaded(HfApi(library_name="densedepth"), name)
    except DenseDepthError:
        raise
    except OfflineModeIsEnabled:
        path, stated = _cached(name, "HF_HUB_OFFLINE is set")
    except Exception as cause:  # the client raises the errors of the HTTP library it is built on
        if answer := answer_of(cause):
            raise BundleError(f"{model}: {answer}") from cause
        problem = f"it cannot be fetched ({short(cause)})"
        path, stated = _cached(name, problem)
        warnings.warn(f"{model}: {problem}; the copy in the cache is used", stacklevel=3)
    _verify(name, path, stated)
    return path


def answer_of(error: Exception) -> str | None:
    """What an answer of the hub means for the user; None when it was not reached, or is ill itself."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, HFValidationError):
        return f"not a name the hub can have ({short(error)})"
    if isinstance(error, GatedRepoError):
        return "gated: ask for access on its page, then set HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError):
        return "no such repository, or a private one: check the name, or set HF_TOKEN to a token that may read it"
    if isinstance(error, RevisionNotFoundError):
        return "no such revision: give a branch, a tag or a commit"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None or status >= 500 or status == 429:
        return None
    return _ANSWERS.get(status) or f"the hub refused ({short(error)})"


def short(error: Exception) -> str:
    """The error's text on one line that fits a message."""
    text = one_line(error)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _downloaded(api: Any, name: HubName) -> tuple[Path, dict[str, str]]:
    """The file in the cache, fetched if it is not there, and what states which SHA-256 for it."""
    info = api.model_info(name.repo, revision=name.revision, files_metadata=True)
    files = {item.rfilename: item for item in info.siblings or []}
    file = _chosen(name, list(files))
    # By the revision's name, so that the cache remembers what it stands for and finds it again without a network.
    path = Path(api.hf_hub_download(name.repo, file, revision=name.revision))
    if path.parents[file.count("/")].name != info.sha:
        raise BundleError(f"{name.text}: it changed while it was being fetched; load it once more")
    stated = {}
    if files[file].lfs is not None:
        stated["the hub"] = str(files[file].lfs["sha256"])
    if CHECKSUMS in files:
        sums = Path(api.hf_hub_download(name.repo, CHECKSUMS, revision=info.sha))
        stated |= _listed(sums, file)
    if not stated:
        raise BundleError(
            f"{name.text}: nothing states the SHA-256 of {file}; publish it with densedepth push, or download it "
            "yourself and load the file"
        )
    return path, stated


def _cached(name: HubName, why: str) -> tuple[Path, dict[str, str]]:
    """The file in the cache, which was checked when it came, and what its repository's list states for it."""
    from huggingface_hub import snapshot_download

    missing = f"{name.text}: not in the cache, and {why}; load it once with a network"
    try:
        # Asks for nothing that must be there: only where the cache has this revision.
        folder = Path(
            snapshot_download(name.repo, revision=name.revision, local_files_only=True, allow_patterns=[CHECKSUMS])
        )
    except Exception as cause:  # of several types, by version
        raise BundleError(missing) from cause
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    if not files or (name.file is not None and name.file not in files):
        raise BundleError(missing)
    file = _chosen(name, files)
    return folder / file, _listed(folder / CHECKSUMS, file) if CHECKSUMS in files else {}


def _chosen(name: HubName, files: list[str]) -> str:
    """The file that is meant; without a name, the only .onnx file that lies at the top of the repository."""
    bundles = sorted(file for file in files if file.endswith(".onnx") and "/" not in file)
    if name.file is not None:
        if name.file not in files:
            raise BundleError(f"{name.text}: no such file in the repository; it holds {', '.join(bundles) or 'none'}")
        return name.file
    if not bundles:
        raise NoBundleError(f"{name.text}: no bundle (.onnx) in the repository; make one with densedepth push")
    if len(bundles) > 1:
        named = name.text + "/" + bundles[0]
        raise BundleError(f"{name.text}: holds {', '.join(bundles)}; name the one you mean, such as {named}")
    return bundles[0]


def _listed(sums: Path, file: str) -> dict[str, str]:
    """What the list of checksums says about a file."""
    found = re.search(rf"^([0-9a-fA-F]{{64}}) [ *]{re.escape(file)}$", sums.read_text("utf-8", "replace"), re.M)
    return {CHECKSUMS: found[1].lower()} if found else {}


def _verify(name: HubName, path: Path, stated: dict[str, str]) -> None:
    found = sha256_of(path)
    for source, expected in stated.items():
        if expected == found:
            continue
        for place in (path.resolve(), path):  # the cache keeps the content elsewhere, and a link
            place.unlink(missing_ok=True)
        raise BundleError(
            f"{name.text}: {path.name} has the SHA-256 {found[:16]}..., {source} says {expected[:16]}...; it was "
            "removed from the cache: load it again, and if that does not help, tell its owner"
        )
