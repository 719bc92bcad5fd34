"""The one family of errors a user meets: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

_LONGEST = 900
"""Characters of a message; the middle of a longer one is left out."""


class DenseDepthError(Exception):
    """Base of all errors that come from the user's input rather than from a bug. The CLI prints it as one line."""

    def __str__(self) -> str:
        # Names and numbers of a damaged file may hold line ends, or be as long as the file.
        text = " ".join(super().__str__().splitlines())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class ImageError(DenseDepthError):
    """A file that should be a picture cannot be read as one."""


class DepthFileError(DenseDepthError):
    """A depth file cannot be read, or a depth map does not fit the format it should be written in."""


class BundleError(DenseDepthError):
    """A model bundle is missing, damaged, or not one of ours."""


class NoBundleError(BundleError):
    """What was given is no bundle at all: a model of another tool, or a repository that holds none."""


class DeviceError(DenseDepthError):
    """A runtime that was asked for is unknown, not installed, or does not start."""


class DataError(DenseDepthError):
    """A data set, or one frame of it, is not what its layout promises."""
