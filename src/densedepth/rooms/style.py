"""How a room is finished: colours, surfaces, and how the furniture in it is coloured."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from densedepth.rooms import textures
from densedepth.rooms.mesh import Material, Mesh
from densedepth.rooms.palette import Color, fabric_color, hsv, wood_color
from densedepth.rooms.scene import SceneBuilder
from densedepth.rooms.things import CURTAIN

Rng = np.random.Generator

WET = {"kitchen", "bathroom"}
WORK = {"office", "classroom", "library"}

#: What parts of a model are made of, by the names their makers gave them.
NAMES = (
    ("leather", r"leather|couro|cuir|skai"),
    ("fabric", r"fabric|cloth|sofa|couch|cushion|pillow|sheet|matress|mattress|cojin|tela|textile|blanket|duvet|tissu"),
    ("wood", r"wood|oak|madera|bois|teak|pine|walnut|birch|legno|cherry|alder|beech"),
    ("metal", r"metal|chrom|steel|alu|iron|inox|brass|gold|silver|screw"),
)
SOFT = {"sofa", "corner sofa", "armchair", "pouf", "bed", "single bed"}
WOODEN = {
    *("dining table", "small table", "coffee table", "desk", "bookcase", "cupboard", "wardrobe", "bedside table"),
    *("dresser", "tv stand", "media wall"),
}
SOMETIMES_WOODEN = {"chair", "bar stool", "pouf"}
FITTED = {
    *("kitchen base 0", "kitchen wall 0", "kitchen base B", "kitchen wall B", "kitchen island"),
}


@dataclass
class Style:
    """The finish of one room."""

    ceiling: Color
    trim: Color
    door: Color
    skirting_m: float
    accent_wall: int
    panes: tuple[int, int]
    blind: float
    blind_color: Color
    outside: str
    outside_glow: float
    beyond_m: float
    curtain: Material
    fronts: Material
    glow: float

    def cloth(self, mesh: Mesh) -> Mesh:
        """Own things with the room's curtain cloth in place of its stand-in."""
        if all(material.name != CURTAIN for material in mesh.materials):
            return mesh
        return replace(mesh, materials=[self.curtain for _ in mesh.materials])

    def lit(self, mesh: Mesh) -> Mesh:
        """A lamp that is on: its brightest parts glow."""
        brightest = max(max(material.color) for material in mesh.materials)
        materials = [
            replace(material, glow=self.glow) if max(material.color) > 0.8 * brightest else material
            for material in mesh.materials
        ]
        return replace(mesh, materials=materials)


def sample_style(rng: Rng) -> Style:
    white = hsv(rng.uniform(0.08, 0.16), rng.uniform(0, 0.05), rng.uniform(0.85, 0.95))
    stained = wood_color(rng)
    sheer = rng.random() < 0.3
    return Style(
        ceiling=white,
        trim=white if rng.random() < 0.75 else stained,
        door=white if rng.random() < 0.6 else wood_color(rng),
        skirting_m=float(rng.uniform(0.05, 0.14)),
        accent_wall=int(rng.integers(0, 4)) if rng.random() < 0.25 else -1,
        panes=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        blind=float(rng.uniform(0.2, 1)) if rng.random() < 0.25 else 0.0,
        blind_color=white,
        outside="outdoors",
        outside_glow=float(rng.uniform(0.5, 1.8)),
        glow=float(rng.uniform(0.6, 2.0)),
        beyond_m=float(rng.uniform(1.2, 4.5)),
        curtain=Material(CURTAIN, (0.92, 0.92, 0.9) if sheer else fabric_color(rng), 0.0, detail="fabric"),
        fronts=Material("fronts", white, 0.3, detail="blank")
        if rng.random() < 0.5
        else Material("fronts", wood_color(rng), 0.25, detail="wood"),
    )


def add_textures(builder: SceneBuilder, rng: Rng, kind: str, used: set[str]) -> None:
    """Offer the procedural textures that the room's materials name."""
    group = "wet" if kind in WET else "work" if kind in WORK else "dry"

    def offer(name: str, *makers: textures.Maker) -> None:
        maker, own_rng = makers[rng.integers(len(makers))], np.random.default_rng(rng.integers(2**63))
        builder.offer(name, lambda: maker(own_rng))

    offer("floor", *textures.FLOORS[group])
    offer("wall", *textures.WALLS[group])
    offer("wall 2", *textures.WALLS["dry"])
    for name in ("wood", "fabric", "leather", "blank", "outdoors", "night", *sorted(used)):
        offer(name, textures.DETAILS[name.split()[0]])


def restyled(mesh: Mesh, role: str, rng: Rng, style: Style) -> Mesh:
    """The same triangles with surfaces that fit their use, and sometimes other colours."""
    areas = _areas(mesh)
    largest = int(areas.argmax())
    soft_color, wood = fabric_color(rng), wood_color(rng)
    recolour = rng.random() < 0.75
    materials = []
    for number, material in enumerate(mesh.materials):
        kind = _kind(material, role, number == largest)
        if role in FITTED and material.texture is None and areas[number] > 0.2 * areas.max():
            materials.append(style.fronts)
            continue
        changed = replace(material)
        if material.texture is None:
            changed.detail = {"metal": "", "": "blank"}.get(kind, kind)
            if recolour and kind in ("fabric", "leather") and areas[number] > 0.1 * areas.max():
                changed.color = _keeping_contrast(material.color, mesh.materials[largest].color, soft_color)
            elif recolour and kind == "wood":
                changed.color = wood
            changed.shine = {"metal": 0.7, "fabric": 0.0, "wood": 0.2, "leather": 0.3}.get(
                kind, min(material.shine, 0.4)
            )
        elif recolour and role in SOFT and number == largest:
            # A textured cover is only tinted: a strong colour would hide what is painted on it.
            red, green, blue = (0.55 + 0.6 * channel for channel in soft_color)
            changed.color = (min(red, 1), min(green, 1), min(blue, 1))
        materials.append(changed)
    return replace(mesh, materials=materials)


def _kind(material: Material, role: str, largest: bool) -> str:
    for kind, pattern in NAMES:
        if re.search(pattern, material.name, re.IGNORECASE):
            return kind
    if largest and role in SOFT:
        return "leather" if material.shine > 0.3 else "fabric"
    red, _, blue = material.color
    brown = red > 1.15 * blue and red > 0.1
    if brown and (role in WOODEN or role in SOMETIMES_WOODEN):
        return "wood"
    if largest and role in WOODEN and material.opacity > 0.9:
        return "wood"
    return ""


def _areas(mesh: Mesh) -> NDArray[np.floating]:
    a, b, c = mesh.points[0::3], mesh.points[1::3], mesh.points[2::3]
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(mesh.parts[::3], area, minlength=len(mesh.materials)).astype(np.float64)


def _keeping_contrast(color: Color, main: Color, wanted: Color) -> Color:
    """`wanted`, lighter or darker by as much as `color` is against the main colour."""
    ratio = (sum(color) + 0.2) / (sum(main) + 0.2)
    red, green, blue = (min(channel * min(max(ratio, 0.4), 1.6), 0.95) for channel in wanted)
    return red, green, blue
