"""The furniture: `.sh3f` files of Sweet Home 3D, zip archives of OBJ models with a catalogue of real sizes.

Models stand in their files with y up and the front towards +z. Here z is up, the front looks towards -y, and the
origin is the middle of the underside.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from densedepth.errors import DataError
from densedepth.io.opening import one_line
from densedepth.rooms.assets import cache_folder
from densedepth.rooms.columns import Columns
from densedepth.rooms.mesh import Mesh, load_mesh, save_mesh
from densedepth.rooms.obj import read_obj

LISTING = "PluginFurnitureCatalog.properties"

#: Raised when what the cache holds would come out differently: old entries are then made anew.
CACHE_VERSION = 1

LICENCES = {
    "BlendSwap-CC-0": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "BlendSwap-CC-BY": ("CC BY 3.0", "https://creativecommons.org/licenses/by/3.0/"),
    "KatorLegaz": ("CC BY 3.0 US", "https://creativecommons.org/licenses/by/3.0/us/"),
    "Reallusion": ("CC BY 3.0 US", "https://creativecommons.org/licenses/by/3.0/us/"),
    "Scopia": ("CC BY 3.0", "https://creativecommons.org/licenses/by/3.0/"),
}


@dataclass(frozen=True)
class Piece:
    """One model of the catalogue.

    Attributes:
        key: "collection/name", unique.
        title: what people call it.
        size_m: width (x), depth (y), height (z).
        creator: who made it.
        rotation: 3 x 3, turns the model in its file upright before it is scaled to its size.
        archive: the `.sh3f` file; None for a made-up piece, which is a box.
        path: of the OBJ file inside the archive.
    """

    key: str
    title: str
    size_m: tuple[float, float, float]
    creator: str = ""
    rotation: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    archive: Path | None = None
    path: str = ""

    @property
    def collection(self) -> str:
        return self.key.partition("/")[0]


class Catalogue:
    """All pieces by key, and their meshes, parsed once and then kept in the cache folder."""

    def __init__(self, pieces: dict[str, Piece], cache: Path | None = None) -> None:
        self.pieces = pieces
        self.cache = cache
        self._meshes: dict[str, Mesh] = {}
        self._columns: dict[str, Columns] = {}

    def mesh(self, key: str) -> Mesh:
        """The model in its real size.

        Raises:
            DataError: the archive lacks the model or holds no triangles for it.
        """
        if key not in self._meshes:
            self._meshes[key] = self._load(self.pieces[key])
        return self._meshes[key]

    def columns(self, key: str) -> Columns:
        """Lowest and highest surface of the model over its footprint."""
        if key not in self._columns:
            self._columns[key] = Columns.of(self.mesh(key), self.pieces[key].size_m)
        return self._columns[key]

    def _load(self, piece: Piece) -> Mesh:
        if piece.archive is None:
            return Mesh.box(piece.size_m)
        assert self.cache is not None
        name = re.sub(r"[^\w-]", "_", piece.key.partition("/")[2])
        file = self.cache / f"v{CACHE_VERSION}" / self._checksums[piece.archive] / f"{name}.npz"
        if file.is_file():
            return load_mesh(file)
        mesh = read_obj(piece.archive, piece.path).turned(np.array(piece.rotation).reshape(3, 3))
        # Thinning moves the outermost points a little, so the size is set again after it.
        mesh = mesh.fitted(piece.size_m).simplified().fitted(piece.size_m)
        save_mesh(mesh, file)
        # Read back, so that the first run and all later ones see the same numbers.
        return load_mesh(file)

    @cached_property
    def _checksums(self) -> dict[Path, str]:
        archives = {piece.archive for piece in self.pieces.values() if piece.archive is not None}
        return {archive: checksum(archive) for archive in archives}


def checksum(path: Path) -> str:
    """Of a file's content, 16 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def open_catalogue(folder: Path, cache: Path | None = None) -> Catalogue:
    """Read the catalogues of all `.sh3f` files in `folder`.

    Args:
        folder: holds the `.sh3f` files.
        cache: where parsed models are kept; None is the user's cache folder.

    Raises:
        DataError: no such file there, or one that is damaged.
    """
    archives = sorted(folder.glob("*.sh3f"))
    if not archives:
        raise DataError(f"{folder}: holds no .sh3f file; give the folder with Sweet Home 3D's furniture as --assets")
    pieces: dict[str, Piece] = {}
    for archive in archives:
        pieces.update(_read_listing(archive))
    return Catalogue(pieces, cache or cache_folder() / "models")


def _read_listing(archive: Path) -> dict[str, Piece]:
    try:
        with zipfile.ZipFile(archive) as file:
            text = file.read(LISTING).decode("latin-1")
    except Exception as error:  # zipfile meets damaged files with errors of any kind
        raise DataError(
            f"{archive}: not a furniture file of Sweet Home 3D ({one_line(error)}); download it again"
        ) from None
    entries: dict[str, dict[str, str]] = {}
    for match in re.finditer(r"^(\w+)#(\d+)=(.*?)\s*$", text, re.MULTILINE):
        entries.setdefault(match[2], {})[match[1]] = match[3]
    pieces = {}
    for number, entry in entries.items():
        try:
            size_m = tuple(round(float(entry[side]) / 100, 4) for side in ("width", "depth", "height"))
            turn = entry.get("modelRotation", "1 0 0 0 1 0 0 0 1")
            key = f"{archive.stem}/{entry['id'].partition('#')[2]}"
            pieces[key] = Piece(
                key=key,
                title=entry["name"],
                size_m=size_m,  # type: ignore[arg-type]
                creator=entry.get("creator", ""),
                rotation=tuple(map(float, turn.split())),
                archive=archive,
                path=entry["model"].lstrip("/"),
            )
        except (KeyError, ValueError) as error:
            raise DataError(f"{archive}: entry {number} of {LISTING} is damaged ({error})") from None
    return pieces
