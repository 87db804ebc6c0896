"""Functions and layers as people read about them: each documented, each example really runs."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import replace
from typing import Any, get_args

import pytest

from ganzoo import Function, cli, hookimpl, spec
from ganzoo.errors import ShapeError, SpecError
from ganzoo.nn.build import build
from ganzoo.plugins.host import Host
from ganzoo.spec import (
    Categorical,
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Tap,
    Text,
    Uniform,
    Update,
    Vector,
)
from ganzoo.spec import expression as ex
from ganzoo.spec.draws import AnyDraw
from ganzoo.spec.layers import LAYERS, Conv, Layer
from ganzoo.spec.optimizers import OPTIMIZERS
from ganzoo.spec.reference import of_function, of_layer
from ganzoo.spec.schedule import Stage
from ganzoo.spec.state import STATES
from ganzoo.spec.tasks import Task
from ganzoo.spec.vocabulary import FUNCTIONS
from ganzoo.testing import shape_after
from scripts import reference

PIXELS = (1, 8, 8)
KINDS = (
    *(draw.model_fields["kind"].default for draw in get_args(AnyDraw)), *OPTIMIZERS, *STATES,
    "Spec", "Network", "Update", "Together", "Stage", "Task", "gaussian", "spectral", "HalfLife",
)  # fmt: skip
"""What docs/spec-files.md describes, by kind, or by name where there is no kind."""


def scorer(*taps: str) -> Network:
    layers = [layer for name in taps for layer in (Linear(10), Tap(name))]
    return Network({"x": (Flatten(),)}, (*layers, Linear(1)))


def pair() -> Network:
    return Network({"x": (Flatten(),), "t": ()}, (Linear(1),))


def paint() -> Network:
    return Network({"z": ()}, (Linear(64), Reshape(PIXELS)))


def names(example: str) -> dict[str, Any]:
    """The draws, networks and lets that examples speak of, as far as this one does.

    `D(x)` is a discriminator of images, and `D(x, t)` one of pairs.
    """
    tree = ex.parse(example)
    calls = [node for node in ex.walk(tree) if isinstance(node, ex.Call)]
    of_pairs = any(call.name == "D" and len(call.arguments) == 2 for call in calls)
    draws = {"x": Image(PIXELS), "b": Image(PIXELS, "b"), "y": Label(10), "t": Text(6),
             "z": Normal(4), "e": Normal(3), "c": Vector(3), "u": Uniform(10, low=0),
             "box": Uniform(3, low=0), "m": Uniform(1, low=0), "k": Categorical(4),
             "places": Uniform(2, low=0)}  # fmt: skip
    networks = {
        "D": pair() if of_pairs else scorer("features"), "C": scorer(), "Q": scorer("classes"),
        "E": Network({"x": (Flatten(),)}, (Linear(6),)), "G": paint(),
        "I": Network({"x": (Flatten(),)}, (Linear(6),)), "T": Network({"t": ()}, (Linear(6),)),
        "F": Network({"x": ()}, (Conv(4), Tap("features"), Linear(1))),
        "M": Network({"z": ()}, (Linear(6),)),
    }  # fmt: skip
    lets = {
        "fake": "G(z)", "h": "E(x)", "code": "E(x)", "recon": "G(z)", "ab": "G(z)",
        "recode": "E(recon)",
    }  # fmt: skip
    used: set[str] = set()
    pending = [example]
    while pending:
        for node in ex.walk(ex.parse(pending.pop())):
            if isinstance(node, ex.Name | ex.Call) and node.name not in used:
                used.add(node.name)
                pending += [lets[node.name]] if node.name in lets else []
    return {
        room: {name: value for name, value in values.items() if name in used}
        for room, values in (("draws", draws), ("networks", networks), ("let", lets))
    }


def dry_run(example: str) -> None:
    """An example as the loss of a Spec, run on tensors without numbers."""
    found = names(example)
    # beside a network that learns, whatever the example is about and lets gradients through
    networks = {name: network.replace(frozen=True) for name, network in found["networks"].items()}
    networks["O"] = Network({"o": ()}, (Linear(1),))
    build(
        Spec(
            draws={**found["draws"], "o": Normal(2)},
            networks=networks,
            let=found["let"],
            round=[Update("O", {"example": f"mean({example}) + mean(O(o))"})],
        )
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_every_function_runs(name: str) -> None:
    example = FUNCTIONS[name].example
    assert any(isinstance(n, ex.Call) and n.name == name for n in ex.walk(ex.parse(example)))
    dry_run(example)


@pytest.mark.parametrize(
    "example", ["bce(D(x))", "bce(D(x), y, 1)", "cross_entropy(Q(x), t)", "l1(x, D(x))", "kl(z, z)"]
)
def test_a_wrong_example_would_be_seen(example: str) -> None:
    with pytest.raises((SpecError, ShapeError)):
        dry_run(example)


def shapes(example: str) -> tuple[Layer, tuple[int, ...], tuple[int, ...]]:
    """The layer of an example, and the shapes that its comment names."""
    code, _, comment = example.partition("#")
    arrives, leaves = map(ast.literal_eval, comment.strip().split(" to "))
    return eval(code, vars(spec)), arrives, leaves


@pytest.mark.parametrize("kind", LAYERS)
def test_the_example_of_every_layer_runs_and_its_shapes_are_right(kind: str) -> None:
    layer, before, after = shapes(LAYERS[kind].example)
    assert layer.kind == kind
    assert shape_after(layer, before) == after


def test_a_wrong_shape_would_be_seen() -> None:
    layer, before, after = shapes("Conv(64, 4, 2)  # (3, 32, 32) to (64, 32, 32)")
    assert shape_after(layer, before) != after
    with pytest.raises(ShapeError):
        shape_after(Conv(64), (6272,))


@pytest.mark.parametrize(
    "word", [*map(of_function, FUNCTIONS.values()), *map(of_layer, LAYERS.values())],
    ids=lambda word: word.name,
)  # fmt: skip
def test_every_word_is_documented(word: Any) -> None:
    assert not word.lacks
    assert word.summary.endswith(".") and len(word.summary) < 180
    assert word.formula.count("{") == word.formula.count("}")
    assert word.formula.count(r"\left") == word.formula.count(r"\right")


def test_a_word_that_lacks_something_would_be_seen() -> None:
    for gone in ("summary", "formula", "example"):
        assert of_function(replace(FUNCTIONS["bce"], **{gone: ""})).lacks == (gone,)


@pytest.mark.parametrize("path", reference.pages(), ids=lambda path: path.name)
def test_the_pages_are_not_stale(path: Any) -> None:
    text = path.read_text("utf-8")
    assert text == reference.pages()[path], "run scripts/reference.py"
    words = {"functions.md": FUNCTIONS, "layers.md": LAYERS, "spec-files.md": KINDS}[path.name]
    for name in words:
        assert re.search(rf"^###? (.*`)?{name}`?\)?$", text, re.MULTILINE), name
    for link in re.findall(r"\]\((?!https:)([^)#]+)", text):
        assert (path.parent / link).is_file(), link


def test_every_field_of_a_spec_is_described() -> None:
    """The page shows each, with its default; those of parts with several fields in a sentence."""
    text = reference.spec_page()
    for part in (part for _, parts in reference.KINDS.values() for part in parts):
        [section] = [s for s in text.split("\n### ") if re.match(rf"{part.__name__}\b", s)]
        for name in set(part.model_fields) - {"kind"}:
            assert re.search(rf"\b{name}\b", section), (part.__name__, name)
    for part in (Spec, Network, Update, Stage, Task):
        section = text.split(f"\n### {part.__name__}\n")[1].split("\n### ")[0]
        described = re.findall(r"`(\w+)`", " ".join(re.findall(r"^- (.*?): ", section, re.M)))
        assert set(part.model_fields) == set(described), part.__name__


def test_a_default_of_the_page_is_true() -> None:
    assert "Uniform(size=None, low=-1.0, high=1.0, shape=None)" in reference.spec_page()


# --------------------------------------------------------------------------- to look them up


def said(monkeypatch: Any, capsys: Any, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ganzoo", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("what, words", [("functions", FUNCTIONS), ("layers", LAYERS)])
def test_all_are_listed(monkeypatch: Any, capsys: Any, what: str, words: Any) -> None:
    code, out, _ = said(monkeypatch, capsys, what)
    assert code == 0
    for value in words.values():
        word = of_function(value) if what == "functions" else of_layer(value)
        for text in (word.signature, word.summary, word.formula, word.source):
            assert text in out, word.name
    assert out.count("from: ganzoo") >= len(words)


def test_one_is_shown_whole(monkeypatch: Any, capsys: Any) -> None:
    _, out, _ = said(monkeypatch, capsys, "functions", "gradient_penalty")
    assert "example: 10 * gradient_penalty(C, x, fake)" in out and "refuses batch_norm" in out
    assert "bce" not in out
    _, out, _ = said(monkeypatch, capsys, "layers", "conv")
    assert "(3, 32, 32) to (64, 16, 16)" in out and "`padding` None means" in out
    for what, wrong, near in (("functions", "bec", "bce"), ("layers", "con", "conv")):
        code, _, err = said(monkeypatch, capsys, what, wrong)
        assert code == 2 and f"no {what[:-1]} {wrong!r}; did you mean {near!r}?" in err


def test_those_of_a_plugin_are_listed_with_who_brings_them(monkeypatch: Any, capsys: Any) -> None:
    class Its:
        @hookimpl
        def ganzoo_functions(self) -> list[Function]:
            return [Function.of(lsgan, formula="(s-t)^2", source="arXiv:1611.04076")]

    def lsgan(scores: Any, target: float) -> Any:
        """Least squares [against] a target."""

    host = Host()
    host.register(Its(), "some-zoo")
    monkeypatch.setattr("ganzoo.plugins.host.default", lambda: host)
    _, out, _ = said(monkeypatch, capsys, "functions")
    assert "lsgan(scores, target)\n    Least squares [against] a target.\n" in out
    assert "formula: (s-t)^2" in out and "from: some-zoo" in out
