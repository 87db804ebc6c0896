"""Models of strangers: words of plugins that are not installed, and folders built to do harm."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo import Function, Source, Spec, hub
from ganzoo.engine import train
from ganzoo.errors import (
    GanzooError,
    PluginError,
    ShapeError,
    SpecError,
    StoreError,
)
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.plugins.host import Host
from ganzoo.publish import push
from ganzoo.spec import (
    Flatten,
    Image,
    Linear,
    Network,
    Normal,
    Reshape,
    Residual,
    Tanh,
    Update,
    latex,
    vocabulary,
)
from tests import mutants
from tests.builders import model_of, run
from tests.plugin_parts import Gain, lsgan, plugin
from tests.table import TABLE

ROOT = Path(__file__).parents[1]

# ------------------------------------------------------------------- unknown words


@pytest.fixture
def words() -> Iterator[Host]:
    """A plugin with a layer and functions, as if a distribution `ganzoo-words` had brought it."""
    host = Host()
    twice = Function.of(lambda values: 2 * values, name="twice", parameters=("values",))
    host.register(plugin("ganzoo-words", layers=[Gain], functions=[Function.of(lsgan), twice]))
    before = vocabulary.extend_with(lambda: host.vocabulary)
    yield host
    vocabulary.extend_with(before)


@contextmanager
def core_alone() -> Iterator[None]:
    before = vocabulary.extend_with(vocabulary.core)
    try:
        yield
    finally:
        vocabulary.extend_with(before)


def spec_of(generator: bool = False, critic: bool = False, task: str = "G(z)") -> Spec:
    """A GAN whose losses call `lsgan`; its generator or its critic may have a foreign layer."""
    gain, deep = ((Gain(),) if there else () for there in (generator, critic))
    return Spec(
        draws={"x": Image((1, 4, 4)), "z": Normal(3)},
        networks={
            "G": Network({"z": ()}, (Linear(16), *gain, Tanh(), Reshape((1, 4, 4)))),
            "D": Network({"x": (Flatten(),)}, (Linear(8), Residual((*deep, Linear(8))), Linear(1))),
        },
        let={"fake": "G(z)", "image": task},
        round=[
            Update("D", {"d": "lsgan(D(x), 1) + lsgan(D(fake), 0)"}),
            Update("G", {"g": "lsgan(D(fake), 1)"}),
        ],
        tasks={"generate": "image"},
        batch=4,
    )


def saved(spec: Spec, folder: Path) -> Path:
    nets = build(spec)
    for name, net in nets.items():
        initialize(net, spec.networks[name], 1)
    return store.save(Model(spec, {name: nets[name] for name in spec.published}), folder)


def test_config_names_what_brings_foreign_words(words: Host, tmp_path: Path) -> None:
    folder = saved(spec_of(generator=True), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    assert config["requires"] == {"ganzoo-words": {"functions": ["lsgan"], "layers": ["gain"]}}
    plain = store.save(model_of("dcgan"), tmp_path / "plain")
    assert "requires" not in json.loads((plain / "config.json").read_text())


@pytest.mark.parametrize("critic", [False, True])
def test_words_of_losses_are_not_needed_to_draw(words: Host, tmp_path: Path, critic: bool) -> None:
    folder = saved(spec_of(critic=critic), tmp_path / "model")
    drawn = store.load(folder).generate(3, output="np")
    with core_alone():
        model = store.load(folder)
        np.testing.assert_array_equal(model.generate(3, output="np"), drawn)
        # what it says of its making stays whole, and can be saved and shown
        again = store.save(model, tmp_path / "again")
        assert "lsgan" in latex.text(model.spec) and "lsgan" in latex.latex(model.spec)
        data = Source.from_arrays("dots", np.zeros((8, 4, 4), np.uint8))
        with pytest.raises(PluginError, match=r"function 'lsgan' \(stages.0.*`requires`"):
            next(iter(train(model.spec, data, steps=1)))
    one, two = (json.loads((path / "config.json").read_text()) for path in (folder, again))
    assert one["spec"] == two["spec"] and one["requires"] == two["requires"]
    assert store.load(again).spec == spec_of(critic=critic)


@pytest.mark.parametrize(
    "options, missing",
    [
        ({"generator": True}, "layer 'gain'"),
        ({"task": "twice(G(z))"}, "function 'twice'"),
        ({"task": "twice(G(z))", "generator": True}, "function 'twice', layer 'gain'"),
    ],
)
def test_words_of_tasks_are_and_the_error_says_what_to_install(
    words: Host, tmp_path: Path, options: dict[str, Any], missing: str
) -> None:
    folder = saved(spec_of(**options), tmp_path / "model")
    with core_alone(), pytest.raises(PluginError) as caught:
        store.load(folder)
    assert f"needs the {missing}, of a plugin that is not installed" in str(caught.value)
    assert "pip install ganzoo-words\n" in str(caught.value)


def test_what_is_to_be_installed_is_a_name_and_nothing_else(words: Host, tmp_path: Path) -> None:
    """The text ends up in a command that people copy."""
    folder = saved(spec_of(generator=True), tmp_path / "model")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    brings = config["requires"]["ganzoo-words"]
    bad = ("x; rm -rf ~", "--index-url=http://evil", "a b", "https://evil/x.whl", "x\n", "", "é")
    for name in bad:
        path.write_text(json.dumps({**config, "requires": {name: brings}}))
        with core_alone(), pytest.raises(SpecError) as caught:
            store.load(folder)
        assert "pip" not in str(caught.value)
        assert ("spec.networks.G.layers.1", "no layer 'gain' is known here") in (
            caught.value.problems
        )
    for brought in ([], None, {"layers": "gain"}, {"layers": [1, ["gain"]]}, 3):
        path.write_text(json.dumps({**config, "requires": {"ganzoo-words": brought}}))
        with core_alone(), pytest.raises(SpecError):
            store.load(folder)


CORE_ALONE = """
import importlib.metadata as metadata, sys
import numpy as np
real = metadata.distributions
metadata.distributions = lambda **k: (
    one for one in real(**k) if all(point.group != "ganzoo" for point in one.entry_points)
)

class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("ganzoo_"):
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Nobody())
from ganzoo import from_pretrained, hub
from ganzoo.plugins import host
assert not host.default().plugins
for name in hub.installed():
    model = from_pretrained(name)
    draws = {draw.kind: draw for draw in model.spec.draws.values()}
    told = {"text": np.ones((2, draws["text"].size), np.float32)} if "text" in draws else {}
    images = np.zeros((2, 28, 28, 1), np.float32)
    for task, said in model.spec.tasks.items():
        asked = {model.spec.draws[draw].kind for draw in model.spec.draws_in(said.output)}
        given = {"label": 3} if "label" in asked else {}
        if said.kind == "generate":
            assert model.generate(2, task=task, output="np", **given, **told).std() > 0.1
        elif said.kind == "score":
            assert model.score(images, task=task, **told).values.shape == (2,)
        elif said.kind == "translate":
            channels, *size = draws["image"].shape
            made = model.translate(images, to=said.to, output="np")
            assert made.shape == (2, *size, channels)
        elif "t" in model.spec.draws_in(said.output):
            assert len(model.encode(task=task, **told)) == 2
        else:
            getattr(model, said.kind)(images, task=task)
    print(name)
"""


def test_no_plugin_is_needed_to_use_a_published_model() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CORE_ALONE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(hub.installed())


# --------------------------------------------------------------------- built to do harm


@contextmanager
def costs_nothing(seconds: float, megabytes: float = 150) -> Iterator[None]:
    """No program, no pickle, no socket; little time and memory."""
    start, before = time.process_time(), mutants.level()
    with mutants.watched() as seen:
        yield
    used, grown = time.process_time() - start, mutants.peak() - before
    assert seen == []
    assert used < seconds, f"{used:.1f} s"
    assert grown < megabytes, f"{grown:.0f} MB"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store.save(model_of("dcgan"), tmp_path_factory.mktemp("hostile") / "model")


def test_hundreds_of_spoilt_folders_do_no_harm(tmp_path: Path) -> None:
    """`scripts/mutants.py` tries thousands."""
    found = list(mutants.trials(300, 1, tmp_path))
    assert [one for one in found if one.fault] == []
    ended = {one.ended for one in found}
    assert {"used", "StoreError", "SpecError", "IntegrityError", "ShapeError"} <= ended


def harmful(**spec: Any) -> dict[str, Any]:
    config = copy.deepcopy(mutants.CONFIGS[0])
    config["spec"] = {**TABLE["dcgan"]().to_dict(), **spec}
    return config


def layers(*inner: Any) -> dict[str, Any]:
    config = harmful()
    config["spec"]["networks"]["G"]["layers"] = list(inner)
    return config


def nested(depth: int, kind: str) -> dict[str, Any]:
    layer: Any = "relu"
    for _ in range(depth):
        layer = {"kind": kind, "layers": [layer]}
    return layers(layer)


LET = {f"a{n}": f"a{n - 1} + a{n - 1}" if n else "mean(G(z))" for n in range(64)}
POINTED: dict[str, tuple[Callable[[], Any], type[GanzooError], str]] = {
    "a layer of 10**9 units": (lambda: layers({"kind": "linear", "units": 10**9}),
                               SpecError, "less than or equal to 1000000"),
    "terabytes of weights": (lambda: layers(*[{"kind": "linear", "units": 10**6}] * 3,
                                            {"kind": "linear", "units": 768},
                                            {"kind": "reshape", "shape": [3, 16, 16]}),
                             StoreError, "at most 2,000,000,000 are loaded"),
    "an endless picture": (lambda: layers({"kind": "linear", "units": 4},
                                          {"kind": "reshape", "shape": [1, 2, 2]},
                                          *[{"kind": "upsample", "factor": 64}] * 3),
                           ShapeError, "at most 100,000,000 numbers"),
    "an endless input": (lambda: harmful(draws={**harmful()["spec"]["draws"],
                                                "x": {"kind": "image", "shape": [10**6] * 3}}),
                         GanzooError, "at most 100,000,000 numbers|not used|shape"),
    "layers nested 30 deep": (lambda: nested(30, "residual"), SpecError, "nested more than 20"),
    "layers nested 400 deep": (lambda: nested(400, "skip"), GanzooError, "deep"),
    "a million layers": (lambda: layers(*["relu"] * 100_000), StoreError, "more than 20,000"),
    "as many layers as may be": (
        lambda: layers(*[{"kind": "residual", "layers": ["relu"] * 200}] * 90),
        ShapeError, "more than 5,000 layers"),
    "an expression to run": (lambda: harmful(tasks={"generate": "__import__('os').system('id')"}),
                             SpecError, "not part of the language"),
    "an endless number": (lambda: harmful(tasks={"generate": "9" * 900 + "**9"}),
                          SpecError, "not part of the language|finite"),
    "expressions that double": (lambda: harmful(let={**harmful()["spec"]["let"], **LET},
                                                tasks={"generate": "G(z)", "encode": "a63"}),
                                GanzooError, "."),
    "a field that is not a name": (
        lambda: {**mutants.CONFIGS[0], "spec": {
            **mutants.CONFIGS[0]["spec"], "draws": {"y": {"kind": "label", "field": {"a": 1}}},
            "tasks": {"classes": {"kind": "encode", "output": "G(z)"}}}},
        SpecError, "field"),
    "a path for a name": (lambda: {**harmful(), "name": ["../../x"]}, StoreError, "name is"),
    "a name of two lines": (lambda: {**harmful(), "name": "a\nb"}, StoreError, "one line"),
    "data that are none": (lambda: {**harmful(), "data": [1]}, StoreError, "data is"),
    "made by nobody": (lambda: {**harmful(), "made_by": "x"}, StoreError, "made_by is"),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTED)
def test_a_hostile_config(name: str, target: Path) -> None:
    make, kind, message = POINTED[name]
    (target / "config.json").write_text(json.dumps(make()))
    with costs_nothing(3), pytest.raises(kind, match=message) as caught:
        store.load(target)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 10_000 + "]" * 10_000, "not valid JSON|deep"),
        ('{"library": "ganzoo", "a": ' * 5_000 + "1" + "}" * 5_000, "not valid JSON|deep"),
        ('{"library": "ganzoo", "format_version": 1, "x": ' + "[" * 300 + "]" * 300 + "}", "deep"),
        ('{"library": "ganzoo", "x": 1, "x": 2}', "duplicate key 'x'"),
        ('{"library": "ganzoo", "x": 1e999}', "1e999 is not a finite number"),
        ('{"library": "ganzoo", "x": -Infinity}', "-Infinity is not a finite number"),
        ('{"library": "ganzoo", "x": ' + "9" * 100_000 + "}", "not valid JSON"),
        ('{"library": "ganzoo"}' + " " * 2_000_000, "at most 1,000,000 are read"),
    ],
    ids=["lists", "objects", "300 deep", "twice", "overflow", "infinity", "digits", "spaces"],
)
def test_hostile_json(text: str, message: str, target: Path) -> None:
    (target / "config.json").write_text(text)
    with costs_nothing(2), pytest.raises(StoreError, match=message):
        store.load(target)
    with suppress(StoreError):  # a list may be laxer than loading, and must not break down
        hub.local.entry("stranger", target)


@pytest.mark.parametrize(
    "file, words",
    [
        ("config.json", ["hub", "info"]),
        ("config.json", ["sample", "-o", "x.png"]),
        ("model.safetensors", ["sample", "-o", "x.png"]),
        ("model.safetensors", ["hub", "verify"]),
        ("metrics.json", ["hub", "info"]),
        ("metrics.json", ["compare", "gan-mnist", "-o", "x.html"]),
    ],
)
def test_special_files_hold_up_no_command(
    file: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = store.save(model_of("dcgan"), tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("{}")
    path = folder / file
    for make in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "secret")):
        path.unlink(missing_ok=True)
        make(path)
        assert run(monkeypatch, *words, folder) == 2
        said = capsys.readouterr().err
        assert "not a regular file" in said or "out of its folder" in said


def test_what_a_link_leads_out_to_is_not_published(tmp_path: Path) -> None:
    folder = store.save(model_of("dcgan"), tmp_path / "model")
    (tmp_path / "secret").write_text("my diary")
    (folder / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="a link out of its folder"):
        push.stage(folder, tmp_path / "staged", called="me/tiny")
