"""What users may rely on changes only when somebody means it."""

from __future__ import annotations

import runpy
from difflib import unified_diff
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs an extra: pip install densedepth[train]")

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "public_api.py"))


def test_the_public_api_is_the_one_on_the_list() -> None:
    kept = SCRIPT["FILE"].read_text().splitlines()
    now = SCRIPT["public_api"]()
    difference = "\n".join(unified_diff(kept, now, "tests/public_api.txt", "the package", lineterm="", n=0))
    assert not difference, f"{difference}\nmeant? python scripts/public_api.py, and a line in CHANGELOG.md"


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in SCRIPT["MODULES"]:
        module = import_module(f"densedepth.{name}".rstrip("."))
        assert list(module.__all__) == sorted(module.__all__, key=_isort_order), module.__name__
        for member in module.__all__:
            value = getattr(module, member)
            if callable(value) and getattr(value, "__module__", "").startswith("densedepth"):
                assert (value.__doc__ or "").strip(), f"{module.__name__}.{member} has no docstring"


def test_a_changed_signature_is_noticed() -> None:
    def before(photo: str, *, tta: bool = False) -> float:
        return 0.0

    def after(photo: str, tta: bool = True) -> float:
        return 0.0

    signature = SCRIPT["_signature"]
    assert signature(before) == "(photo: str, *, tta: bool = False) -> float"
    assert signature(after) == "(photo: str, tta: bool = True) -> float"


def _isort_order(name: str) -> tuple[int, str]:
    """CONSTANTS, Classes, functions: ruff sorts __all__ like this."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name
