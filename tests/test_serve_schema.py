"""The API against its own OpenAPI description, by schemathesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
schemathesis = pytest.importorskip("schemathesis", reason="needs the dev extra")

from schemathesis import Case, CheckFunction, GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from conftest import write_tiny_bundle  # noqa: E402
from serving import Running, file_of, picture, serving  # noqa: E402

PHOTOS = [file_of(picture(seed, 64 + seed, 48), form) for seed in range(2) for form in ("PNG", "JPEG", "WEBP")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(write_tiny_bundle(folder / "tiny.onnx"), folder) as running:
        yield running


for kind in ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/heic"):
    schemathesis.openapi.media_type(kind, st.sampled_from(PHOTOS))


# That only one of three numbers may say the camera, and that bytes are a photo, no schema says.
UNSAID: list[CheckFunction] = [positive_data_acceptance]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_api_is_as_it_says(server: Running, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        parameters = operation.definition.raw.get("parameters", [])
        # Any text may be the id of a video: there is no wrong one, only one that is not there.
        can_be_wrong = any(parameter["in"] == "query" for parameter in parameters)
        if mode is GenerationMode.NEGATIVE and not can_be_wrong:
            continue

        @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Case[Any]) -> None:
            statuses[case.call_and_validate(excluded_checks=UNSAID).status_code] += 1

        check()
    assert sum(statuses.values()) > 40
    assert statuses[200 if mode is GenerationMode.POSITIVE else 422] > 10
    assert server.alive()


def test_it_says_everything(server: Running) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        *("/v1/depth", "/v1/points", "/v1/models", "/v1/examples"),
        *("/v1/videos", "/v1/videos/{id}", "/v1/videos/{id}/result"),
        *("/healthz", "/readyz", "/metrics"),
    }
    answers = paths["/v1/depth"]["post"]["responses"]
    assert {"image/png", "image/jpeg", "application/x-npz", "application/json", "application/octet-stream"} <= set(
        answers["200"]["content"]
    )
    assert {"400", "401", "406", "408", "413", "415", "422", "429", "503", "504"} <= set(answers)
    asked = {parameter["name"] for parameter in paths["/v1/videos"]["post"]["parameters"]}
    assert asked == {"model", "focal_px", "focal_35mm", "fov_deg"}, "what a video has, and no more"
    assert "multipart/form-data" in paths["/v1/depth"]["post"]["requestBody"]["content"]
    for operations in paths.values():
        for operation in operations.values():
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                assert answer["description"]
                if int(status) >= 400:
                    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_page_about_it_names_every_route(server: Running) -> None:
    page = server.get("/docs").text
    assert "number, 1 to 1000000" in page
    for path in server.get("/openapi.json").json()["paths"]:
        assert path in page
