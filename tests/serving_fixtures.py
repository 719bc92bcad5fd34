"""The model of the tests of the server: `pytest_plugins = ["serving_fixtures"]`."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on disk, the same for all servers."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny.onnx")
