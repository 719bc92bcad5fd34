"""List what users may rely on, a line a name: python scripts/public_api.py

tests/test_public_api.py compares the list with tests/public_api.txt: who changes it does so knowingly, and says so in
CHANGELOG.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ForwardRef

MODULES = ("", "data", "evaluation", "export", "io", "losses", "metrics", "models", "runtime")
"""All that these packages name in `__all__`."""
SINGLE = (
    *("errors.BundleError", "errors.DataError", "errors.DepthFileError", "errors.DeviceError", "errors.ImageError"),
    *("errors.NoBundleError", "runtime.video.convert_video", "runtime.video.read_depth_video"),
    *("training.recipe.Recipe", "training.train.train"),
)
"""And these of others."""
PREFIX: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
FILE = Path(__file__).resolve().parents[1] / "tests" / "public_api.txt"


def public_api() -> list[str]:
    """`module.name` with its signature; under classes of ours, their public members. Nothing is described twice."""
    lines, known = list[str](), dict[int, str]()
    for name in MODULES:
        module = import_module(f"densedepth.{name}".rstrip("."))
        for member in sorted(module.__all__):
            path, value = f"{module.__name__}.{member}", getattr(module, member)
            described = known.setdefault(id(value), path)
            lines += _lines(path, value) if described == path else [f"{path} = {described}"]
    for name in SINGLE:
        lines += _lines(f"densedepth.{name}", resolve_name(f"densedepth.{name}"))
    return lines


def _lines(path: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield f"class {path}{_signature(value)}"
        # What a class inherits from others (nn.Module, Exception) is not ours.
        fields = getattr(value, "__dataclass_fields__", {})  # they stand in the signature
        for name, member in sorted(vars(value).items()):
            if not name.startswith("_") and name not in fields:
                yield from _member(f"{path}.{name}", member)
    elif inspect.isroutine(value):
        yield f"{path}{_signature(value)}"
    else:
        yield path


def _member(path: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        yield f"{path}: {_words(inspect.signature(member.fget).return_annotation)}"  # type: ignore[arg-type]
    elif isinstance(member, classmethod | staticmethod):
        yield f"{path}{_signature(member.__func__)}"
    elif inspect.isfunction(member):
        yield f"{path}{_signature(member)}"
    else:
        yield path


def _signature(value: Any) -> str:
    """The signature as it stands in the source, where annotations are text."""
    if inspect.isclass(value) and issubclass(value, BaseException) and "__init__" not in vars(value):
        return ""  # Python's own, which has changed between versions
    if getattr(value, "_is_protocol", False):
        return ""
    signature = inspect.signature(value)
    parts, star = list[str](), False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts, star = [*parts, "*"], True
        prefix = PREFIX.get(parameter.kind, "")
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        text = prefix + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {_words(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}"
        parts.append(text)
    returns = signature.return_annotation
    return f"({', '.join(parts)})" + ("" if returns is signature.empty else f" -> {_words(returns)}")


def _words(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):  # in a NamedTuple
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """Numbers, texts and the like; of other objects only that there is one, for their text may hold an address."""
    plain = isinstance(value, bool | int | float | str | tuple | list | dict | type(None))
    return repr(value) if plain else "..."


if __name__ == "__main__":
    FILE.write_text("".join(f"{line}\n" for line in public_api()), encoding="utf-8")
    print(f"written: {FILE}")
