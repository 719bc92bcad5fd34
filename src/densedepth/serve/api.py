"""The routes under /v1: depth, points, videos, models.

Annotations are evaluated here, unlike elsewhere: they name the models, which are only known when the routes are made.
"""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.responses import FileResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from densedepth.io.surface import GRAZING_DEG
from densedepth.serve import answers
from densedepth.serve.gate import check_token, client_of
from densedepth.serve.negotiation import chosen
from densedepth.serve.photos import Question
from densedepth.serve.problems import Refused, documented
from densedepth.serve.service import Service
from densedepth.serve.settings import MEGABYTE, SIDE_LIMITS
from densedepth.serve.uploads import FIELD, read_photo_bytes, save_video
from densedepth.serve.videos import VideoCreated, VideoStatus
from densedepth.types import DepthMap

SLOWEST_VIDEO_UPLOAD = MEGABYTE
"""Bytes a second: a video may take as long to come in as one of the largest size at this speed."""

BINARY = {"type": "string", "format": "binary"}
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/heic", "application/octet-stream")
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/x-matroska", "video/webm", "application/octet-stream")
DEPTH_HEADERS = {
    "X-Depth-Width": "pixels of the answer",
    "X-Depth-Height": "pixels of the answer",
    "X-Depth-Focal-Px": "focal length in pixels of the answer",
    "X-Depth-Camera-Source": "where the camera comes from: given, exif or assumed",
    "X-Depth-Model": "the model that answered",
    "X-Depth-Uncertainty": "1 where the model says how sure it is, else 0",
}
UPLOAD_PROBLEMS = (400, 401, 408, 413, 415, 422, 429, 503)


class ModelCard(BaseModel):
    """A model and its card."""

    model_config = ConfigDict(extra="allow")

    name: str
    default: bool
    uncertainty: bool


def api_routes(service: Service) -> APIRouter:
    """The routes; all want the token, where there is one."""
    settings = service.settings
    names = tuple(service.networks)
    model_name: Any = Literal[names]

    def may_upload(request: Request) -> None:
        service.rate.check(client_of(request))
        service.gate.check_open()

    router = APIRouter(prefix="/v1", dependencies=token_required(service), tags=["depth"])
    upload = [Depends(may_upload)]

    def question_of_video(
        model: Annotated[model_name, Query(description="one of /v1/models")] = names[0],
        focal_px: Annotated[
            float | None, Query(ge=1, le=1e6, description="focal length in pixels of the photo as it is sent")
        ] = None,
        focal_35mm: Annotated[
            float | None, Query(ge=1, le=1e4, description="35mm-equivalent focal length in millimetres")
        ] = None,
        fov_deg: Annotated[
            float | None, Query(ge=0.1, le=179, description="horizontal field of view in degrees")
        ] = None,
    ) -> Question:
        return Question(model, focal_px, focal_35mm, fov_deg)

    def question_of_photo(
        asked: Annotated[Question, Depends(question_of_video)],
        tta: Annotated[bool, Query(description="average with the mirrored photo: twice the time")] = False,
        max_side: Annotated[
            int | None,
            Query(ge=SIDE_LIMITS[0], le=SIDE_LIMITS[1], description="shrink the photo to this first, in pixels"),
        ] = None,
    ) -> Question:
        return replace(asked, tta=tta, max_side=max_side)

    async def answered(
        request: Request, asked: Question, finish: Callable[[DepthMap], Any]
    ) -> tuple[dict[str, str], Any]:
        """Headers of the answer and what `finish` makes of the depth."""
        deadline_s = time.monotonic() + settings.timeout_s
        with service.gate.holding() as hold:
            data = await read_photo_bytes(request, settings.max_body_bytes, deadline_s, hold)
            with service.gate.admit():
                depth, result = await service.photos.depth(data, asked, deadline_s, finish)
        return {**answers.depth_headers(depth), "Vary": "Accept"}, result

    @router.post(
        "/depth",
        summary="Depth of a photo",
        response_class=Response,
        dependencies=upload,
        responses={
            200: {
                "description": "Depth in metres at the photo's upright size. `png16`: 16-bit millimetres, 0 = none. "
                "`raw`: float32, little-endian, row by row, 0 = none; then the uncertainty in metres, where the model "
                "has it. `color`: a picture. `json`: numbers about it.",
                "model": answers.DepthSummary,
                "content": {media: {"schema": BINARY} for media in answers.DEPTH_OFFERS if "json" not in media},
                "headers": _headers(),
            },
            **documented(*UPLOAD_PROBLEMS, 406, 504),
        },
        openapi_extra=_body(PHOTO_TYPES),
    )
    async def depth(
        request: Request,
        asked: Annotated[Question, Depends(question_of_photo)],
        format: Annotated[
            answers.DepthFormat | None, Query(description="instead of the Accept header; png16 by default")
        ] = None,
    ) -> Response:
        name, media = chosen(answers.DEPTH_OFFERS, format, request.headers.get("Accept", ""))
        finish = partial(answers.encoded, name=name, media=media, folder=service.folder)
        headers, content = await answered(request, asked, finish)
        return Response(content, media_type=media, headers=headers)

    @router.post(
        "/points",
        summary="Points or mesh of a photo",
        response_class=Response,
        dependencies=upload,
        responses={
            200: {
                "description": "Points in metres (`ply`: x right, y down, z forward; `glb`: x right, y up, z "
                "backward), or a textured mesh (`mesh`, a .glb).",
                "content": {media: {"schema": BINARY} for media in answers.POINTS_OFFERS},
                "headers": _headers(),
            },
            **documented(*UPLOAD_PROBLEMS, 406, 504),
        },
        openapi_extra=_body(PHOTO_TYPES),
    )
    async def points(
        request: Request,
        asked: Annotated[Question, Depends(question_of_photo)],
        format: Annotated[
            answers.PointsFormat | None, Query(description="instead of the Accept header; ply by default")
        ] = None,
        flying_pixels: Annotated[
            float,
            Query(
                ge=0,
                le=45,
                description="degrees: neighbours whose connection is seen under a smaller angle lie on two surfaces; "
                "what hangs between two is left out. 0 leaves out nothing",
            ),
        ] = GRAZING_DEG,
    ) -> Response:
        name, media = chosen(answers.POINTS_OFFERS, format, request.headers.get("Accept", ""))
        finish = partial(answers.points_file, name=name, flying_pixels=flying_pixels, folder=service.folder)
        headers, path = await answered(request, asked, finish)
        return FileResponse(path, media_type=media, headers=headers, background=BackgroundTask(path.unlink))

    @router.get("/models", summary="The models", responses=documented(401, 503))
    async def models() -> list[ModelCard]:
        service.gate.check_open()
        cards = []
        for name, network in service.networks.items():
            card = asdict(network.card)
            extra = card.pop("extra")
            said = {"name": name, "default": name == names[0], "uncertainty": name in service.uncertain}
            cards.append(ModelCard(**{**extra, **card, **said}))
        return cards

    @router.post(
        "/videos",
        summary="Hand in a video",
        status_code=202,
        dependencies=upload,
        responses=documented(*UPLOAD_PROBLEMS, 501),
        openapi_extra=_body(VIDEO_TYPES),
    )
    async def create_video(request: Request, asked: Annotated[Question, Depends(question_of_video)]) -> VideoCreated:
        if importlib.util.find_spec("av") is None:
            raise Refused(501, "videos need an extra on the server: pip install densedepth[video]")
        limit = settings.max_video_bytes
        deadline_s = time.monotonic() + settings.timeout_s + limit / SLOWEST_VIDEO_UPLOAD
        video = service.videos.place(asked)
        try:
            await save_video(request, video.source, limit, deadline_s)
            await run_in_threadpool(service.videos.start, video)
        except BaseException:
            service.videos.delete(video)
            raise
        return VideoCreated(id=video.id)

    @router.get("/videos/{id}", summary="How far a video is", responses=documented(401, 404, 422))
    async def video_status(id: str) -> VideoStatus:
        return service.videos.get(id).status()

    @router.get(
        "/videos/{id}/result",
        summary="The video of the depth",
        response_class=Response,
        responses={
            200: {"description": "H.264, frame beside depth", "content": {"video/mp4": {"schema": BINARY}}},
            206: {"description": "A part of it", "content": {"video/mp4": {"schema": BINARY}}},
            **documented(401, 404, 409, 422),
        },
    )
    async def video_result(id: str) -> Response:
        video = service.videos.get(id)
        if video.state != "done":
            raise Refused(409, f"the video is {video.state}: ask /v1/videos/ID until it is done")
        return FileResponse(video.result, media_type="video/mp4")

    @router.delete("/videos/{id}", summary="Cancel and delete", status_code=204, responses=documented(401, 404, 422))
    async def delete_video(id: str) -> None:
        await run_in_threadpool(service.videos.delete, service.videos.get(id))

    return router


def token_required(service: Service) -> list[Any]:
    """What a route depends on that only clients with the token may use; nothing where there is no token."""
    if service.settings.token is None:
        return []

    def check(request: Request) -> None:
        check_token(request, service.settings.token)

    # The scheme only documents: its own answer would have another form than all other errors.
    return [Depends(check), Security(HTTPBearer(auto_error=False))]


def _headers() -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in DEPTH_HEADERS.items()}


def _body(types: tuple[str, ...]) -> dict[str, Any]:
    """Documentation of a body that is a file, or a form with one."""
    form = {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY}}
    content = {kind: {"schema": BINARY} for kind in types}
    return {"requestBody": {"required": True, "content": {**content, "multipart/form-data": {"schema": form}}}}
