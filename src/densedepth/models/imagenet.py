"""ImageNet weights of an encoder, and the normalisation of photos that they expect."""

from __future__ import annotations

import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping

import huggingface_hub.constants
import timm
from torch import Tensor, nn

from densedepth.errors import DenseDepthError
from densedepth.models.offline_weights import OFFLINE_WEIGHTS, load_offline_weights


class WeightsUnavailableError(DenseDepthError):
    """ImageNet weights of an encoder cannot be had here and now."""


def load_imagenet_weights(body: nn.Module, name: str) -> None:
    """Put the ImageNet weights of encoder ``name`` into its ``body``.

    They come from an installed package where one holds them (see ``OFFLINE_WEIGHTS``), else through timm's own loader,
    which needs its hub or its cache.

    Raises:
        WeightsUnavailableError: the weights cannot be had.
        DenseDepthError: they do not fit.
    """
    if name in OFFLINE_WEIGHTS:
        state = load_offline_weights(name)
    elif not timm.is_model(name):
        raise WeightsUnavailableError(f"nobody trained '{name}' on ImageNet: --model.pretrained false")
    else:
        try:
            _skip_retries_without_network()
            state = timm.create_model(name, pretrained=True).state_dict()
        except Exception as error:  # timm raises whatever its hub client raises
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WeightsUnavailableError(
                f"ImageNet weights of '{name}' cannot be loaded ({reason}): connect to the model hub once, "
                f"use {' or '.join(sorted(OFFLINE_WEIGHTS))}, or start from random weights (--model.pretrained false)"
            ) from None
    own = body.state_dict()
    renamed = {key: value for key in own if (value := _found(state, key)) is not None}
    missing = [key for key in own if key not in renamed]
    if missing:
        raise DenseDepthError(f"ImageNet weights of '{name}' have no tensor for '{missing[0]}'")
    body.load_state_dict(renamed)


def imagenet_normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, for RGB in 0..1, that the ImageNet weights of ``name`` were trained with."""
    if name in OFFLINE_WEIGHTS:
        return (127 / 255,) * 3, (128 / 255,) * 3  # the package's own (x - 127) / 128 for x in 0..255
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None:
        return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)


def _skip_retries_without_network() -> None:
    """Where the hub's name cannot even be looked up, let its client use its cache only, as under HF_HUB_OFFLINE.

    It would try for 45 seconds otherwise. Behind a proxy, names are the proxy's business.
    """
    if urllib.request.getproxies():
        return
    try:
        socket.getaddrinfo(urllib.parse.urlsplit(huggingface_hub.constants.ENDPOINT).hostname, 443)
    except OSError:
        huggingface_hub.constants.HF_HUB_OFFLINE = True


def _found(state: Mapping[str, Tensor], key: str) -> Tensor | None:
    """The classifier's tensor that is called ``key`` in its body.

    timm flattens some bodies, so that ``stages_0.x`` is ``stages.0.x`` in the classifier; that of a DenseNet is the
    classifier's ``features``.
    """
    head, _, rest = key.partition(".")
    stem, _, index = head.rpartition("_")
    names = [key, *([f"{stem}.{index}.{rest}"] if stem and index.isdigit() else []), f"features.{key}"]
    return next((state[name] for name in names if name in state), None)
