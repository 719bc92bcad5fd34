"""A command line from a typed function: one mechanism for flags, YAML and documentation.

A parameter without a default is positional, or a required option if it is keyword-only; one with a default
becomes `--its-name`. Lists take several words, booleans that default to False are switches, dataclasses become
nested keys. Help comes from the docstring's `Args:`.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]

from densedepth.commands import UsageError

SHORT_NAMES = {"out": "-o"}

NO_OPTIONS: dict[str, Any] = {}
"""The default of commands that take options of a data set's reader."""


@dataclass(frozen=True)
class Choices:
    """`Annotated[list[str], Choices(names)]`: only these words are accepted."""

    names: Iterable[str]


class Parser(ArgumentParser):
    """Says what is wrong in one line; to an unknown key, which known one is nearest."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        text = " ".join(message.split())
        if unknown := _unknown_key(text):
            known = {flag.lstrip("-").replace("-", "_") for action in self._actions for flag in action.option_strings}
            text += _suggestion(unknown, sorted(known))
        self.exit(2, f"error: {text} (all options: {self.prog} --help)\n")


def parser_for(function: Callable[..., object], prog: str) -> ArgumentParser:
    """A parser for the keyword arguments of `function`; `--config FILE` reads them from YAML."""
    text = inspect.getdoc(function) or ""
    helps = _argument_docs(text)
    parser = Parser(prog=prog, description=text.split("\nArgs:")[0].strip())
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with these options as keys")
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        flags = _flags(name, parameter)
        options = _options(hints[name], parameter.default) | {"help": helps.get(name)}
        if flags[0].startswith("-") and parameter.default is inspect.Parameter.empty:
            options["required"] = True
        parser.add_argument(*flags, **options)
        _document(parser, name, hints[name])
    return parser


def _document(parser: ArgumentParser, group: str, hint: Any) -> None:
    """Put the `Attributes:` of a configuration class beside its flags."""
    if not is_dataclass(hint):
        return
    texts = {f"{group}.{name}": text for name, text in _argument_docs(inspect.getdoc(hint) or "").items()}
    for action in parser._actions:
        action.help = texts.get(action.dest, action.help)
    for name, inner in get_type_hints(hint).items():
        _document(parser, f"{group}.{name}", inner)


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


def _unknown_key(message: str) -> str | None:
    """The key or flag that jsonargparse complains not to know, dotted as in YAML."""
    flag = re.search(r"unrecognized arguments?: (?:[^-]\S* )*--?([\w.-]+)", message)
    if flag:
        return flag[1].replace("-", "_")
    if not re.search(r"not accept|not expected", message):
        return None
    return ".".join(re.findall(r"['\"]([\w.-]+)['\"]", message)).replace("-", "_") or None


def _suggestion(unknown: str, known: list[str]) -> str:
    """The nearest key; where none is near, the keys beside it."""
    group, _, name = unknown.rpartition(".")
    beside = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == group and len(key) > 1}
    initials = "".join(word[:1] for word in name.split("_"))
    if initials in beside:  # learning_rate
        return f"; did you mean '{beside[initials]}'?"
    words = beside or {key: key for key in known}
    near = difflib.get_close_matches(name if beside else unknown, words, n=1)
    if near:
        return f"; did you mean '{words[near[0]]}'?"
    return f"; there are {', '.join(beside.values())}" if beside else ""


def _argument_docs(docstring: str) -> dict[str, str]:
    """Parameter name to text, from a Google-style `Args:` or `Attributes:` section."""
    section = re.search(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def picture_size(text: str) -> tuple[int, int]:
    """(width, height) in pixels from text such as 320x240.

    Raises:
        UsageError: it is something else.
    """
    found = re.fullmatch(r"(\d{1,5})[x*](\d{1,5})", text.strip().lower())
    if found is None:
        raise UsageError(f"--size must be WIDTHxHEIGHT such as 320x240, not '{text}'")
    return int(found[1]), int(found[2])
