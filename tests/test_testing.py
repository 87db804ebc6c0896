"""Conformance checks: each finds the mistake that it is for, and says where it is."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from ganzoo import (
    DataSet,
    Fields,
    Function,
    Layer,
    Loss,
    Source,
    Spec,
    Variant,
    cli,
    hookimpl,
    testing,
)
from ganzoo.errors import (
    GanzooError,
    NonFiniteError,
    PluginError,
    ShapeError,
    SpecError,
    UnknownNameError,
)
from ganzoo.plugins.host import Host, Plugin
from ganzoo.spec import (
    Flatten,
    Image,
    Linear,
    Network,
    Normal,
    Reshape,
    Stage,
    Tanh,
    Tap,
    Task,
    Update,
    vocabulary,
)
from ganzoo.testing import CHECKS, NotConforming, conforms

PIXELS = (1, 16, 16)


class Sound(Variant):
    """Two linear networks."""

    name = "sound"
    width: int = 6

    def parts(self) -> dict[str, Any]:
        """What the Spec is made of, for those who spoil it."""
        return {
            "title": "Sound",
            "draws": {"x": Image(PIXELS), "z": Normal(4)},
            "networks": {
                "G": Network({"z": ()}, (Linear(256), Reshape(PIXELS), Tanh())),
                "D": Network({"x": (Flatten(),)}, (Linear(self.width), Linear(1))),
            },
            "let": {"fake": "G(z)"},
            "round": [
                Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
                Update("G", {"fool": "bce(D(fake), 1)"}),
            ],
            "tasks": {"generate": "G(z)"},
        }

    def spec(self, data: Fields) -> Spec:
        return Spec(**self.parts())


def spoilt(change: Any) -> type[Variant]:
    """A variant of which `change(parts)` has changed something."""

    class Spoilt(Sound):
        """Two linear networks, and a mistake."""

        name = "spoilt"

        def spec(self, data: Fields) -> Spec:
            parts = self.parts()
            change(parts)
            return Spec(**parts)

    return Spoilt


def with_layer(layer: Layer, network: str = "D") -> type[Variant]:
    """A variant with a layer before all others of a network."""

    def change(parts: dict[str, Any]) -> None:
        old = parts["networks"][network]
        parts["networks"][network] = Network(old.inputs, (layer, *old.layers))

    return spoilt(change)


# ------------------------------------------------------------------- layers with a mistake


class Written(Layer):
    """Multiplies by a weight, which it writes to at each pass."""

    kind: Literal["written"] = "written"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return Writes()


class Writes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(1))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.gain)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "meta" and self.training:
            self.gain.data.mul_(0.99)
        return x * self.gain


class Forgetful(Layer):
    """Counts its passes in a plain number, which no checkpoint holds."""

    kind: Literal["forgetful"] = "forgetful"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return Counts()


class Counts(nn.Module):
    passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += x.device.type != "meta" and self.training
        return x * (1 + 0.1 * self.passes)


class Lucky(Layer):
    """Adds chance that no seed governs."""

    kind: Literal["lucky"] = "lucky"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return AddsLuck()


class AddsLuck(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + random.random() if self.training else x


class Fine(Layer):
    """Scales by a buffer in double precision, which model folders do not keep."""

    kind: Literal["fine"] = "fine"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return Scales(torch.float64, persistent=True)


class Unsaved(Layer):
    """Scales by a buffer that is in no state_dict."""

    kind: Literal["unsaved"] = "unsaved"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return Scales(torch.float32, persistent=False)


class Scales(nn.Module):
    def __init__(self, dtype: torch.dtype, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("scale", torch.empty(1, dtype=dtype), persistent)

    def reset_parameters(self) -> None:
        nn.init.constant_(self.scale, 1 + 1e-9)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1e6 * (self.scale - 1)).float()  # type: ignore[operator]


class Gain(Layer):
    """A learned gain. It has a docstring, and neither formula nor example."""

    kind: Literal["bare_gain"] = "bare_gain"

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return Writes()


@pytest.fixture
def words() -> Iterator[Host]:
    """A host that knows these layers, and some functions."""
    host = Host()

    class Its:
        @hookimpl
        def ganzoo_layers(self) -> list[type[Layer]]:
            return [Written, Forgetful, Lucky, Fine, Unsaved]

        @hookimpl
        def ganzoo_functions(self) -> list[Function]:
            return [Function.of(mixed)]

    def mixed(values: Tensor) -> Tensor:
        """The mean of the batch, for each sample."""
        return values.mean(0, keepdim=True).expand_as(values)

    host.register(Its(), "mistakes")
    before = vocabulary.extend_with(lambda: host.vocabulary)
    yield host
    vocabulary.extend_with(before)


# -------------------------------------------------------------------- each finds its mistake


@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_variant_conforms(check: str) -> None:
    conforms(Sound, check)
    conforms(Sound, check, width=3)


def test_all_checks_at_once() -> None:
    conforms(Sound)
    with pytest.raises(NotConforming) as caught:
        conforms(spoilt(lambda parts: parts.update(tasks={})))
    text = str(caught.value)
    assert text.startswith("spoilt fails ") and f" of {len(CHECKS)} checks:" in text
    assert "\n  spec: the Spec has no task" in text and "gradients" not in text


def test_an_unknown_check() -> None:
    with pytest.raises(UnknownNameError, match="no check 'gradient'; did you mean 'gradients'"):
        conforms(Sound, "gradient")


def fails(variant: type[Variant], check: str, error: type[Exception] = NotConforming) -> str:
    with pytest.raises(error) as caught:
        conforms(variant, check)
    assert isinstance(caught.value, GanzooError | NotConforming)
    return str(caught.value)


def test_a_spec_that_is_none() -> None:
    class None_(Sound):
        """Forgot to return."""

        def spec(self, data: Fields) -> Spec:  # type: ignore[empty-body]
            Spec(**self.parts())

    assert "spec(data) returns NoneType None, not a Spec" in fails(None_, "spec")


def test_a_spec_that_is_another_each_time() -> None:
    rates = iter(range(1, 100))
    variant = spoilt(lambda parts: parts.update(batch=next(rates)))
    assert "another Spec the second time" in fails(variant, "spec")


def test_a_spec_that_says_too_little() -> None:
    assert "has no title" in fails(spoilt(lambda parts: parts.pop("title")), "spec")
    assert "has no task" in fails(spoilt(lambda parts: parts.pop("tasks")), "spec")

    class Silent(Sound):
        pass

    Silent.__doc__ = None
    assert "Silent has no docstring" in fails(Silent, "spec")


def test_a_spec_that_breaks_the_language() -> None:
    variant = spoilt(lambda parts: parts.update(tasks={"generate": "H(z)"}))
    assert "tasks.generate.output: no network or function 'H'" in fails(variant, "spec", SpecError)


def test_data_that_are_not_the_variants() -> None:
    def vectors(parts: dict[str, Any]) -> None:
        parts["draws"]["x"] = Image((1, 8, 8))
        parts["networks"]["G"] = Network({"z": ()}, (Linear(64), Reshape((1, 8, 8))))

    fails(spoilt(vectors), "spec", GanzooError)

    class Needs(Sound):
        """Reads a field that the noise has not."""

        def spec(self, data: Fields) -> Spec:
            return Spec(**{**self.parts(), "draws": {"x": data["frames"], "z": Normal(4)}})

    text = fails(Needs, "round")
    assert "no field 'frames'" in text and "ganzoo check-plugin --data" in text
    own = Source("mine", Fields({"frames": Image(PIXELS, "frames")}),
                 {"frames": torch.zeros(100, *PIXELS)})  # fmt: skip
    conforms(Needs, data=own)


def test_a_layer_that_no_host_knows() -> None:
    """Its Spec is valid in this process, and nobody could read it."""
    with pytest.raises(SpecError, match="no layer of kind 'written'"):
        conforms(with_layer(Written()), "json")


def test_settings_that_json_changes() -> None:
    class Lossy(Sound):
        """A setting that is not read as it is written."""

        rate: float = 0.1

        def model_dump(self, **how: Any) -> dict[str, Any]:
            return {**super().model_dump(**how), "rate": 0.2}

    assert "settings differ" in fails(Lossy, "json")


def test_shapes_that_do_not_fit() -> None:
    def reshaped(parts: dict[str, Any]) -> None:
        parts["networks"]["G"] = Network({"z": ()}, (Linear(255), Reshape(PIXELS)))

    assert "networks.G.layers.1" in fails(spoilt(reshaped), "dry_run", ShapeError)


def test_a_loss_that_is_not_finite() -> None:
    def change(parts: dict[str, Any]) -> None:
        parts["round"][0] = Update("D", {"bad": "mean(log(D(x) - D(x) - 1))"})

    assert "train.D.bad" in fails(spoilt(change), "round", NonFiniteError)


def encoder(parts: dict[str, Any], term: str) -> None:
    """A generator that is trained together with an encoder, by `term`."""
    layers = (Linear(4), Tap("half"), Linear(4))
    parts["networks"]["E"] = Network({"x": (Flatten(),)}, layers)
    parts["round"][1] = Update(("G", "E"), {"fool": "bce(D(fake), 1)", "code": term})
    parts["tasks"]["encode"] = "E(x)"


def test_a_network_that_no_gradient_reaches() -> None:
    """BiGAN's mistake in its usual form: the encoder is trained, through a detach."""
    subject = spoilt(lambda parts: encoder(parts, "mse(detach(E(x)), z)"))
    assert "'E' is trained here, and no gradient" in fails(subject, "gradients", SpecError)


def test_weights_that_no_gradient_reaches() -> None:
    subject = spoilt(lambda parts: encoder(parts, "mse(E.half(x), z)"))
    text = fails(subject, "gradients")
    assert "no gradient ever reaches networks.E.layers.2.weight (and 1 more of E)" in text


def test_a_network_whose_gradients_are_nothing() -> None:
    def change(parts: dict[str, Any]) -> None:
        parts["round"][1] = Update("G", {"fool": "0 * bce(D(fake), 1)"})

    assert "trains G, but none of its weights changed in 2 rounds" in fails(
        spoilt(change), "gradients"
    )


@pytest.mark.usefixtures("words")
def test_weights_that_change_without_being_trained() -> None:
    text = fails(with_layer(Written()), "gradients")
    assert "step of update 'G' trains G, and changed weights of D" in text


@pytest.mark.usefixtures("words")
def test_a_frozen_network_that_changes() -> None:
    def change(parts: dict[str, Any]) -> None:
        first = parts.pop("round")
        old = parts["networks"]["D"]
        parts["networks"]["D"] = Network(old.inputs, (Always(), *old.layers))
        parts["stages"] = [
            Stage(first, 5, name="both"),
            Stage([first[1]], 5, freeze=("D",), name="alone"),
        ]

    class Always(Layer):
        """Counts its passes in a buffer, frozen or not."""

        kind: Literal["always"] = "always"

        def module(self, shape: tuple[int, ...]) -> nn.Module:
            module = CountsInBuffer()
            return module

    class CountsInBuffer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("passes", torch.empty(1))

        def reset_parameters(self) -> None:
            nn.init.zeros_(self.passes)  # type: ignore[arg-type]

        def forward(self, x: Tensor) -> Tensor:
            if x.device.type != "meta":
                self.passes += 1  # type: ignore[operator]
            return x

    assert "D is frozen in stage 'alone', but changed" in fails(spoilt(change), "gradients")


def test_a_task_of_another_shape() -> None:
    def flat(parts: dict[str, Any]) -> None:
        parts["tasks"] = {"generate": "G(z)", "flat": Task(kind="generate", output="D(G(z))")}

    text = fails(spoilt(flat), "tasks", ShapeError)
    assert "tasks.flat.output: generate gives images" in text


def test_pictures_of_two_channels() -> None:
    def change(parts: dict[str, Any]) -> None:
        parts["tasks"]["two"] = Task("generate", "concatenate(G(z), G(z))")

    assert "task 'two' of kind generate gives (3, 2, 16, 16); pictures are" in fails(
        spoilt(change), "tasks"
    )


def test_a_task_without_the_input_of_its_kind() -> None:
    def change(parts: dict[str, Any]) -> None:
        parts["tasks"]["reconstruct"] = "G(z)"

    text = fails(spoilt(change), "tasks", ShapeError)
    assert "reconstruct takes an image, but its expression does not use one" in text


@pytest.mark.usefixtures("words")
def test_a_score_that_depends_on_the_company() -> None:
    def change(parts: dict[str, Any]) -> None:
        parts["tasks"]["score"] = "mixed(D(x))"

    text = fails(spoilt(change), "tasks")
    assert "task 'score': the output for a sample depends on the other samples" in text


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize(
    "layer, problem",
    [
        (Forgetful(), "a run resumed after round 1 differs from an uninterrupted one"),
        (Lucky(), "two runs of the same seed differ after 1 rounds"),
    ],
)
def test_a_run_that_cannot_be_resumed(layer: Layer, problem: str) -> None:
    text = fails(with_layer(layer), "resume")
    assert problem in text and "networks.D.layers." in text


@pytest.mark.usefixtures("words")
def test_a_model_that_comes_back_as_another() -> None:
    text = fails(with_layer(Fine(), "G"), "saved")
    assert ".scale differs in the loaded model: does it need more than float32?" in text


@pytest.mark.usefixtures("words")
def test_a_buffer_that_no_folder_would_hold() -> None:
    text = fails(with_layer(Unsaved(), "G"), "dry_run", PluginError)
    assert "layer 'unsaved': Scales has a buffer with persistent=False ('scale')" in text


# --------------------------------------------------------------------------- whole plugins


def plugin(**hooks: Any) -> ModuleType:
    module = ModuleType("a_plugin")
    for hook, brought in hooks.items():
        setattr(module, f"ganzoo_{hook}", hookimpl(lambda brought=brought: brought))
    return module


def findings(**hooks: Any) -> dict[tuple[str, str], str]:
    host = Host()
    found = host.register(plugin(**hooks))
    return {(item.of, item.check): item.problem for item in testing.check_plugin(found, host)}


def test_all_that_a_plugin_brings_is_checked() -> None:
    unlearning = spoilt(
        lambda parts: parts["round"].__setitem__(1, Update("G", {"fool": "0 * bce(D(fake), 1)"}))
    )
    found = findings(variants=[Sound, unlearning])
    assert {check for of, check in found if of == "sound"} == set(CHECKS)
    assert [key for key, problem in found.items() if problem] == [("spoilt", "gradients")]


def test_whatever_a_plugin_raises_is_a_line_of_its_own() -> None:
    class Raises(Sound):
        """Fails in its own way."""

        def spec(self, data: Fields) -> Spec:
            raise ZeroDivisionError("division of nothing")

    class Strict(Sound):
        """Has no default."""

        name = "strict"
        width: int

    found = findings(variants=[Raises, Strict])
    [raised] = set(found.values()) - {found["strict", "settings"]}
    assert "makes no Spec" in raised and "(ZeroDivisionError: division of nothing)" in raised
    assert "strict.width: this key is required" in found["strict", "settings"]


def double(values: Tensor) -> Tensor:
    """Twice."""
    return 2 * values


@pytest.mark.parametrize(
    "declared, problem",
    [
        ({"formula": "2v", "example": "mean(double(x))"}, ""),
        ({"formula": "2v"}, "it has no example"),
        ({"summary": ""}, "it has no summary and no formula and no example"),
        ({"formula": "2v", "example": "mean(x)"}, "its example 'mean(x)' does not call double"),
        ({"formula": "2v", "example": "double("}, "its example: 'double(' is not an expression"),
        ({"formula": "2v", "example": "double(x, 2)"}, "gives 2 arguments to double(values)"),
    ],
)
def test_functions_are_checked_for_what_readers_need(declared: Any, problem: str) -> None:
    found = findings(functions=[Function.of(double, **declared)])["double", "function"]
    assert problem in found and bool(problem) == bool(found)


@pytest.mark.parametrize(
    "fool, more, problem",
    [
        ("-mean(D(fake))", {"summary": "A gap."}, ""),
        ("-mean(D(fake))", {}, "it has no summary"),
        (
            "-mean(log(D(fake) - D(fake)))",
            {"summary": "A gap."},
            "fails the check round: loss term",
        ),
        ("-mean(detach(D(fake)))", {"summary": "A gap."}, "a small GAN with it fails the check"),
    ],
)
def test_losses_are_tried_on_a_small_gan(fool: str, more: Any, problem: str) -> None:
    gap = Loss("gap", {"gap": "mean(D(fake)) - mean(D(x))"}, {"fool": fool}, **more)
    found = findings(losses=[gap])["gap", "loss"]
    assert problem in found and bool(problem) == bool(found)


def test_layers_are_checked_for_what_readers_need() -> None:
    assert findings(layers=[Gain])["bare_gain", "layer"] == "it has no formula and no example"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("Good()  # (3,) to (3,)", ""),
        ("Residual((Good(), Good()))  # (3,) to (3,)", "does not make a Good"),
        ("Good()  # (3, 8, 8) to (3, 8, 9)", "gives (3, 8, 8)"),
        ("Good(4)  # (3,) to (3,)", "Good takes at most 0 positional arguments"),
        ("Good()", "is not of the form 'Conv(64, 4, 2)  # (3, 32, 32) to (64, 16, 16)'"),
        ("Good(  # (3,) to (3,)", "is not of the form"),
        ("Raises()  # (3,) to (3,)", "cannot take 3: nothing fits"),
    ],
)
def test_examples_of_layers_are_run(text: str, problem: str) -> None:
    class Good(Gain):
        """A learned gain."""

        kind: Literal["good_gain"] = "good_gain"
        formula: ClassVar[str] = "g v"
        example: ClassVar[str] = text

    class Raises(Good):
        """Takes nothing."""

        kind: Literal["raises"] = "raises"

        def module(self, shape: tuple[int, ...]) -> nn.Module:
            raise ValueError("nothing fits")

    kind: type[Layer] = Raises if text.startswith("Raises") else Good
    name = "raises" if kind is Raises else "good_gain"
    found = findings(layers=[kind])[name, "layer"]
    assert problem in found and bool(problem) == bool(found)


@pytest.mark.parametrize(
    "given, problem",
    [
        ({}, ""),
        ({"licence": ""}, "it has no licence"),
        ({"load": "json:nothing"}, "its loader 'json:nothing' cannot be imported (AttributeError"),
        ({"load": "nowhere_at_all:load"}, "cannot be imported (ModuleNotFoundError"),
        ({"load": "sys:path"}, "its loader 'sys:path' cannot be called"),
    ],
)
def test_data_sets_are_checked_for_whom_to_thank(given: Any, problem: str) -> None:
    facts = {"name": "dots", "fields": Fields({"image": Image(PIXELS)}), "summary": "Dots.",
             "size": 1, "licence": "CC0-1.0", "source": "here", "load": "json:loads"}  # fmt: skip
    found = findings(data=[DataSet(**{**facts, **given})])["dots", "data"]
    assert problem in found and bool(problem) == bool(found)


# -------------------------------------------------------------------- ganzoo check-plugin


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`ganzoo ...` in this process, with plugins that stand in for installed ones."""
    host = Host()
    host.register(plugin(variants=[Sound]), "sound-zoo")
    host.register(
        plugin(variants=[spoilt(lambda parts: parts.pop("title"))], layers=[Gain]), "spoilt_zoo"
    )
    host.plugins.append(Plugin("broken", "broken-zoo", "2.0", problem="RuntimeError: no licence"))
    host.plugins.append(Plugin("out", "out-zoo", "2.0", left_out=True))
    monkeypatch.setattr("ganzoo.plugins.host.default", lambda: host)
    monkeypatch.setattr("ganzoo.testing.subject.default", lambda: host)
    monkeypatch.setenv("COLUMNS", "200")

    def tell(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return tell


def test_a_plugin_that_conforms(told: Any, tmp_path: Any) -> None:
    project = tmp_path / "some-folder"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "Sound_Zoo"\n')
    for name in ("sound-zoo", "sound", "sound_zoo", project):
        code, out, _ = told("check-plugin", name, "--set", "width=3")
        assert code == 0 and f"sound-zoo conforms: {len(CHECKS)} checks" in out
        assert "Gradients reach the trained networks and no others." in out
        assert "fails" not in out


def test_a_plugin_that_fails(told: Any) -> None:
    code, out, _ = told("check-plugin", "spoilt-zoo")
    assert code == 1 and f"2 of {len(CHECKS) + 1} checks failed" in out
    rows = [line.split()[:3] for line in out.splitlines() if "fails" in line]
    assert rows == [["spoilt", "spec", "fails"], ["bare_gain", "layer", "fails"]]
    assert "the Spec has no title" in out


def test_plugins_that_cannot_be_checked(told: Any, tmp_path: Any) -> None:
    code, _, err = told("check-plugin", "broken")
    assert code == 1 and "broken-zoo 2.0 fails: RuntimeError: no licence" in err
    code, _, err = told("check-plugin", "out-zoo")
    assert code == 2 and "out-zoo 2.0 is left out: GANZOO_PLUGINS does not name it" in err
    code, _, err = told("check-plugin", "sund-zoo")
    assert code == 2 and "no plugin 'sund-zoo'; did you mean 'sound-zoo'?" in err
    code, _, err = told("check-plugin", tmp_path)
    assert code == 2 and f"pip install -e {tmp_path}" in err.replace("\n", "")
    code, out, _ = told("check-plugin", "sound", "--set", "widht=3")
    assert code == 1 and "did you mean 'width'?" in " ".join(out.split())
