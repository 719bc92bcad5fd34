"""What a server allows."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

MEGABYTE = 1_000_000
SIDE_LIMITS = (64, 16384)
"""The least and the most pixels of the longer side that a client may ask for."""


@dataclass(frozen=True)
class Settings:
    """Limits of one server. All are checked before the work that they bound is begun.

    Attributes:
        max_body_mb: size of a photo's file, in megabytes of 10^6 bytes.
        max_megapixels: size of a decoded photo, read from its header before a pixel is decoded.
        queue: photos that are worked on or wait, all clients together; more are answered 503.
        batch: photos of one working size that the network sees at once.
        rate: uploads a second from one client, on average; 0 is no limit.
        timeout_s: time for one photo, its upload included.
        videos: videos that wait, run or lie ready, all clients together; more are answered 503.
        max_video_mb: size of a video's file.
        max_video_frames: frames of a video that are worked on; what follows is left out, with a remark.
        video_ttl_s: how long a finished video is kept.
        token: what clients must send as `Authorization: Bearer TOKEN`, or None.

    Raises:
        ValueError: a limit that is not positive.
    """

    max_body_mb: float = 32
    max_megapixels: float = 50
    queue: int = 64
    batch: int = 4
    rate: float = 10
    timeout_s: float = 60
    videos: int = 8
    max_video_mb: float = 500
    max_video_frames: int = 18_000
    video_ttl_s: float = 3600
    token: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "token":
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and field.name != "rate"):
                raise ValueError(f"{field.name} must be positive, got {value}")

    @property
    def max_body_bytes(self) -> int:
        """`max_body_mb` in bytes."""
        return int(self.max_body_mb * MEGABYTE)

    @property
    def max_video_bytes(self) -> int:
        """`max_video_mb` in bytes."""
        return int(self.max_video_mb * MEGABYTE)
