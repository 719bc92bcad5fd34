"""A command line from a typed function: one mechanism for flags, YAML and documentation.

A parameter without a default is positional, or a required option if it is keyword-only; one with a default
becomes `--its-name`. Lists take several words, booleans that default to False are switches, dataclasses become
nested keys. Help comes from the docstring's `Args:`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]

SHORT_NAMES = {"out": "-o"}


@dataclass(frozen=True)
class Choices:
    """`Annotated[list[str], Choices(names)]`: only these words are accepted."""

    names: Iterable[str]


def parser_for(function: Callable[..., int | None], prog: str) -> ArgumentParser:
    """A parser for the keyword arguments of `function`; `--config FILE` reads them from YAML."""
    text = inspect.getdoc(function) or ""
    helps = _argument_docs(text)
    parser = ArgumentParser(prog=prog, description=text.split("\nArgs:")[0].strip())
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with these options as keys")
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        flags = _flags(name, parameter)
        options = _options(hints[name], parameter.default) | {"help": helps.get(name)}
        if flags[0].startswith("-") and parameter.default is inspect.Parameter.empty:
            options["required"] = True
        parser.add_argument(*flags, **options)
    return parser


def _flags(name: str, parameter: inspect.Parameter) -> list[str]:
    if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        return [name]
    # Both spellings: options are typed with dashes, but nested keys and YAML have underscores.
    flags = dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"])
    return [SHORT_NAMES[name], *flags] if name in SHORT_NAMES else list(flags)


def _options(hint: Any, default: Any) -> dict[str, Any]:
    """What `add_argument` needs to know about one parameter."""
    options: dict[str, Any] = {} if default is inspect.Parameter.empty else {"default": default}
    if get_origin(hint) is Annotated:
        _, choices = get_args(hint)
        return options | {"nargs": "+", "type": Literal[tuple(choices.names)]}
    if hint is bool and default is False:
        return options | {"action": "store_true"}
    if get_origin(hint) is list:
        return options | {"nargs": "+", "type": get_args(hint)[0]}
    return options | {"type": hint}


def _argument_docs(docstring: str) -> dict[str, str]:
    """Parameter name to text, from a Google-style `Args:` section."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
