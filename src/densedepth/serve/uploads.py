"""Taking in what a client sends: raw or as a form, within a size and a time, and of a kind that is read here."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from densedepth.serve.problems import Refused

FIELD = "file"
MAX_FIELDS = 16
DRAIN_S = 2.0
"""How long the rest of a refused upload is read and thrown away, so that the client gets to see the answer."""

# What curl says of --data-binary unless it is told otherwise: the bytes decide.
UNDECLARED = ("", "application/octet-stream", "application/x-www-form-urlencoded")

PHOTO_SIGNATURES = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"BM"),
    (0, b"GIF8"),
    (0, b"\0\0\0\x0cjP  "),
    (0, b"\xff\x4f\xff\x51"),
    *((0, b"P" + kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6")),
    *((8, b"WEBP"), (4, b"ftyp")),
)
"""(offset, bytes) that begin JPEG, PNG, TIFF, BMP, GIF, JPEG 2000, PNM, WebP, and HEIC and AVIF."""

# No playlists: they name other files, which the server would read in the client's stead.
VIDEO_SIGNATURES = (
    *((4, box) for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\x1a\x45\xdf\xa3"),
    (8, b"AVI "),
    (0, b"FLV"),
    (0, b"OggS"),
    (0, b"\0\0\x01\xba"),
    (0, b"\0\0\x01\xb3"),
    (0, b"\x47"),
    (4, b"\x47"),
    (0, b"\x30\x26\xb2\x75"),
)
"""(offset, bytes) that begin MP4 and QuickTime, Matroska and WebM, AVI, FLV, Ogg, MPEG and Windows Media."""

PHOTO_WORDS = "send JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF or BMP"
VIDEO_WORDS = "send MP4, MOV, MKV, WebM or AVI"


async def read_photo_bytes(request: Request, limit: int, deadline_s: float, hold: Callable[[int], None]) -> bytes:
    """The bytes of the photo in a request.

    Args:
        request: with the file as its body, or as the field `file` of a form.
        limit: bytes at most.
        deadline_s: by `time.monotonic`.
        hold: told the size of each piece before it is kept.

    Raises:
        Refused: 400 empty or no proper form, 408 too slow, 413 too large, 415 no picture that we read.
    """
    form = _is_form(request, "image/", PHOTO_WORDS)
    pieces = []
    async for piece in _body(request, limit, deadline_s):
        hold(len(piece))
        pieces.append(piece)
    data = b"".join(pieces)
    if form:
        data = await _file_of_form(request, data, hold)
    if not data:
        raise Refused(400, "the body is empty: send a photo's file as the body, or as the field 'file' of a form")
    if not _begins_like(data, PHOTO_SIGNATURES):
        raise Refused(415, f"not a picture that is read here: {PHOTO_WORDS}")
    return data


async def save_video(request: Request, target: Path, limit: int, deadline_s: float) -> None:
    """Write the video of a request to `target`. Arguments and errors as of `read_photo_bytes`."""
    form = _is_form(request, "video/", VIDEO_WORDS)
    body = _body(request, limit, deadline_s)
    if form:
        upload = _the_file(await _parsed(MultiPartParser(request.headers, body, max_files=1, max_fields=MAX_FIELDS)))
        with target.open("wb") as file:
            await run_in_threadpool(shutil.copyfileobj, upload.file, file)
        await upload.close()
    else:
        with target.open("wb") as file:
            async for piece in body:
                await run_in_threadpool(file.write, piece)
    with target.open("rb") as file:
        head = file.read(16)
    if not head:
        raise Refused(400, "the body is empty: send a video's file as the body, or as the field 'file' of a form")
    if not _begins_like(head, VIDEO_SIGNATURES):
        raise Refused(415, f"not a video that is read here: {VIDEO_WORDS}")


def _is_form(request: Request, kind: str, words: str) -> bool:
    """Whether the body is a form; Refused (415) when its declared type is neither that nor one we read."""
    declared = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if declared == "multipart/form-data":
        return True
    if declared in UNDECLARED or (declared.startswith(kind) and declared != "image/svg+xml"):
        return False
    raise Refused(415, f"'{declared:.80}' is not read here: {words}")


async def _body(request: Request, limit: int, deadline_s: float) -> AsyncGenerator[bytes, None]:
    """The body, piece by piece."""
    length = request.headers.get("Content-Length", "")
    too_large = Refused(413, f"larger than the limit of {limit / 1e6:g} MB", {"Connection": "close"})
    if length.isdecimal() and int(length) > limit:
        if request.headers.get("Expect", "").lower() != "100-continue":
            await _throw_away(request)
        raise too_large
    received = 0
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(deadline_s - time.monotonic()):
                piece = await anext(stream, None)
            if piece is None:
                return
            received += len(piece)
            if received > limit:
                await _throw_away(request)
                raise too_large
            yield piece
    except TimeoutError as cause:
        raise Refused(408, "the upload took too long", {"Connection": "close"}) from cause
    except ClientDisconnect as cause:
        raise Refused(400, "the upload broke off", {"Connection": "close"}) from cause


async def _throw_away(request: Request) -> None:
    """Closing a connection with unread bytes resets it, and a client still sending would never see why."""
    try:
        async with asyncio.timeout(DRAIN_S):
            while (await request.receive()).get("more_body"):
                pass
    except TimeoutError:
        pass


class _InMemory(MultiPartParser):
    """Never writes a photo to a disk."""

    spool_max_size = 1 << 40


async def _file_of_form(request: Request, data: bytes, hold: Callable[[int], None]) -> bytes:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield data

    hold(len(data))
    upload = _the_file(await _parsed(_InMemory(request.headers, whole(), max_files=1, max_fields=MAX_FIELDS)))
    return await upload.read()


async def _parsed(parser: MultiPartParser) -> dict[str, object]:
    try:
        return dict((await parser.parse()).items())
    except MultiPartException as cause:
        raise Refused(400, f"not a proper form: {cause.message}") from cause


def _the_file(form: dict[str, object]) -> UploadFile:
    """The file itself; what it is called is never looked at."""
    upload = form.get(FIELD)
    if not isinstance(upload, UploadFile):
        raise Refused(400, f"the form has no file in a field '{FIELD}'")
    return upload


def _begins_like(data: bytes, signatures: tuple[tuple[int, bytes], ...]) -> bool:
    return any(data[offset : offset + len(sign)] == sign for offset, sign in signatures)
