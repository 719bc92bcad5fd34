"""Opening HDF5 files: one line when one is damaged, and a handle of its own for each process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densedepth.errors import DataError
from densedepth.io.opening import one_line

if TYPE_CHECKING:
    import h5py


class Hdf5:
    """The HDF5 file at ``path``, opened by each process when it first reads: handles outlive no fork and no pickle.

    Raises:
        DataError: from `file`: h5py is not installed, or the file is missing, cut short or no HDF5.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, h5py.File] | None = None

    @property
    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self._open())
        return self._opened[1]

    def dataset(self, name: str, *, shape: tuple[int | None, ...]) -> h5py.Dataset:
        """The array ``name``, of this shape; None stands for any number.

        Raises:
            DataError: no such array, or of another shape.
        """
        found = self._found(name, "Dataset", "array")
        fits = len(found.shape) == len(shape)
        if not fits or any(want not in (None, have) for want, have in zip(shape, found.shape, strict=True)):
            wanted = tuple("any" if side is None else side for side in shape)
            raise DataError(f"{self.path}: '{name}' should have the shape {wanted}, it has {found.shape}")
        return found

    def names(self, group: str) -> set[str]:
        """What the group ``group`` holds. Raises DataError when there is no such group."""
        return set(self._found(group, "Group", "group"))

    def read(self, name: str, index: Any = ()) -> Any:
        """``file[name][index]``, with damage told in one line."""
        try:
            return self.file[name][index]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.path}: '{name}' cannot be read ({one_line(error)}); get a whole copy") from None

    def _found(self, name: str, kind: str, word: str) -> Any:
        found = self.file.get(name)
        # The file is open: only now is h5py known to be there.
        import h5py

        if not isinstance(found, getattr(h5py, kind)):
            raise DataError(f"{self.path}: holds no {word} '{name}'; it holds: {', '.join(self.file) or 'nothing'}")
        return found

    def _open(self) -> h5py.File:
        try:
            import h5py
        except ModuleNotFoundError:
            raise DataError(f"{self.path}: reading it needs h5py: pip install densedepth[train]") from None
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file; check --data.root / --root")
        try:
            return h5py.File(self.path, "r")
        except OSError as error:
            raise DataError(
                f"{self.path}: no HDF5 file, or cut short ({one_line(error)}); compare its size and fetch it again"
            ) from None

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_opened": None}
