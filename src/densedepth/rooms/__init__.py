"""Furnished rooms: endless rendered photos with exact depth, for pre-training.

A plan is sampled (walls, openings, furniture where people put it), lit, and rendered by OpenGL without a screen.
Everything follows from (seed, room number, view number) alone.
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
