"""What a Spec says is what runs: what would not train, save or answer is refused before it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import Function, Source
from ganzoo.engine import train
from ganzoo.engine.draws import check_fields
from ganzoo.errors import (
    DataError,
    NonFiniteError,
    PluginError,
    ShapeError,
    SpecError,
    StoreError,
)
from ganzoo.models import store
from ganzoo.nn.build import build
from ganzoo.spec import (
    SGD,
    BatchNorm,
    Conv,
    Embedding,
    Fields,
    Flatten,
    GlobalPool,
    Image,
    Label,
    Layer,
    Linear,
    MinibatchStd,
    Network,
    Normal,
    OneHot,
    Spec,
    Task,
    Update,
    vocabulary,
)
from ganzoo.spec.expression import parse, undefined
from tests.small_gan import DRAWS, D, E, G, spec_of, trained
from tests.table import TABLE


def problem(spec: Spec) -> tuple[str, str]:
    with pytest.raises(ShapeError) as caught:
        build(spec)
    [found] = caught.value.problems
    return found


# ---------------------------------------------------------------------------- broadcasting


@pytest.mark.parametrize(
    "loss",
    [
        "mean(relu(1 - (D(x) + distance(x, x))))",
        "mean(D(x) - distance(x, x))",
        "mean(D(x) * distance(x, x))",
        "mean(D(x) / (1 + distance(x, x)))",
        "hinge(D(x), distance(x, x))",
        "bce(D(x), distance(x, x))",
        "mean(maximum(D(x), distance(x, x)))",
        "mean(power(abs(D(x)), distance(x, x)))",
        "mean(E4(x) * distance(x, x))",
    ],
)
def test_a_batch_of_numbers_is_not_stretched(loss: str) -> None:
    """(b, 1) beside (b,) would become (b, b), and train; so would (b, 4), for b of 4."""
    networks = {"G": G, "D": D}
    update = Update("D", {"d": f"{loss} + mean(D(x))"})
    if "E4" in loss:
        networks["E4"] = E
        update = Update(("D", "E4"), {"d": f"{loss} + mean(D(x))"})
    spec = spec_of(networks=networks, round=[update, Update("G", {"g": "mean(D(fake))"})])
    path, text = problem(spec)
    assert path == "stages.0.round.0.minimize.d"
    assert "distance(x, x)" in text and ("shapes differ" in text or "one number per sample" in text
                                         or "Target size" in text)  # fmt: skip


@pytest.mark.parametrize(
    "loss",
    [
        "mean(D(x) - mean(D(fake)))",
        "mean(relu(1 - D(x)))",
        "mean(D(x) * 2 + 1)",
        "mean(distance(x, fake) - distance(x, x))",
        "mean(x - fake)",
    ],
)
def test_equal_shapes_and_numbers_are_operands(loss: str) -> None:
    build(spec_of(f"{loss} + mean(D(x))"))


def test_a_function_of_a_plugin_may_not_stretch_either() -> None:
    def least_squares(scores: Any, target: Any) -> Any:
        """Least squares."""
        return ((scores - target) ** 2).mean()

    def all_pairs(a: Any, b: Any) -> Any:
        """Both are stretched, and meant to be: they have as many dimensions."""
        return (a[:, None] - b[None]).square().mean()

    known = vocabulary.current()
    words = {f.__name__: Function.of(f) for f in (least_squares, all_pairs)}
    extended = vocabulary.Vocabulary(
        {**known.functions, **words}, known.layers, known.optimizers, known.states
    )
    before = vocabulary.extend_with(lambda: extended)
    try:
        build(spec_of("least_squares(D(x), 1) + all_pairs(D(x), D(fake))"))
        build(spec_of("least_squares(D(x), D(fake))"))
        path, text = problem(spec_of("least_squares(D(x), distance(x, x))"))
    finally:
        vocabulary.extend_with(before)
    assert path == "stages.0.round.0.minimize.d" and "(4, 1) and (4,)" in text


# -------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    "g",
    [
        "bce(D(detach(fake)), 1)",
        "bce(D(made), 1)",
        "r1(D, fake)",
        "gradient_penalty(D, x, fake)",
        "mean(sign(D(fake)))",
        "mean(D(fake) < 0)",
        "mean(detach(D(fake)))",
    ],
)
def test_a_loss_without_a_gradient_to_what_it_trains(g: str) -> None:
    """It was a raw RuntimeError in the first round."""
    lets = {"fake": "G(z)"} | ({"made": "detach(fake)"} if "made" in g else {})
    with pytest.raises(SpecError) as caught:
        spec_of(g=g, let=lets)
    [(path, text)] = caught.value.problems
    assert path == "stages.0.round.1.train.0"
    assert "'G' is trained here, and no gradient of a term reaches it" in text


@pytest.mark.parametrize(
    "g",
    [
        "bce(D(fake), 1)",
        "mean(D(fake)) + r1(D, fake)",
        "mean(D(detach(fake))) + mean(fake)",
        "mean(squared_norm(grad(D(fake), fake))) + mean(fake)",
    ],
)
def test_a_loss_with_one(g: str) -> None:
    build(spec_of(g=g))


@pytest.mark.parametrize("row", TABLE)
def test_what_expressions_say_of_gradients_is_so(row: str) -> None:
    """The gradients that autograd finds are those of the names that `flows_in` finds."""
    spec = TABLE[row]()
    networks = build(spec)
    for stage in spec.stages:
        for update in stage.updates:
            for text in update.minimize.values():
                found = set[str]()
                for name, net in networks.items():
                    weights = list(net.parameters())
                    value = term(spec, networks, text)
                    gradients = torch.autograd.grad(value, weights, allow_unused=True)
                    if any(gradient is not None for gradient in gradients):
                        found.add(name)
                assert found == spec.flows_in(text) & set(spec.networks), text


def term(spec: Spec, networks: Any, text: str) -> torch.Tensor:
    """A loss term, on tensors without numbers."""
    from ganzoo.nn.interpreter import Evaluator
    from ganzoo.nn.modules import example
    from ganzoo.spec.draws import tensor_shape

    def call(name: str, values: Any, output: str | None) -> torch.Tensor:
        return networks[name](*values, outputs=(output or "",))

    draws = {
        name: example(tensor_shape(draw), isinstance(draw, Label))
        for name, draw in spec.draws.items()
    }
    return Evaluator(spec, call, draws, lambda *n: torch.empty(*n, device="meta"))(text)


def test_a_function_of_a_plugin_that_hides_a_gradient() -> None:
    def scored(scores: Any) -> Any:
        """Numbers that no gradient reaches."""
        return scores.detach().mean()

    known = vocabulary.current()
    words = {**known.functions, "scored": Function.of(scored)}
    extended = vocabulary.Vocabulary(words, known.layers, known.optimizers, known.states)
    before = vocabulary.extend_with(lambda: extended)
    try:
        path, text = problem(spec_of(g="scored(D(fake))"))
    finally:
        vocabulary.extend_with(before)
    assert path == "stages.0.round.1.train.0" and "no gradient of a term reaches" in text


def test_a_network_that_is_only_named() -> None:
    def unread(network: Any, values: Any) -> Any:
        """Takes a network and does not call it."""
        return values.mean()

    known = vocabulary.current()
    words = {**known.functions, "unread": Function.of(unread, networks=("network",))}
    extended = vocabulary.Vocabulary(words, known.layers, known.optimizers, known.states)
    before = vocabulary.extend_with(lambda: extended)
    try:
        spec = spec_of(
            networks={"G": G, "D": D, "E": E},
            round=[
                Update("D", {"d": "mean(D(x))"}),
                Update(("G", "E"), {"g": "mean(D(fake)) + unread(E, fake)"}),
            ],
        )
        path, text = problem(spec)
    finally:
        vocabulary.extend_with(before)
    assert (path, text) == ("networks.E", "is never called, only named")


# ------------------------------------------------------------------------------------ tasks


@pytest.mark.parametrize(
    "task, text",
    [
        ({"generate": "mean(G(z))"}, "one number for the whole batch"),
        ({"generate": "D(G(z))"}, "generate gives images"),
        ({"generate": "1"}, "is a constant"),
        ({"reconstruct": "G(z)"}, "does not use one"),
        ({"reconstruct": "resize(x, 4)"}, "an image like its input, 1x8x8"),
        ({"score": "mean(D(x))"}, "one number for the whole batch"),
        ({"score": "x"}, "a score is one number an image"),
        ({"there": Task("translate", "D(x)", to="there")}, "translate gives images"),
        ({"there": Task("translate", "G(z)", to="there")}, "does not use one"),
        ({"score": Task("score", "D(x)", map="D(x)")}, "a map is an image"),
        ({"classify": "x"}, "classify gives a number for each class"),
    ],
)
def test_a_task_gives_what_its_kind_promises(task: dict[str, Any], text: str) -> None:
    spec = spec_of(tasks=task)
    for published in (False, True):
        with pytest.raises(ShapeError, match=text) as caught:
            build(spec, published=published)
        assert caught.value.problems[0][0].startswith("tasks.")


@pytest.mark.parametrize(
    "output",
    ["norm(grad(D(x), x))", "squared_norm(grad(D(x), x)) + distance(x, fake)"],
)
def test_a_task_may_differentiate(output: str, tmp_path: Path) -> None:
    """It trained, and could not be saved, since tasks ran where nothing has a gradient."""
    model = trained(spec_of(tasks={"score": Task("score", output, quantile=0.9)}))
    images = torch.rand(3, 1, 8, 8)
    scores = model.score(images).values
    model.fit_thresholds(images)
    model.save_pretrained(tmp_path / "model")
    assert store.load(tmp_path / "model").score(images).values == pytest.approx(scores)


def test_a_function_of_a_network_may_be_asked_in_a_task() -> None:
    def slope(network: Any, values: Any) -> Any:
        """The norm of a network's gradient at each sample, (batch,)."""
        with torch.enable_grad():
            point = values.detach().requires_grad_()
            [found] = torch.autograd.grad(network(point).sum(), point, create_graph=True)
        return found.flatten(1).norm(dim=1)

    known = vocabulary.current()
    declared = Function.of(slope, networks=("network",), passes=1)
    words = {**known.functions, "slope": declared}
    extended = vocabulary.Vocabulary(words, known.layers, known.optimizers, known.states)
    before = vocabulary.extend_with(lambda: extended)
    try:
        model = trained(spec_of(tasks={"score": "slope(D, x)"}))
        assert model.score(torch.rand(3, 1, 8, 8)).values.shape == (3,)
    finally:
        vocabulary.extend_with(before)


def test_a_kind_may_be_given_by_position() -> None:
    assert Task("encode", "E(x)") == Task(kind="encode", output="E(x)")
    assert Conv(3, 5).kernel == 5  # a layer's class says its kind


# ----------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "layer, argument, text",
    [
        (OneHot(3), "y", "labels of 5 classes arrive, and it has 3"),
        (Embedding(3, 2), "y", "labels of 5 classes arrive, and it has 3"),
        (OneHot(3), "roll(y)", "labels of 5 classes arrive, and it has 3"),
        (OneHot(9), "square(y)", "a label is not a number"),
        (OneHot(9), "-y", "a label is not a number"),
        (OneHot(9), "y * y", "a label is not a number"),
        (OneHot(4), "z", "takes labels"),
    ],
)
def test_a_label_is_a_class_that_the_layer_knows(layer: Any, argument: str, text: str) -> None:
    """They passed the dry run, and were raw errors of torch as soon as there were numbers."""
    maker = Network({"z": (), "y": (layer,)}, G.layers)
    spec = spec_of(
        draws={**DRAWS, "y": Label(5)},
        networks={"G": maker, "D": D},
        let={"fake": f"G(z, {argument})"},
        round=[
            Update("D", {"d": "mean(D(x)) - mean(D(fake))"}),
            Update("G", {"g": "mean(D(fake)) + 0 * cross_entropy(one_hot(y, 5), y)"}),
        ],
        tasks={"generate": "fake"},
    )
    for published in (False, True):
        with pytest.raises(ShapeError, match=text):
            build(spec, published=published)


def test_later_labels_of_more_classes_are_seen() -> None:
    maker = Network({"z": (), "y": (OneHot(3),)}, G.layers)
    spec = spec_of(
        draws={**DRAWS, "y": Label(3), "c": Label(5, "colour")},
        networks={"G": maker, "D": D},
        let={"fake": "G(z, y)", "other": "G(z, c)"},
        round=[
            Update("D", {"d": "mean(D(x)) - mean(D(fake))"}),
            Update("G", {"g": "mean(D(other))"}),
        ],
        tasks={"generate": "fake"},
    )
    with pytest.raises(ShapeError, match="labels of 5 classes arrive, and it has 3"):
        build(spec)


# ---------------------------------------------------------------------------- unpaired data

PAIR = {"a": Image((1, 8, 8), "a"), "b": Image((1, 8, 8), "b")}


def pairs(independent: bool) -> Fields:
    return Fields(
        name="two",
        fields={k: v.replace(independent=independent) for k, v in PAIR.items()},
    )


def pix2pix(**draws: Any) -> Spec:
    return spec_of(
        draws=draws or PAIR,
        networks={"G": Network({"a": ()}, (Conv(1),)), "D": Network({"b": ()}, D.layers)},
        let={"fake": "G(a)"},
        round=[
            Update("D", {"d": "mean(D(fake)) - mean(D(b))"}),
            Update("G", {"g": "mean(D(fake)) + l1(fake, b)"}),
        ],
        tasks={"to_b": Task("translate", "fake", to="b")},
    )


def test_pairs_are_not_trained_on_strangers() -> None:
    """A pix2pix trained on unpaired data, in silence."""
    check_fields(pix2pix(), pairs(independent=False))
    with pytest.raises(DataError, match=r"'a' and 'b' are paired .*has no partners for 'a'"):
        check_fields(pix2pix(), pairs(independent=True))
    apart = pix2pix(**pairs(independent=True).fields)
    check_fields(apart, pairs(independent=True))
    check_fields(apart, pairs(independent=False))  # pairs, drawn as if they were none
    images = torch.rand(8, 1, 8, 8)
    data = Source("two", pairs(independent=True), {"a": images, "b": images[:6]})
    with pytest.raises(DataError, match="are paired in this Spec"):
        next(iter(train(pix2pix(), data, steps=1, device="cpu")))


def test_one_unpaired_field_alone_needs_no_partner() -> None:
    spec = spec_of(draws={"x": Image((1, 8, 8), "a"), "z": Normal(4)})
    check_fields(spec, pairs(independent=True))


# ------------------------------------------------------------------------- penalties, words


def test_r1_goes_with_minibatch_deviation() -> None:
    """StyleGAN2 has both; the reason that was given is WGAN-GP's."""
    layers = (Conv(4), MinibatchStd(), Conv(2), GlobalPool(), Linear(1))
    spec = spec_of(
        "mean(D(fake)) - mean(D(x)) + 5 * r1(D, x)",
        networks={"G": G, "D": Network({"x": ()}, layers)},
    )
    build(spec)
    with pytest.raises(SpecError, match=r"r1 refuses batch_norm .*arXiv:1801\.04406"):
        networks = {"G": G, "D": Network({"x": ()}, (Conv(4), BatchNorm(), Linear(1)))}
        spec_of("r1(D, x)", networks=networks)
    with pytest.raises(SpecError, match="gradient_penalty refuses minibatch_std"):
        spec_of("gradient_penalty(D, x, fake)", networks={"G": G, "D": spec.networks["D"]})


@pytest.mark.parametrize(
    "text, instead",
    [
        ("(D(x) - 1)**2", "write square(D(x) - 1)"),
        ("x ** 1.5", "write power(x, 1.5)"),
        ("+x", "write x"),
        ("D(x) >= 0", "write 1 - (D(x) < 0)"),
        ("D(x) <= y + 1", "write 1 - (D(x) > y + 1)"),
        ("step == 3", "write 1 - (step < 3) - (step > 3)"),
        ("step != 3", "write (step < 3) + (step > 3)"),
        ("1 if step > 3 else 0", "write where(step > 3, 1, 0)"),
    ],
)
def test_what_to_write_instead(text: str, instead: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert instead in str(caught.value)


@pytest.mark.parametrize(
    "text", ["log(D(x))", "mean(log(1 - D(x)))", "-log(D(x) + 1)", "log(x)", "sqrt(D(x))"]
)
def test_logarithms_of_what_may_be_negative(text: str) -> None:
    assert "is not a number where" in undefined(text)


@pytest.mark.parametrize(
    "text", ["log(sigmoid(D(x)))", "log(1 - sigmoid(D(x)))", "log(1 + exp(x))", "log(abs(x))"]
)
def test_logarithms_of_what_is_not(text: str) -> None:
    assert not undefined(text)


def test_a_logarithm_of_logits_gets_advice() -> None:
    """It was told to lower the learning rate."""
    spec = spec_of("-mean(log(D(x)))", round=[
        Update("D", {"d": "-mean(real)"}, SGD(1e-3)), Update("G", {"g": "mean(D(fake))"})
    ], let={"fake": "G(z)", "real": "log(D(x))"})  # fmt: skip
    with pytest.raises(NonFiniteError, match=r"log\(D\(x\)\) is not a number .*bce\(D\(x\), 1\)"):
        trained(spec, steps=3)


# --------------------------------------------------------------------------------- replacing


def test_parts_are_replaced_validated() -> None:
    spec = spec_of()
    assert spec.replace(batch=8).batch == 8 and spec.batch == 64
    assert spec.replace(steps=7).steps == 7
    assert spec.replace(round=spec.stages[0].round[:1] + spec.stages[0].round[1:]) == spec
    update = spec.stages[0].round[0]
    assert isinstance(update, Update)
    assert update.replace(repeat=5).repeat == 5
    assert update.replace(train="G").name == "G" and update.replace(name="d").name == "d"
    assert Conv(3).replace(kernel=5) == Conv(3, 5)
    for wrong in ({"batch": 0}, {"batches": 1}, {"let": {"fake": "nothing(z)"}}, {"steps": 0}):
        with pytest.raises(SpecError):
            spec.replace(**wrong)
        with pytest.raises(SpecError):
            spec.model_copy(update=wrong)
    with pytest.raises(SpecError, match=r"^kernel"):
        Conv(3).model_copy(update={"kernel": -1})


def test_a_copy_is_still_a_copy() -> None:
    spec = spec_of()
    assert spec.model_copy() == spec
    assert spec.model_copy(deep=True) == spec


# -------------------------------------------------------- words that only some tasks need


class Gain(Layer):
    """v times a learned number."""

    kind: Any = "gain"

    def module(self, shape: tuple[int, ...]) -> Any:
        return torch.nn.Linear(shape[0], shape[0], bias=False)


def harshness(a: Any, b: Any) -> Any:
    """A score of a plugin: (batch,)."""
    return (a - b).abs().flatten(1).amax(1)


@contextmanager
def plugin_words() -> Iterator[None]:
    """As if a plugin were installed that brings both."""
    known = vocabulary.core()
    extended = vocabulary.Vocabulary(
        {**known.functions, "harshness": Function.of(harshness)},
        {**known.layers, "gain": Gain},
        known.optimizers,
        known.states,
        {("functions", "harshness"): "ganzoo-harsh", ("layers", "gain"): "ganzoo-harsh"},
    )
    before = vocabulary.extend_with(lambda: extended)
    try:
        yield
    finally:
        vocabulary.extend_with(before)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A model of which three tasks need a plugin that is not installed, and two do not."""
    with plugin_words():
        spec = spec_of(
            networks={"G": G, "D": D, "E": E, "F": Network({"x": (Flatten(),)}, (Gain(),))},
            round=[
                Update("D", {"d": "mean(D(fake)) - mean(D(x))"}),
                Update(("G", "E", "F"), {"g": "mean(D(fake)) + l1(G(E(x)), x) + mean(F(x))"}),
            ],
            tasks={"generate": "G(z)", "encode": "E(x)", "other": Task("encode", "F(x)"),
                   "harsh": Task("score", "harshness(x, G(E(x)))"),
                   "reconstruct": "G(part(F(x), 0, 4))"},
        )  # fmt: skip
        trained(spec).save_pretrained(tmp_path / "model")
    before = vocabulary.extend_with(vocabulary.core)
    yield tmp_path / "model"
    vocabulary.extend_with(before)


def test_an_unknown_word_in_one_task_leaves_the_others(folder: Path, tmp_path: Path) -> None:
    """It made all of them unusable."""
    model = store.load(folder)
    assert len(model.generate(2)) == 2
    assert model.encode(torch.rand(2, 1, 8, 8)).shape == (2, 4)
    assert set(model.networks) == {"G", "E"}
    assert set(model.tasks("encode")) == {"encode"} and not model.tasks("score")
    images = torch.rand(2, 1, 8, 8)
    for ask in (
        lambda: model.score(images),
        lambda: model.encode(images, task="other"),
        lambda: model.reconstruct(images),
    ):
        with pytest.raises(PluginError, match="pip install ganzoo-harsh"):
            ask()
    with pytest.raises(PluginError, match="would be saved without the weights of task 'other'"):
        model.save_pretrained(tmp_path / "copy")
    with plugin_words():
        whole = store.load(folder)
        assert whole.score(images).values.shape == (2,)
        assert whole.encode(images, task="other").shape == (2, 64)


def test_weights_that_no_task_knows_are_refused_all_the_same(folder: Path) -> None:
    """Only those of networks are passed over that tasks need which cannot be asked."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / store.WEIGHTS)
    save_file({**tensors, "H.layers.0.weight": torch.ones(2)}, folder / store.WEIGHTS)
    digest = hashlib.sha256((folder / store.WEIGHTS).read_bytes()).hexdigest()
    data = json.loads((folder / store.CONFIG).read_text())
    data["weights"]["sha256"] = digest
    (folder / store.CONFIG).write_text(json.dumps(data))
    with pytest.raises(StoreError, match=r"unknown 'H.layers.0.weight'"):
        store.load(folder)


def test_where_no_task_is_left_the_plugin_is_named(folder: Path) -> None:
    data = json.loads((folder / store.CONFIG).read_text())
    data["spec"]["tasks"] = {"harsh": data["spec"]["tasks"]["harsh"]}
    (folder / store.CONFIG).write_text(json.dumps(data))
    with pytest.raises(PluginError, match="pip install ganzoo-harsh"):
        store.load(folder)


def test_an_older_spec_that_is_malformed_is_a_mistake_of_the_spec() -> None:
    """A field that is not a name ended in a TypeError while the Spec was brought up to date."""
    from ganzoo.spec.older import updated

    data = spec_of(draws={**DRAWS, "y": Label(3)}, let={"fake": "G(z)"}, tasks={
        "generate": "G(z)", "classes": Task("encode", "one_hot(y, 3)")}).to_dict()  # fmt: skip
    data["draws"]["y"]["field"] = {"kind": "flatten"}
    del data["tasks"]["classes"]["of"]
    with pytest.raises(SpecError, match=r"draws\.y\.field"):
        Spec.from_dict(updated(data))
