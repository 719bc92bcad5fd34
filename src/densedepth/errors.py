"""The one family of errors a user meets: one line that says what is wrong, where, and what to do."""

from __future__ import annotations


class DenseDepthError(Exception):
    """Base of all errors that come from the user's input rather than from a bug. The CLI prints it as one line."""


class ImageError(DenseDepthError):
    """A file that should be a picture cannot be read as one."""


class DepthFileError(DenseDepthError):
    """A depth file cannot be read, or a depth map does not fit the format it should be written in."""


class BundleError(DenseDepthError):
    """A model bundle is missing, damaged, or not one of ours."""


class DataError(DenseDepthError):
    """A data set, or one frame of it, is not what its layout promises."""
