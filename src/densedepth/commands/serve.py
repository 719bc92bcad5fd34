"""`densedepth serve`: the studio page and the HTTP API."""

from __future__ import annotations

import os
from typing import Literal

from densedepth.commands import UsageError
from densedepth.runtime import load

LOCAL = ("127.0.0.1", "localhost", "::1")
DEFAULT_MODELS = ["nyu"]
TOKEN_VARIABLE = "DENSEDEPTH_TOKEN"


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    model: list[str] = DEFAULT_MODELS,
    token: str | None = None,
    max_body_mb: float = 32,
    max_megapixels: float = 50,
    queue: int = 64,
    batch: int = 4,
    rate: float = 10,
    timeout_s: float = 60,
    videos: int = 8,
    max_video_mb: float = 500,
    max_video_frames: int = 18_000,
    video_ttl_s: float = 3600,
    device: str = "auto",
    threads: int | None = None,
    log: Literal["json", "text"] = "json",
) -> int:
    """Serve the studio page and the HTTP API, with no network needed, until ctrl-C or SIGTERM.

    The page is at the address that is printed, the API is described at /docs. What was accepted is finished before the
    program ends.

    Args:
        host: address to listen at; 0.0.0.0 is every address of this machine
        port: port to listen at; 0 takes a free one
        model: names of shipped models (see densedepth models), bundles (.onnx) or checkpoint folders; the first is the
            default
        token: clients must send "Authorization: Bearer TOKEN"; better in the environment as DENSEDEPTH_TOKEN, where
            other users of the machine do not see it
        max_body_mb: size of a photo's file, in megabytes
        max_megapixels: size of a photo, by its header
        queue: photos that wait or are worked on; more are answered 503
        batch: photos of one size that go through the network at once
        rate: uploads a second from one client, on average; 0 is no limit
        timeout_s: seconds for one photo, its upload included
        videos: videos that wait, run or lie ready; more are answered 503
        max_video_mb: size of a video's file, in megabytes
        max_video_frames: frames of a video that are worked on
        video_ttl_s: seconds for which a finished video is kept
        device: what runs the network, see densedepth predict --help
        threads: processor cores for the network; all by default
        log: form of the log on stderr, which never says what a picture shows or is called
    """
    from densedepth.serve import Settings
    from densedepth.serve.app import create_app
    from densedepth.serve.logs import start_logging
    from densedepth.serve.server import address_of, open_socket, serve_on

    token = token or os.environ.get(TOKEN_VARIABLE) or None
    try:
        settings = Settings(
            max_body_mb=max_body_mb,
            max_megapixels=max_megapixels,
            queue=queue,
            batch=batch,
            rate=rate,
            timeout_s=timeout_s,
            videos=videos,
            max_video_mb=max_video_mb,
            max_video_frames=max_video_frames,
            video_ttl_s=video_ttl_s,
            token=token,
        )
    except ValueError as error:
        raise UsageError(f"--{error}".replace("_", "-")) from error
    networks = {}
    for name in model:
        network = load(name, device=device, threads=threads).network
        if network.card.name in networks:
            raise UsageError(f"--model {name}: two models are called '{network.card.name}'; give one of them")
        networks[network.card.name] = network
    listening = open_socket(host, port)
    address = address_of(listening)
    print(f"{address} is the studio, {address}docs describes the API; ctrl-C stops", flush=True)
    if host not in LOCAL and token is None:
        print(f"warning: whoever reaches this machine may use it; ${TOKEN_VARIABLE} sets a token", flush=True)
    start_logging(log)
    serve_on(listening, create_app(networks, settings), timeout_s)
    return 0
