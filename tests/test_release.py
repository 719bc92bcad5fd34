"""What is released: the two files hold what they should and nothing else, and the pages about it are true."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
import yaml

import densedepth
from densedepth.runtime import read_card
from densedepth.runtime.zoo import BUNDLES_DIR

ROOT = Path(__file__).parents[1]
VERSION = densedepth.__version__
JUNK = re.compile(r"__pycache__|\.py[co]$|\.so$|\.ckpt$|\.pt$|\.egg-info|\.DS_Store|~$|^(out|runs|dist|site)/|/\.venv/")
KINDS = {".py", ".typed", ".onnx", ".txt", ".csv", ".md", ".jpg", ".css", ".js", ".svg", ".html"}
"""Suffixes of what the package is made of."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel of this checkout, built without a network."""
    pytest.importorskip("hatchling", reason="needs pip install hatchling")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True
    )
    return folder


def in_git(*below: str) -> set[str]:
    """The files that git has or would take, as paths from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *below]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name for name in listed if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"densedepth-{VERSION}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    about = f"densedepth-{VERSION}.dist-info/"
    assert {about + name for name in ("METADATA", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE")} <= names
    files = {name for name in names if not name.startswith(about)}
    assert {PurePosixPath(name).suffix for name in files} <= KINDS
    assert not [name for name in files if JUNK.search(name)]
    assert {f"src/{name}" for name in files} == in_git("src")
    assert wheel.stat().st_size < 20e6


def test_the_wheel_needs_no_torch(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    metadata = zipfile.ZipFile(wheel).read(f"densedepth-{VERSION}.dist-info/METADATA").decode()
    assert f"\nVersion: {VERSION}\n" in metadata
    core = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert core
    assert not re.search(r"torch|timm|lightning|av\b|ray\b", " ".join(core))


def test_the_sdist_holds_what_tests_need_and_no_junk(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in archive if member.isfile()}
        assert all(member.isfile() or member.isdir() for member in archive), "a link"
    assert not [name for name in names if JUNK.search(name)]
    folders = ["src", "tests", "configs", "examples", "docs", "benchmarks", "scripts", "fuzz", ".github"]
    missing = in_git(*folders) - names
    assert not missing, "not in the sdist"
    assert {"Makefile", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "Dockerfile", "mkdocs.yml"} <= names
    assert sdist.stat().st_size < 25e6


def test_what_tests_read_of_the_checkout_is_in_the_sdist() -> None:
    """A path below ROOT that a test names, but the sdist leaves out, would fail there."""
    kept = re.findall(r'"/([\w./-]+)"', (ROOT / "pyproject.toml").read_text())
    for test in (ROOT / "tests").glob("test_*.py"):
        for name in re.findall(r'ROOT / "([\w.-]+)"', test.read_text()):
            if (ROOT / name).exists() and name not in ("pyproject.toml", ".git"):
                assert name in kept, f"{test.name} reads {name}: add it to the sdist in pyproject.toml"


def test_the_version_stands_in_one_place_and_in_the_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", VERSION)
    assert not re.search(r"^version *[=:]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert not re.search(r"^version *:", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    # Before its day, a version's changes stand under "Unreleased".
    assert headings[0] == "Unreleased" or headings[0].split()[0] == VERSION
    assert headings == ["Unreleased"] or any(heading.startswith(VERSION) for heading in headings)


def test_the_model_card_is_that_of_the_bundle() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "model_card.py"))
    bundle = BUNDLES_DIR / f"{script['NAME']}.onnx"
    page = script["page"](read_card(bundle), bundle.stat().st_size / 1e6)
    assert script["PAGE"].read_text() == page, "another bundle: python scripts/model_card.py"
    card = read_card(bundle)
    for fact in (card.encoder, card.training_data, card.license):
        assert fact in page
    for result in card.metrics:
        assert f"{result['per_image']['delta1']:.3f} [" in page


def test_the_citation_is_whole() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "type", "license"} <= citation.keys()
    paper = citation["references"][0]
    assert [author["family-names"] for author in paper["authors"]] == ["Alhashim", "Wonka"]
    assert paper["identifiers"][0]["value"] == "arXiv:1812.11941"


def test_issue_forms_are_whole() -> None:
    for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text())
        if file.name != "config.yml":
            assert {"name", "description", "body"} <= form.keys()
            assert all({"label"} <= item["attributes"].keys() for item in form["body"])
