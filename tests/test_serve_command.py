"""`densedepth serve` as a user starts it: what it prints, refuses and never imports; and what docs/server.md says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
requests = pytest.importorskip("requests", reason="needs the dev extra")

from conftest import MakeBundle  # noqa: E402
from densedepth.cli import main  # noqa: E402
from densedepth.commands.arguments import parser_for  # noqa: E402
from densedepth.commands.serve import serve  # noqa: E402
from densedepth.serve.settings import Settings  # noqa: E402
from serving import file_of, picture, serving  # noqa: E402
from test_imports import TORCH, run_python  # noqa: E402

GUIDE = (Path(__file__).parents[1] / "docs" / "server.md").read_text()

NO_SERVER = """
import sys
sys.modules["fastapi"] = None
from densedepth.cli import main
sys.exit(main(["serve"]))
"""

ONE_PHOTO = """
import sys, threading, time, urllib.request
from densedepth.commands.serve import serve
from densedepth.serve import server

def ask(listening, app, timeout_s):
    def client():
        url = server.address_of(listening)
        while not app.state.service.gate.ready:
            time.sleep(0.01)
        photo = open(sys.argv[2], "rb").read()
        for path in ("v1/depth?format=npz", "v1/points?format=ply", "v1/points?format=mesh"):
            urllib.request.urlopen(urllib.request.Request(url + path, photo)).read()
        app.state.service.gate.draining = True
    threading.Thread(target=client).start()
    serve_on(listening, app, timeout_s)

serve_on, server.serve_on = server.serve_on, ask
status = serve(port=0, model=[sys.argv[1]])
print("MODULES", status, *sys.modules)
"""


def test_it_never_imports_torch(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(file_of(picture(0)))
    output = run_python(ONE_PHOTO, tiny_bundle(), tmp_path / "photo.png")
    status, *loaded = output.partition("MODULES")[2].split()
    assert status == "0"
    assert not set(loaded) & TORCH


def test_help_loads_no_server() -> None:
    code = "import densedepth.commands.serve, sys; print(*sys.modules)"
    assert not set(run_python(code).split()) & {"fastapi", "uvicorn", "onnxruntime", "prometheus_client"}


def test_the_flags_are_the_settings() -> None:
    flags = vars(parser_for(serve, "serve").parse_args([]))
    for name in Settings.__dataclass_fields__:
        assert flags[name] == getattr(Settings(), name), name


def test_it_says_where_it_is(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    with serving(tiny_bundle(), tmp_path) as server:
        assert server.get("/healthz").json() == {"status": "ok"}
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0


def test_several_models(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    with serving(f"{tiny_bundle()} nyu", tmp_path) as server:
        cards = server.get("/v1/models").json()
        assert [(card["name"], card["default"]) for card in cards] == [("tiny", True), ("nyu", False)]
        answer = server.post("/v1/depth?model=nyu", file_of(picture(0)))
        assert answer.headers["X-Depth-Model"] == "nyu"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--model", "nowhere"], 1, "unknown model 'nowhere'"),
        (["--model", "nyu", "nyu"], 2, "two models are called 'nyu'"),
        (["--queue", "0"], 2, "--queue must be positive"),
        (["--max-body-mb", "-1"], 2, "--max-body-mb must be positive"),
        (["--port", "99999"], 1, "cannot listen at 127.0.0.1, port 99999"),
        (["--host", "203.0.113.7"], 1, "cannot listen at 203.0.113.7"),
        (["--log", "xml"], 2, "log"),
    ],
)
def test_wrong_usage_is_one_line(
    words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(["serve", "--port", "0", *words])
    except SystemExit as error:  # from the parser
        found = error.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert found == status
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


def test_without_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", NO_SERVER], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: densedepth serve needs fastapi: pip install densedepth[serve]\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_guide_keeps_its_word(tiny_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")
    from test_video import pictures, write_clip

    Image.fromarray(picture(0)).save(tmp_path / "room.jpg")
    write_clip(tmp_path / "walk.mp4", pictures(5), codec="libx264")
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert sum(block.count("curl") for block in blocks) >= 10
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    with serving(tiny_bundle(), tmp_path) as server:
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        exec(program.replace("http://localhost:8000", server.url), names)
        assert names["depth_m"].shape == (240, 320)  # type: ignore[attr-defined]
        for block in blocks:
            script = block.replace("http://localhost:8000", server.url)
            done = subprocess.run(
                ["sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    for name in re.findall(r"-o (\S+)", GUIDE):
        assert (tmp_path / name).stat().st_size > 1000, name
