"""Conformance: what holds for every variant, as checks that say what is wrong.

    import pytest
    from ganzoo.testing import CHECKS, conforms


    @pytest.mark.parametrize("check", CHECKS)
    def test_conforms(check):
        conforms("my-gan", check, width=8)

Everything runs on a little random data for a few rounds, so that it takes seconds. `ganzoo
check-plugin` runs the same for all that a plugin brings.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.catalog import DataSet
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint
from ganzoo.engine.draws import Draws
from ganzoo.engine.explain import explain
from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import DataError, UnknownNameError, choices, nearest
from ganzoo.metrics.metric import Metric
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build
from ganzoo.plugins.host import Host, Plugin, default
from ganzoo.spec import expression
from ganzoo.spec.draws import Image, Label, Normal, Text, Vector
from ganzoo.spec.layers import (
    Conv,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    OneHot,
    Reshape,
    Tanh,
)
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.network import Network
from ganzoo.spec.reference import Word, of_function, of_layer
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task
from ganzoo.spec.variant import Fields, Variant
from ganzoo.spec.vocabulary import Function

__all__ = ["CHECKS", "NotConforming", "conforms", "noise", "shape_after"]

BATCH = 8
ROWS = 24
"""Samples of a data set that are used."""
ASKED = 3
"""Samples that a task is asked for."""
ROUNDING = 1e-4
"""How far the answers of a model may be from those of its copy, as a share of the largest."""
CPU = torch.device("cpu")


class NotConforming(AssertionError):
    """A variant, or something else of a plugin, is not what it should be."""


def conforms(
    variant: str | type[Variant],
    check: str | None = None,
    /,
    *,
    data: Source | None = None,
    **settings: Any,
) -> None:
    """Check a variant.

    Args:
        variant: its name, once its plugin is installed, or its class.
        check: one of `CHECKS`; by default all, and what fails is told together.
        data: what to train on, of which the first samples are used; by default `noise()`.
        settings: hyper-parameters of the variant, which make it small and the checks quick.

    Raises:
        NotConforming: with what is wrong. Mistakes that ganzoo finds without these checks are
            raised as they are: SpecError, ShapeError, NonFiniteError, ...
    """
    if check is not None and check not in _CHECKS:
        raise UnknownNameError(
            f"no check {check!r}{nearest(check, CHECKS)} there is: {choices(CHECKS)}"
        )
    subject = _Subject.of(variant, data, settings)
    if check is not None:
        _CHECKS[check](subject)
        return
    failed = [(name, problem) for name, problem in _results(subject) if problem]
    if failed:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in failed)
        raise NotConforming(f"{subject.name} fails {len(failed)} of {len(CHECKS)} checks:{lines}")


def noise(size: int = 16, channels: int = 1, *, classes: int = 3, samples: int = ROWS) -> Source:
    """Random data with a field of each kind: image, label, text, and the unpaired a and b.

    The sentences are random vectors in place of embedded ones.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (channels, size, size)
    images = torch.randint(0, 256, (samples, *shape), generator=generator, dtype=torch.uint8)
    text = Text()
    fields = {
        "image": Image(shape), "label": Label(classes), "text": text,
        "a": Image(shape, "a", independent=True), "b": Image(shape, "b", independent=True),
    }  # fmt: skip
    arrays = {
        "image": images, "label": torch.arange(samples) % classes,
        "text": torch.randn(samples, text.size, generator=generator),
        "a": images.flip(0)[: samples - 2], "b": 255 - images,
    }  # fmt: skip
    return Source("noise", Fields(name="noise", fields=fields), arrays)


# ---------------------------------------------------------------------------- whole plugins


@dataclass(frozen=True)
class Finding:
    """A line of `ganzoo check-plugin`: of what, which check, what it means, what is wrong."""

    of: str
    check: str
    about: str
    problem: str


def check_plugin(
    plugin: Plugin, host: Host, data: Source | None = None, settings: dict[str, Any] | None = None
) -> Iterator[Finding]:
    """Check all that a plugin brings: each variant by `CHECKS`, the rest for what readers miss."""
    for name in plugin.brings.get("variants", []):
        try:
            subject = _Subject.of(host.variants[name], data, settings or {})
        except Exception as error:
            yield Finding(name, "settings", "Its hyper-parameters have sound values.", _text(error))
            continue
        for check, problem in _results(subject):
            yield Finding(name, check, _about(_CHECKS[check]), problem)
    for name in plugin.brings.get("functions", []):
        word = of_function(host.functions[name])
        problem = _undocumented(word) or _misleading(host.functions[name])
        yield Finding(name, "function", "It is documented, with a formula and an example.", problem)
    for name in plugin.brings.get("losses", []):
        about = "It is said what it is, and a small GAN learns with it."
        yield Finding(name, "loss", about, _unlearnable(host.losses[name]))
    for name in plugin.brings.get("layers", []):
        about = "It is documented, with a formula, and its example gives the shape that it says."
        problem = _undocumented(of_layer(host.layers[name])) or _misshapen(host.layers[name], host)
        yield Finding(name, "layer", about, problem)
    for name in plugin.brings.get("data", []):
        about = "Its loader is there, and it is said what it is and whom to thank."
        yield Finding(name, "data", about, _unattributed(host.data[name]))
    for name in plugin.brings.get("metrics", []):
        about = "What it applies to, and what it finds, are functions of an evaluation."
        yield Finding(name, "metric", about, _unmeasurable(host.metrics[name]))


def _unmeasurable(metric: Metric) -> str:
    """Why a metric cannot be asked anything."""
    for word in ("applies", "find"):
        try:
            inspect.signature(getattr(metric, word)).bind(None)
        except TypeError as error:
            return f"{word} takes one argument, the evaluation ({error})"
    return ""


def _undocumented(word: Word) -> str:
    return f"it has no {' and no '.join(word.lacks)}" if word.lacks else ""


def _misleading(function: Function) -> str:
    """What is wrong with the example of a function."""
    try:
        tree = expression.parse(function.example)
    except Exception as error:
        return f"its example: {error}"
    calls = [node for node in expression.walk(tree) if isinstance(node, expression.Call)]
    if not any(call.name == function.name for call in calls):
        return f"its example {function.example!r} does not call {function.name}"
    for call in calls:
        number = len(call.arguments)
        if call.name == function.name and not (
            function.required <= number <= len(function.parameters)
        ):
            return f"its example gives {number} arguments to {function.signature}"
    return ""


def _unlearnable(loss: Loss) -> str:
    """What is wrong with a loss, or goes wrong with a small GAN that has it."""
    if not loss.summary:
        return "it has no summary"

    class Pair(Variant):
        """A generator and a discriminator of two layers each."""

        name = "pair"

        def spec(self, data: Fields) -> Spec:
            shape = data.image.shape
            paint = (Linear(16), LeakyReLU(), Linear(math.prod(shape)), Reshape(shape), Tanh())
            judge = (Linear(16), LeakyReLU(), Linear(1))
            plain = Spec(
                title="Pair",
                draws={"x": data.image, "z": Normal(4)},
                networks={
                    "G": Network({"z": ()}, paint),
                    "D": Network({"x": (Flatten(),)}, judge),
                },
                round=[
                    Update("D", {"real": "mean(D(x))", "fake": "-mean(D(G(z)))"}),
                    Update("G", {"fool": "mean(D(G(z)))"}),
                ],
                tasks={"generate": "G(z)"},
            )
            return loss.apply(plain)

    failed = (found for found in _results(_Subject(Pair(), noise())) if found[1])
    name, problem = next(failed, ("", ""))
    return f"a small GAN with it fails the check {name}: {problem}" if problem else ""


def _misshapen(kind: type[Layer], host: Host) -> str:
    """What is wrong with the example of a layer, which says what arrives and what leaves."""
    code, _, comment = kind.example.partition("#")
    classes = {layer.__name__: layer for layer in host.layers.values()}
    try:
        layer = eval(
            code, {**classes, kind.__name__: kind}
        )  # the plugin's own code, as is its module
        arrives, leaves = (tuple(ast.literal_eval(text)) for text in comment.split(" to "))
    except Exception as error:
        return f"its example {kind.example!r} is not of the form {Conv.example!r} ({_text(error)})"
    if not isinstance(layer, kind):
        return f"its example {kind.example!r} makes no {kind.__name__}"
    try:
        found = shape_after(layer, arrives)
    except Exception as error:
        return f"its example {kind.example!r}: {_text(error)}"
    return "" if found == leaves else f"its example {kind.example!r} leaves {found}"


def shape_after(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what leaves a layer when `shape` arrives, both of one sample; () is a label.

    Inputs that it reads are ten classes, and noise (a field `noise`) a map of the same shape.
    """
    match shape:
        case ():
            draw: Any = Label(10)
        case (size,):
            draw = Vector(size)
        case _:
            draw = Image(shape)  # type: ignore[arg-type]
    inputs: dict[str, Any] = {"v": ()}
    draws: dict[str, Any] = {"v": draw}
    for name in layer.needs:
        inputs[name], draws[name] = (OneHot(10),), Label(10)
        if name == getattr(layer, "noise", None):
            inputs[name], draws[name] = (), Normal(shape=shape)
    networks = {
        "N": Network(inputs, (layer,)),
        "Head": Network({"w": (Flatten(),)}, (Linear(1),)),
    }
    # the head learns, for a layer without weights
    loss = {"loss": f"mean(Head(N({', '.join(draws)})))"}
    spec = Spec(draws=draws, networks=networks, round=[Update(("N", "Head"), loss)])
    return build(spec)["N"].leaves[""]


def _unattributed(declared: DataSet) -> str:
    missing = [word for word in ("summary", "licence", "source") if not getattr(declared, word)]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    try:
        loader = declared.loader()
    except Exception as error:
        return f"its loader {declared.load!r} cannot be imported ({_text(error)})"
    return "" if callable(loader) else f"its loader {declared.load!r} cannot be called"


def _results(subject: _Subject) -> Iterator[tuple[str, str]]:
    """Each check with what is wrong, or nothing."""
    for name, check in _CHECKS.items():
        try:
            check(subject)
        # a plugin may raise anything, and the checks after it shall be seen, too
        except Exception as error:
            yield name, _text(error)
        else:
            yield name, ""


def _text(error: Exception) -> str:
    """An error in one piece; what ganzoo did not raise on purpose with its type."""
    text = str(error) or "no message"
    ours = isinstance(error, NotConforming) or type(error).__module__ == "ganzoo.errors"
    return text if ours else f"{type(error).__name__}: {text}"


def _about(check: Callable[..., None]) -> str:
    return (inspect.getdoc(check) or "").split("\n")[0]


# -------------------------------------------------------------------------- what is checked


@dataclass(frozen=True)
class _Subject:
    """A variant with its settings, and the data that it is checked on."""

    variant: Variant
    data: Source

    @classmethod
    def of(
        cls, variant: str | type[Variant], data: Source | None, settings: dict[str, Any]
    ) -> _Subject:
        made = default().variant(variant) if isinstance(variant, str) else variant
        source = noise() if data is None else data
        if len(source) > ROWS:
            source = source.select(torch.arange(ROWS))
        return cls(made.parse(settings), source)

    @property
    def name(self) -> str:
        return getattr(self.variant, "name", type(self.variant).__name__)

    @cached_property
    def spec(self) -> Spec:
        """The whole Spec; NotConforming where it cannot be made of these data."""
        try:
            spec = self.variant.spec(self.data.fields)
        except DataError as error:
            raise NotConforming(
                f"{error}. These checks train on {self.data.name!r}; give data of your own: "
                "conforms(..., data=...), ganzoo check-plugin --data"
            ) from None
        if not isinstance(spec, Spec):
            raise NotConforming(f"spec(data) gives {type(spec).__name__} {spec!r}, and no Spec")
        return spec

    @cached_property
    def short(self) -> Spec:
        """The Spec with as few rounds in each stage as show everything, two at the least."""
        plan = Plan(self.spec)
        stages = [
            stage.replace(steps=2 + max(first for first, _ in plan.patterns(index)))
            for index, stage in enumerate(self.spec.stages)
        ]
        return self.spec.replace(stages=tuple(stages))

    def training(self) -> Training:
        batch = min(self.spec.batch, BATCH)
        return Training(self.short, self.data, batch=batch, seed=0, device=CPU, precision="fp32")

    @cached_property
    def model(self) -> Model:
        """What a short run leaves."""
        run = self.training()
        while run.step < self.short.steps:
            run.round()
        return run.model()


def _spec(subject: _Subject) -> None:
    """Its Spec is valid, the same each time, and fits the data."""
    variant = type(subject.variant)
    if not (vars(variant).get("__doc__") or "").strip():
        raise NotConforming(
            f"{variant.__name__} has no docstring, and `ganzoo variants` shows its first line"
        )
    spec = subject.spec
    if subject.variant.spec(subject.data.fields) != spec:
        raise NotConforming("spec(data) gives another Spec the second time; it must be a function")
    if not spec.title:
        raise NotConforming('the Spec has no title, its name for people: Spec(title="...")')
    if not spec.tasks:
        raise NotConforming(
            "the Spec has no task, so that a trained model could do nothing; such as "
            'tasks={"generate": "G(z)"}'
        )
    Draws(spec, subject.data, batch=BATCH, seed=0, device=CPU)


def _json(subject: _Subject) -> None:
    """It comes back from JSON as it was, and its settings do."""
    spec, variant = subject.spec, subject.variant
    text = spec.to_json()
    again = Spec.from_json(text)
    if again != spec or again.to_json() != text:
        raise NotConforming(
            "the Spec is another one once it is written to JSON and read again, so that a "
            f"published model would be another one, too: {_difference(spec, again)}"
        )
    settings = variant.model_dump(mode="json")
    if type(variant).parse(settings) != variant:
        raise NotConforming(f"its settings are other ones once written to JSON: {settings}")


def _difference(one: Spec, other: Spec) -> str:
    """The first part of two Specs that differs."""
    for name in type(one).model_fields:
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours != theirs:
            return f"{name} is {theirs!r} and was {ours!r}"
    return "no part differs, and the text does"


def _dry_run(subject: _Subject) -> None:
    """Every shape fits, in every kind of round and in every task."""
    explain(subject.spec)


def _round(subject: _Subject) -> None:
    """It trains: each kind of round runs, and each loss is a finite number."""
    run = subject.training()
    seen: set[str] = set()
    while run.step < subject.short.steps:
        run.round()
        seen |= set(run.losses())
    wanted = {
        f"{update.name}.{term}"
        for stage in subject.short.stages
        for update in stage.updates
        for term in update.minimize
    }
    if missing := wanted - seen:
        raise NotConforming(f"these losses were never computed: {choices(missing)}")


def _gradients(subject: _Subject) -> None:
    """Gradients reach what is trained and nothing else."""
    run = subject.training()
    apply = run._apply
    reached: set[tuple[str, str]] = set()
    moved: set[tuple[str, str]] = set()
    # as the step before left them: what a forward pass does to weights shall be seen, too
    before = {net: _copies(module.parameters()) for net, module in run.networks.items()}

    def watched(name: str) -> None:
        trained = run._updates[name].train
        reached.update(
            (net, path)
            for net in trained
            for path, weight in run.networks[net].named_parameters()
            if weight.grad is not None
        )
        apply(name)
        for net, module in run.networks.items():
            after = _copies(module.parameters())
            if _equal(before[net], after):
                continue
            before[net] = after
            if net not in trained:
                raise NotConforming(
                    f"the step of update {name!r} trains {' and '.join(trained)}, and changed "
                    f"weights of {net}; does a layer of it write to its own weights?"
                )
            moved.add((name, net))

    run._apply = watched  # type: ignore[method-assign]
    for stage in subject.short.stages:
        for _ in range(stage.steps):
            frozen = {net: _copies(run.networks[net].state_dict().values()) for net in stage.freeze}
            run.round()
            for net, kept in frozen.items():  # batch statistics, too
                if not _equal(kept, _copies(run.networks[net].state_dict().values())):
                    raise NotConforming(f"{net} is frozen in stage {stage.name!r}, and changed")
    for update in (update for stage in subject.short.stages for update in stage.updates):
        for net in update.train:
            weights = [path for path, _ in run.networks[net].named_parameters()]
            if lost := [path for path in weights if (net, path) not in reached]:
                more = f" (and {len(lost) - 1} more of {net})" if len(lost) > 1 else ""
                raise NotConforming(
                    f"no gradient ever reaches networks.{net}.{lost[0]}{more}: no loss depends on "
                    "it, or a detach stands in between"
                )
            if weights and (update.name, net) not in moved:
                raise NotConforming(
                    f"update {update.name!r} trains {net}, and no weight of it moved in {run.step} "
                    "rounds: all its gradients are nothing, or its rate is"
                )


def _copies(values: Any) -> list[Tensor]:
    return [value.detach().clone() for value in values]


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def _tasks(subject: _Subject) -> None:
    """Each task answers, in the shape and the range of its kind."""
    model = subject.model
    for name, task in model.spec.tasks.items():
        answer = _ask(model, name, task)
        for part, value in answer.items():
            _check_answer(f"task {name!r}{part}", task, value, model.spec)
        if not _equal(list(answer.values()), list(_ask(model, name, task).values())):
            raise NotConforming(f"task {name!r} gives something else when asked again, same seed")
        fewer = _ask(model, name, task, ASKED - 1)
        for part, value in answer.items():
            if not torch.allclose(value[: ASKED - 1], fewer[part], rtol=1e-3, atol=1e-4):
                raise NotConforming(
                    f"task {name!r}{part}: what one sample gives depends on the others that are "
                    "asked for with it; does a function or layer mix the batch?"
                )
        if task.quantile is not None:
            model.fit_thresholds(_given(model.spec, task, ROWS)["image"])
            if name not in model.thresholds:
                raise NotConforming(f"task {name!r} declares a quantile, and has no threshold")


def _check_answer(place: str, task: Task, value: Tensor, spec: Spec) -> None:
    """NotConforming unless an answer is what its kind promises."""
    shape = tuple(value.shape)
    if shape[:1] != (ASKED,):
        raise NotConforming(f"{place} gives {shape} for {ASKED} samples; the first is their number")
    if not torch.isfinite(value).all():
        raise NotConforming(f"{place} gives numbers that are not finite")
    pictures = task.kind in ("generate", "reconstruct", "translate")
    if pictures and (len(shape) != 4 or shape[1] not in (1, 3, 4)):
        raise NotConforming(
            f"{place} of kind {task.kind} gives {shape}; pictures are (n, channels, height, "
            "width), with 1, 3 or 4 channels"
        )
    if task.kind == "reconstruct":
        wanted = tuple(_given(spec, task, ASKED)["image"].shape)
        if shape != wanted:
            raise NotConforming(f"{place} makes {shape} of images {wanted}; they should agree")
    if task.kind == "encode" and len(shape) != 2:
        raise NotConforming(f"{place} gives {shape}; codes are (n, d)")


def _ask(model: Model, name: str, task: Task, n: int = ASKED) -> dict[str, Tensor]:
    """What a task answers for `n` samples, by what is asked for."""
    given = _given(model.spec, task, n)
    if task.kind in ("reconstruct", "translate", "score", "classify") and "image" not in given:
        raise NotConforming(
            f"task {name!r} is of kind {task.kind}, which is asked with an image, and its "
            f"expression {task.output!r} reads none"
        )
    match task.kind:
        case "generate":
            return {"": model.generate(n, output="pt", task=name, **given)}
        case "encode":
            return {"": torch.from_numpy(model.encode(task=name, **given))}
        case "classify":
            images = given.pop("image")
            found = model.classify(images, task=name, probabilities=True, **given)
            return {"": torch.from_numpy(found)}
        case "match":
            asked = {"images" if word == "image" else word: value for word, value in given.items()}
            return {"": torch.from_numpy(model.match(task=name, **asked))}
        case "reconstruct":
            return {"": model.reconstruct(given["image"], output="pt", task=name)}
        case "translate":
            return {"": model.translate(given["image"], to=str(task.to), output="pt")}
        case _:
            images = given.pop("image")
            scores = model.score(images, task=name, maps=task.map is not None, **given)
            found = {"": torch.from_numpy(scores.values)}
            return found | ({} if scores.maps is None else {".map": torch.from_numpy(scores.maps)})


def _given(spec: Spec, task: Task, n: int) -> dict[str, Any]:
    """Values for the inputs of a task, by the words that callers use."""
    generator = torch.Generator().manual_seed(1)
    found: dict[str, Any] = {}
    for name in spec.draws_of(task):
        draw = spec.draws[name]
        match draw:
            case Image():
                # rows of one seed, so that the first do not depend on how many there are
                found["image"] = torch.rand(ROWS, *draw.shape, generator=generator)[:n]
            case Label():
                found["label"] = [index % draw.classes for index in range(n)]
            case _ if name in spec.data_draws():
                found[draw.kind] = torch.randn(ROWS, draw.size, generator=generator)[:n]  # type: ignore
            case _:
                pass
    return found


def _resume(subject: _Subject) -> None:
    """A run that is stopped and resumed is bit for bit the run that was not."""
    half = subject.short.steps // 2
    with TemporaryDirectory() as folder:
        middle, end = Path(folder) / "middle", Path(folder) / "end"

        def run(first: int, last: int, path: Path) -> dict[str, Tensor]:
            training = subject.training()
            if first:
                training.load(middle)
            for _ in range(first, last):
                training.round()
            training.save(path)
            return checkpoint.read(path)[0]

        before = run(0, half, middle)
        if name := _first_difference(before, run(0, half, end)):
            raise NotConforming(
                f"two runs of one seed differ after {half} rounds, in {name}: something draws its "
                "chance elsewhere than from torch's generator, or keeps what an earlier run left"
            )
        whole = run(0, subject.short.steps, end)
        resumed = run(half, subject.short.steps, end)
        if name := _first_difference(whole, resumed):
            raise NotConforming(
                f"a run resumed after round {half} ends otherwise than one that was not stopped, "
                f"in {name}: a layer keeps something that is neither weight nor buffer"
            )


def _first_difference(some: dict[str, Tensor], others: dict[str, Tensor]) -> str:
    """The first tensor of two states that differs, such as networks.G.layers.0.weight."""
    if some.keys() != others.keys():
        return min(some.keys() ^ others.keys()).replace("/", ".")
    for name, value in some.items():
        if not torch.equal(value, others[name]):
            return name.replace("/", ".")
    return ""


def _saved(subject: _Subject) -> None:
    """A model that is saved and loaded has its weights to the last bit, and answers as it did."""
    model = subject.model
    with TemporaryDirectory() as folder:
        loaded = store.load(store.save(model, Path(folder) / "model"))
    if loaded.spec != model.spec:
        raise NotConforming(f"the Spec is another one: {_difference(model.spec, loaded.spec)}")
    for name, net in model.networks.items():
        theirs = loaded.networks[name].state_dict()
        for key, value in net.state_dict().items():
            if not torch.equal(value, theirs[key].to(value.dtype)):
                raise NotConforming(
                    f"networks.{name}.{key} is another one in the loaded model: does it need more "
                    "than float32?"
                )
    for name, task in model.spec.tasks.items():
        ours, others = (_ask(one, name, task) for one in (model, loaded))
        for part, value in ours.items():
            # the memory layout of weights is not saved, and sums are rounded in another order
            scale = max(1.0, value.abs().max().item())
            if (value - others[part]).abs().max().item() > ROUNDING * scale:
                raise NotConforming(
                    f"task {name!r}{part} of the loaded model gives something else: does a layer "
                    "keep what is neither weight nor buffer?"
                )


_CHECKS: dict[str, Callable[[_Subject], None]] = {
    "spec": _spec,
    "json": _json,
    "dry_run": _dry_run,
    "round": _round,
    "gradients": _gradients,
    "tasks": _tasks,
    "resume": _resume,
    "saved": _saved,
}

CHECKS: tuple[str, ...] = tuple(_CHECKS)
"""The names of the checks, in their order."""
