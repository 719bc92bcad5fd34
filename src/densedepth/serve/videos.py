"""Videos: taken in, worked on one after the other, kept for a while, deleted."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from pydantic import BaseModel

from densedepth.errors import DenseDepthError
from densedepth.runtime import DepthEstimator
from densedepth.serve.batching import Batcher
from densedepth.serve.photos import Question
from densedepth.serve.problems import Refused, busy
from densedepth.serve.settings import Settings

State = Literal["queued", "running", "done", "failed", "cancelled"]
SWEEP_S = 5.0


class VideoCreated(BaseModel):
    """A video that was taken in."""

    id: str


class VideoStatus(BaseModel):
    """How far a video is."""

    state: State
    frames_done: int
    frames_total: int | None
    error: str | None
    remarks: list[str]


@dataclass
class Video:
    """One video; `folder` holds its files and is deleted with it."""

    id: str
    folder: Path
    question: Question
    state: State = "queued"
    frames_done: int = 0
    frames_total: int | None = None
    error: str | None = None
    remarks: list[str] = field(default_factory=list)
    ended_s: float | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def source(self) -> Path:
        """What was sent; our own name, not the client's."""
        return self.folder / "video"

    @property
    def result(self) -> Path:
        """What is sent back."""
        return self.folder / "depth.mp4"

    def words(self, error: Exception) -> str:
        """What the client gets to know of an error; where the files lie is nobody's business."""
        if not isinstance(error, DenseDepthError):
            return f"a fault of the server ({type(error).__name__})"
        return str(error).replace(str(self.source), "video").replace(str(self.result), "result")

    def status(self) -> VideoStatus:
        """For the client."""
        return VideoStatus(
            state=self.state,
            frames_done=self.frames_done,
            frames_total=self.frames_total,
            error=self.error,
            remarks=self.remarks,
        )


class Videos:
    """The videos of one server, and the thread that works on them."""

    def __init__(self, batcher: Batcher, settings: Settings, folder: Path) -> None:
        """Files go to `folder`, which is private and deleted by its owner."""
        self._batcher = batcher
        self._settings = settings
        self._folder = folder
        self._videos: dict[str, Video] = {}
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Video | None] = SimpleQueue()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"densedepth-{name}", daemon=True)
            for name, work in (("video", self._run), ("sweep", self._sweep))
        ]
        for thread in self._threads:
            thread.start()

    def place(self, question: Question) -> Video:
        """A place for one video, whose file is then written to `source`; give it to `start` or `delete`.

        Raises:
            Refused: 503, all places are taken.
        """
        with self._lock:
            if len(self._videos) >= self._settings.videos:
                raise busy(f"{len(self._videos)} videos are here already; delete one, or try again later", 60)
            # Who knows the id may see the video: it cannot be guessed.
            video_id = secrets.token_urlsafe(16)
            video = Video(video_id, self._folder / secrets.token_hex(16), question)
            video.folder.mkdir()
            self._videos[video_id] = video
            return video

    def start(self, video: Video) -> None:
        """Queue a video whose file is complete.

        Raises:
            Refused: 413 or 422, frames too large or no video; it is deleted then.
        """
        try:
            check_frame_size(video.source, self._settings.max_megapixels)
        except DenseDepthError as error:
            self.delete(video)
            why = video.words(error)
            raise Refused(413 if "megapixels" in why else 422, why) from error
        self._queue.put(video)

    def get(self, video_id: str) -> Video:
        """Raises Refused (404) when there is no such video, or no longer."""
        with self._lock:
            video = self._videos.get(video_id)
        if video is None:
            raise Refused(404, "no such video; results are deleted after a while")
        return video

    def delete(self, video: Video) -> None:
        """Stop working on a video and delete its files."""
        with self._lock:
            self._videos.pop(video.id, None)
        video.stopped.set()
        # While it runs its files are in use; the thread that uses them deletes them.
        if video.state != "running":
            shutil.rmtree(video.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop at once and end the threads."""
        self._ended.set()
        with self._lock:
            videos = list(self._videos.values())
        for video in videos:
            self.delete(video)
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (video := self._queue.get()) is not None:
            if video.stopped.is_set():
                continue
            video.state = "running"
            try:
                self._convert(video)
                video.state = "cancelled" if video.stopped.is_set() else "done"
            except Exception as error:
                video.state = "cancelled" if video.stopped.is_set() else "failed"
                video.error = video.words(error)
            video.ended_s = time.monotonic()
            video.source.unlink(missing_ok=True)
            if video.stopped.is_set():
                shutil.rmtree(video.folder, ignore_errors=True)

    def _convert(self, video: Video) -> None:
        from densedepth.runtime.video import ClipOptions, convert_video

        limit = self._settings.max_video_frames
        estimator = DepthEstimator(self._batcher.network(video.question.model))
        options = ClipOptions(limit=limit, camera=video.question.camera)
        result = convert_video(
            video.source,
            video.result,
            estimator,
            options,
            stopped=video.stopped.is_set,
            progress=partial(_progress, video),
        )
        video.remarks = [*result.remarks, *([result.problem] if result.problem else [])]
        if result.frames >= limit:
            video.remarks.append(f"only the first {limit} frames; this server takes no more")
        video.frames_total = result.frames

    def _sweep(self) -> None:
        """Delete what is older than its time to live."""
        while not self._ended.wait(min(SWEEP_S, self._settings.video_ttl_s / 4)):
            now_s = time.monotonic()
            with self._lock:
                videos = list(self._videos.values())
            for video in videos:
                if video.ended_s is not None and now_s - video.ended_s > self._settings.video_ttl_s:
                    self.delete(video)


def check_frame_size(path: Path, max_megapixels: float) -> None:
    """Refuse a video whose frames are too large, by its header.

    Raises:
        VideoError: too large, or no video.
    """
    from densedepth.runtime.video import VideoError, open_video

    container = open_video(path)
    try:
        for stream in container.streams.video:
            megapixels = stream.width * stream.height / 1e6
            if megapixels > max_megapixels:
                raise VideoError(
                    f"{path}: frames of {stream.width} x {stream.height} are {megapixels:.0f} megapixels, "
                    f"the limit is {max_megapixels:g}"
                )
    finally:
        container.close()


def _progress(video: Video, done: int, total: int | None) -> None:
    video.frames_done, video.frames_total = done, total
