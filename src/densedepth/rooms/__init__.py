"""Furnished rooms: endless rendered photos with exact depth, for pre-training.

A plan is sampled (walls, openings, furniture where people put it), lit, and rendered by OpenGL without a screen.
Everything follows from (seed, room number, view number) alone.

    assets, catalogue, obj, mesh, columns    furniture: where its files are, what is in them, and where it is solid
    roles, shapes, things                    what a piece can be used as; furniture of our own
    plan, sample                             walls, openings and what stands where; a random plan
    kinds, groups, furnish                   what stands in a kitchen; what belongs together; how it is put there
    palette, textures, style                 colours and surfaces
    shell, light, scene                      the empty room, its lights, and all of it as triangles
    view, renderer, shaders, photo           where the camera stands, what it sees, and what its photo looks like
    frames, write                            frames by their number, and a folder of them
"""

from __future__ import annotations

from densedepth.rooms.assets import find_assets
from densedepth.rooms.catalogue import Catalogue, Piece, open_catalogue
from densedepth.rooms.frames import FurnishedRooms, RoomsConfig
from densedepth.rooms.plan import Item, Plan
from densedepth.rooms.sample import sample_plan

__all__ = [
    "Catalogue",
    "FurnishedRooms",
    "Item",
    "Piece",
    "Plan",
    "RoomsConfig",
    "find_assets",
    "open_catalogue",
    "sample_plan",
]
