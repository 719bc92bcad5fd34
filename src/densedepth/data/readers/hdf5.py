"""Opening HDF5 files: one line when one is damaged, and a handle of its own for each process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densedepth.errors import DataError
from densedepth.io.opening import one_line

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 1_600_000_000
"""Of what is read at a time: 200 megapixels of 8 bytes."""


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
        try:
            there = found.shape
        except Exception as error:
            raise DataError(f"{self.path}: '{name}' cannot be read ({one_line(error)}); get a whole copy") from None
        fits = len(there) == len(shape)
        if not fits or any(want not in (None, have) for want, have in zip(shape, there, strict=True)):
            wanted = tuple("any" if side is None else side for side in shape)
            raise DataError(f"{self.path}: '{name}' should have the shape {wanted}, it has {there}")
        return found

    def names(self, group: str) -> set[str]:
        """What the group ``group`` holds. Raises DataError when there is no such group."""
        found = self._found(group, "Group", "group")
        try:
            return set(found)
        except Exception as error:
            raise DataError(f"{self.path}: '{group}' cannot be read ({one_line(error)}); get a whole copy") from None

    def read(self, name: Any, index: Any = ()) -> Any:
        """``file[name][index]``, where ``name`` may be a reference; one line tells damage, or more than `MAX_BYTES`."""
        file = self.file
        try:
            dataset = file[name]
            # One number takes an entry of the first axis. What is compressed, or was never written, can be any size.
            size = dataset.nbytes if index == () else dataset.nbytes / max(1, dataset.shape[0])
            if size > MAX_BYTES:
                raise ValueError(f"{size / 1e9:.1f} GB, more than the limit of {MAX_BYTES / 1e9:g} GB")
            return dataset[index]
        except Exception as error:  # h5py meets damaged files with errors of any kind
            raise DataError(f"{self.path}: '{name}' cannot be read ({one_line(error)}); get a whole copy") from None

    def _found(self, name: str, kind: str, word: str) -> Any:
        file = self.file
        try:
            found, there = file.get(name), ", ".join(file) or "nothing"
        except Exception as error:  # h5py meets damaged files with errors of any kind
            raise DataError(f"{self.path}: '{name}' cannot be read ({one_line(error)}); get a whole copy") from None
        # The file is open: only now is h5py known to be there.
        import h5py

        if not isinstance(found, getattr(h5py, kind)):
            raise DataError(f"{self.path}: holds no {word} '{name}'; it holds: {there}")
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
        except Exception as error:
            raise DataError(
                f"{self.path}: no HDF5 file, or cut short ({one_line(error)}); compare its size and fetch it again"
            ) from None

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_opened": None}
