"""The commands of the `densedepth` program: one typed function each, nothing heavy imported at the top."""

from densedepth.errors import DenseDepthError

INTERRUPTED = 130
"""Exit status after ctrl-C, as of a shell."""


class UsageError(DenseDepthError):
    """Options that contradict each other or make no sense: exit status 2."""
