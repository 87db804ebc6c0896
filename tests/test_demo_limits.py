"""What the demo takes, how it comes up, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.errors import DataError, GanzooError
from tests.demo_server import COMMAND, Server, free_port, serving

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

# ------------------------------------------------------------------------------- bodies


def sent(limits: Any, path: str, chunks: list[bytes], *headers: tuple[bytes, bytes]) -> int:
    """The status that a POST of these chunks gets."""
    statuses: list[int] = []
    left = [*chunks]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "headers": [*headers]}
    asyncio.run(limits(scope, receive, send))
    return statuses[0]


async def reads(scope: Any, receive: Any, send: Any) -> None:
    """An app that reads the whole body."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_bodies_are_bounded_whatever_they_announce() -> None:
    from ganzoo.demo.request_limits import RequestLimits

    limits = RequestLimits(reads, body=100, upload=500)
    call, upload = "/gradio_api/call/score", "/gradio_api/upload"
    assert sent(limits, call, [b"x" * 60, b"x" * 40]) == 200
    assert sent(limits, call, [b"x" * 60, b"x" * 41, b"x" * 1000]) == 413
    assert sent(limits, call, [b""], (b"Content-Length", b"101")) == 413
    assert sent(limits, upload, [b"x" * 400]) == 200
    assert sent(limits, upload, [b"x" * 400, b"x" * 101]) == 413


def test_uploads_of_an_hour_are_bounded() -> None:
    from ganzoo.demo.request_limits import RequestLimits

    limits = RequestLimits(reads, uploaded=1000)
    assert [sent(limits, "/upload", [b"x" * 600]) for _ in range(3)] == [200, 200, 429]
    assert sent(limits, "/call/score", [b"x" * 600]) == 200


def test_a_large_body_is_refused_by_the_running_demo(demo_server: Server) -> None:
    import httpx

    body = {"data": ["ganomaly-mnist", ["x" * 1000] * 2000]}
    started = time.monotonic()
    found = httpx.post(f"{demo_server.url}/gradio_api/call/score_many", json=body, timeout=60)
    assert found.status_code == 413 and "at most 1,000,000" in found.text
    assert time.monotonic() - started < 30


# -------------------------------------------------------------------- a request's total work


def test_pictures_of_one_request_have_a_bound_together(tmp_path: Path, monkeypatch) -> None:
    from ganzoo.demo import inputs
    from ganzoo.demo.model_registry import ModelRegistry
    from ganzoo.demo.pages import anomalies

    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("L", (300, 300), 40 * number).save(path)
        paths.append(str(path))
    monkeypatch.setattr(inputs.Work.__init__, "__defaults__", (200_000,))
    decoded: list[str] = []
    seen = inputs.seen

    def counted(model: Any, draw: Any, path: Any, **more: Any) -> Any:
        decoded.append(path)
        return seen(model, draw, path, **more)

    monkeypatch.setattr(inputs, "seen", counted)
    registry = ModelRegistry(["ganomaly-mnist"], bundled=False)
    table, _, _ = anomalies.score_many(registry, "ganomaly-mnist", [paths[0]] * 50 + paths)
    refused = [row for row in table if "together" in row[2]]
    assert len(table) == 54 and [row[0] for row in refused] == ["2.png", "3.png"]
    assert decoded == paths, "the same file is decoded once"
    with pytest.raises(DataError, match="30 pixels; all pictures of one request have at most 0"):
        inputs.Work(10).take(30)


# ---------------------------------------------------------------------------------- examples


@pytest.mark.parametrize("name", ["ganomaly-mnist", "ganomaly-fashion-mnist"])
def test_the_first_example_is_of_the_class_left_out_and_flagged(name: str, monkeypatch) -> None:
    from ganzoo.demo import outputs
    from ganzoo.demo.examples import Examples
    from ganzoo.demo.model_registry import ModelRegistry
    from ganzoo.spec import Image as ImageDraw

    monkeypatch.delenv("GANZOO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    monkeypatch.setenv("GANZOO_OFFLINE", "1")
    registry = ModelRegistry()
    model = registry.model(name)

    def flags(images: np.ndarray) -> Any:
        return model.score(images.transpose(0, 2, 3, 1), task="score").is_anomaly

    draw = ImageDraw((1, 28, 28))
    found = Examples(registry).with_strange(registry.entry(name), draw, flags)
    left_out = {"ganomaly-mnist": "2", "ganomaly-fashion-mnist": "bag"}[name]
    assert found.names[0] == f"{left_out}, never seen" and found.strange == left_out
    assert left_out not in found.names[1:] and len(found.names) == len(found.images) == 10
    verdicts = model.score(outputs.each(found.images)).is_anomaly  # as a visitor's click does
    assert verdicts is not None and verdicts[0]
    assert found.flagged and 0 < found.flagged[0] <= found.flagged[1] == 40


def test_without_a_strange_one_that_is_flagged_none_is_claimed() -> None:
    from ganzoo.demo.examples import Examples
    from ganzoo.demo.model_registry import ModelRegistry
    from ganzoo.spec import Image as ImageDraw

    registry = ModelRegistry()
    entry = registry.entry("ganomaly-mnist")
    draw = ImageDraw((1, 28, 28))
    found = Examples(registry).with_strange(entry, draw, lambda images: [False] * len(images))
    assert not any("never seen" in name for name in found.names) and found.flagged == (0, 40)
    found = Examples(registry).with_strange(entry, draw, lambda images: None)
    assert found.flagged is None and "2" not in found.names


# ----------------------------------------------------------------------------- start and end


def test_it_starts_behind_a_proxy_and_its_files_go_with_it(tmp_path: Path) -> None:
    """A proxy that answers nothing: whatever is asked through it fails."""
    import httpx

    proxy = "http://127.0.0.1:9"
    environment = {"http_proxy": proxy, "HTTP_PROXY": proxy, "all_proxy": proxy, "no_proxy": ""}
    places = (tmp_path / "server").glob
    with serving(["demo"], tmp_path / "server", code=COMMAND, **environment) as running:
        content = (b"content", "image/png")
        httpx.post(f"{running.url}/gradio_api/upload", files={"files": ("x.png", *content)},
                   trust_env=False, timeout=60)  # fmt: skip
        assert [*places("ganzoo-demo-*/**/x.png")], "the upload is kept while the demo runs"
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(120) != 0
        assert not [*places("ganzoo-demo-*")]


def test_files_of_a_killed_demo_are_swept_and_those_of_a_living_one_stay(
    tmp_path: Path, monkeypatch
) -> None:
    from ganzoo.demo import temporary_files

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "import time; from ganzoo.demo import temporary_files\n"
        "place = temporary_files.claim(); (place / 'upload.png').write_text('x')\n"
        "print(place, flush=True); time.sleep(600)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        places = [Path(process.stdout.readline().strip()) for process in processes]  # type: ignore[union-attr]
        assert places[0].parent == tmp_path and all(place.exists() for place in places)
        processes[0].kill()
        processes[0].wait()
        monkeypatch.setattr(temporary_files.tempfile, "gettempdir", lambda: str(tmp_path))
        temporary_files.sweep()
        assert not places[0].exists() and (places[1] / "upload.png").exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_server_that_does_not_answer_is_said_with_what_to_do(monkeypatch) -> None:
    import httpx2 as httpx

    from ganzoo.demo import starting

    monkeypatch.setattr(starting, "PATIENCE", 0.3)
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(GanzooError, match=r"cannot be reached: .*Try another port with --port"):
        starting._answers("http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    bad = httpx.Response(502, request=httpx.Request("HEAD", "http://127.0.0.1:9/"))
    monkeypatch.setattr(starting.httpx2, "head", lambda *a, **more: bad)
    with pytest.raises(GanzooError, match=r"it answers 502.*sets http_proxy: .*NO_PROXY="):
        starting._answers("http://127.0.0.1:9/")


def test_a_slow_machine_has_minutes_and_a_dead_server_is_noticed(monkeypatch) -> None:
    from gradio import http_server
    from gradio.exceptions import ServerFailedToStartError

    from ganzoo.demo import starting

    class Slow(http_server.Server):
        def __init__(self, after: float) -> None:
            self.after, self.started = after, False

        def run(self, sockets: Any = None) -> None:
            time.sleep(0.2)
            if self.after:
                time.sleep(self.after)
                self.started = True
                time.sleep(0.2)

    times = iter([0.0, 100.0, *[100.0] * 10_000])
    original = http_server.Server.run_in_thread
    with starting._patient():
        monkeypatch.setattr(starting.time, "monotonic", lambda: next(times))
        Slow(0.1).run_in_thread()  # a hundred seconds went by, as far as it knows
        with pytest.raises(ServerFailedToStartError):
            Slow(0).run_in_thread()
    assert http_server.Server.run_in_thread is original


def test_loopback_is_asked_without_a_proxy(monkeypatch) -> None:
    from ganzoo.demo import starting

    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.delenv("NO_PROXY", raising=False)
    starting._no_proxy("localhost", "127.0.0.1")
    starting._no_proxy("localhost", "127.0.0.1")
    assert os.environ["no_proxy"] == "example.org,localhost,127.0.0.1"
    assert os.environ["NO_PROXY"] == "localhost,127.0.0.1"
    monkeypatch.setenv("no_proxy", "*")
    starting._no_proxy("localhost")
    assert os.environ["no_proxy"] == "*"


def test_a_component_made_anew_for_a_session_still_lets_values_through() -> None:
    import gradio as gr

    from ganzoo.demo.endpoints import checked_inside

    number = gr.Number(0, minimum=0, maximum=9, label="Seed", render=False)
    name = number.get_block_name()
    checked_inside(number)
    anew = number.__class__(**number.constructor_args)
    assert number.preprocess(-5) == -5 == anew.preprocess(-5)
    assert isinstance(anew, gr.Number) and anew.get_block_name() == name
    assert type(anew).get_component_class_id() == gr.Number.get_component_class_id()


SESSIONS = """
import sys
import gradio as gr
from gradio_client import Client
from ganzoo.demo import starting
with gr.Blocks(analytics_enabled=False) as app:
    shown = [gr.Number(number) for number in range(20)]
    count = gr.State(0)
    shown[0].submit(
        lambda given, before: (given + before, before + 1), [shown[0], count], [shown[1], count],
        api_name="add",
    )
port = int(sys.argv[1])
starting.launched(app, host="127.0.0.1", port=port, prevent_thread_lock=True, quiet=True)
client = Client(app.local_url, verbose=False, analytics_enabled=False)
assert [client.predict(10, api_name="/add") for _ in range(3)] == [10, 11, 12]
(session,) = app.app.state_holder.session_data.values()
assert len(session.config_values) < 5 < len(app.blocks), len(session.config_values)
"""


def test_a_session_copies_no_configurations_and_keeps_its_state() -> None:
    """The copies took longer than drawing, for each request of a program."""
    done = subprocess.run(
        [sys.executable, "-c", SESSIONS, str(free_port())], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
