"""The `densedepth` program: finds the command, parses its arguments, prints errors as one line."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from densedepth import __version__
from densedepth.commands import INTERRUPTED, UsageError
from densedepth.errors import DenseDepthError

COMMANDS: dict[str, str] = {
    "predict": "densedepth.commands.predict:predict",
    "video": "densedepth.commands.video:video",
    "webcam": "densedepth.commands.webcam:webcam",
    "train": "densedepth.training.train:train",
    "evaluate": "densedepth.commands.evaluate:evaluate",
    "export": "densedepth.commands.export:export",
    "push": "densedepth.commands.push:push",
    "import-keras": "densedepth.commands.import_keras:import_keras",
    "serve": "densedepth.commands.serve:serve",
    "models": "densedepth.commands.models:models",
    "bench": "densedepth.commands.bench:bench",
    "demo": "densedepth.commands.demo:demo",
    "doctor": "densedepth.commands.doctor:doctor",
    "data inspect": "densedepth.commands.data_inspect:inspect",
    "data prepare": "densedepth.commands.data_prepare:prepare",
    "data fill": "densedepth.commands.data_fill:fill",
    "data synth": "densedepth.commands.data_synth:synth",
    "data rooms": "densedepth.commands.data_rooms:rooms",
}
"""Name (one word, or two as in "data inspect") to "module:function". The module is only imported for its command.

A command is a typed function with a documented `Args:` section that returns an exit status (None is 0).
"""

EXTRA_OF = {
    "transformers": "hf",
    "datasets": "hf",
    "ray": "ray",
    "pi_heif": "heic",
    "av": "video",
    "openvino": "openvino",
    "huggingface_hub": "hub",
    "moderngl": "rooms",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}
"""The extra that brings a package; all others come with "train"."""

USAGE_ERROR = 2

ADVICE = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM), "make it writable or make room"
    ),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG), "give another name"),
}
"""What helps when a disk is full or may not be written, or a name is none that a file can have, wherever it strikes: no
bug, and no news in its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 1 some input failed, 2 wrong usage, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else USAGE_ERROR
    if words[0] == "--version":
        print(f"densedepth {__version__}")
        return 0
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
    if name is None:
        print(f"error: no command '{words[0]}'; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return USAGE_ERROR
    # Remarks of Pillow on odd files would break up the one line each file gets.
    warnings.filterwarnings("ignore", module="PIL")
    # Where in our code a warning arose is no news to a user.
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        return _run(name, words[len(name.split()) :])
    except DenseDepthError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough. Python would complain once more on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        advice = ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        problem = DenseDepthError(f"{where}{error.strerror}; {advice}, then run the command again")
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: files named so far are complete, nothing half-written is left", file=sys.stderr)
        return INTERRUPTED


def _run(name: str, words: list[str]) -> int:
    from densedepth.commands.arguments import parser_for

    module, function_name = COMMANDS[name].split(":")
    try:
        function = getattr(import_module(module), function_name)
        parser = parser_for(function, f"densedepth {name}")
        values = vars(parser.instantiate(parser.parse_args(words)))
        values.pop("config", None)
        status = function(**values)
        return status if isinstance(status, int) else 0
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "densedepth":
            raise
        extra = EXTRA_OF.get(package, "train")
        raise DenseDepthError(f"densedepth {name} needs {package}: pip install densedepth[{extra}]") from error


def _overview() -> str:
    names = "\n".join(f"  densedepth {name}" for name in COMMANDS)
    return (
        "One photo in, a dense depth map in metres out.\n\n"
        "usage: densedepth COMMAND [--help] ...   (or densedepth --version)\n\n"
        f"commands:\n{names}\n\n"
        "example: densedepth predict room.jpg -o out"
    )
