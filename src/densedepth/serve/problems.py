"""The one form of everything that goes wrong: a status and {"error": "one line"}."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from densedepth.errors import DenseDepthError


class Problem(BaseModel):
    """What went wrong, in one line."""

    error: str


class Refused(Exception):
    """A request that is answered with an error status.

    Args:
        status: HTTP status.
        why: one line: what is wrong and what to do.
        headers: of the answer.
    """

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = dict(headers or {})


def busy(why: str, retry_after_s: float) -> Refused:
    """503, with the whole seconds after which another try makes sense."""
    return Refused(503, why, {"Retry-After": str(max(1, round(retry_after_s)))})


def answer(status: int, why: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a request that is refused."""
    return JSONResponse({"error": " ".join(why.split())}, status, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Let every error of the application come out in the one form."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return answer(error.status, str(error), error.headers)

    @app.exception_handler(DenseDepthError)
    async def unusable(request: Request, error: DenseDepthError) -> Response:
        return answer(422, str(error))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        why = {404: f"nothing at {request.url.path:.200}", 405: f"{request.method} is not possible here"}
        return answer(error.status_code, why.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:])
        return answer(422, f"{name}: {first['msg']}")


DESCRIPTIONS = {
    400: "The body is empty, cut short, or not the form it says it is",
    401: "The token is missing or wrong",
    404: "There is no such thing",
    406: "No format that the Accept header asks for",
    408: "The upload was too slow",
    409: "Not ready yet",
    413: "The file, or the picture in it, is too large",
    415: "Not a kind of file that is read here",
    422: "A value is not possible, or the file is damaged",
    429: "Too many uploads from this client; Retry-After says when to go on",
    500: "A fault of the server",
    501: "Not installed on this server",
    503: "Too much to do, starting or stopping; Retry-After says when to try again",
    504: "It took too long",
}


def documented(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The `responses` of a route: what these statuses mean, all of one form."""
    retry = {"Retry-After": {"description": "whole seconds", "schema": {"type": "integer"}}}
    return {
        status: {
            "model": Problem,
            "description": DESCRIPTIONS.get(status, HTTPStatus(status).phrase),
            **({"headers": retry} if status in (429, 503) else {}),
        }
        for status in statuses
    }
