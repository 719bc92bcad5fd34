"""Depth of videos and cameras, without torch. Needs PyAV: pip install densedepth[video]."""

from densedepth.runtime.video.clip import ClipEstimator, color_range
from densedepth.runtime.video.convert import ClipOptions, Converted, convert_video
from densedepth.runtime.video.depth_video import DepthFrame, DepthVideoWriter, read_depth_video
from densedepth.runtime.video.live import live_pictures
from densedepth.runtime.video.opening import VideoError, open_camera, open_video
from densedepth.runtime.video.picture import Layout, Painter
from densedepth.runtime.video.reading import VideoFrame, VideoReader
from densedepth.runtime.video.smoothing import TemporalFilter
from densedepth.runtime.video.writing import VIDEO_SUFFIXES, VideoWriter

__all__ = [
    "VIDEO_SUFFIXES",
    "ClipEstimator",
    "ClipOptions",
    "Converted",
    "DepthFrame",
    "DepthVideoWriter",
    "Layout",
    "Painter",
    "TemporalFilter",
    "VideoError",
    "VideoFrame",
    "VideoReader",
    "VideoWriter",
    "color_range",
    "convert_video",
    "live_pictures",
    "open_camera",
    "open_video",
    "read_depth_video",
]
