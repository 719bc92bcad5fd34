"""The HTTP server: photos and videos in, depth out, and the studio page. Without torch; needs the `serve` extra."""

from densedepth.serve.settings import Settings

__all__ = ["Settings"]
