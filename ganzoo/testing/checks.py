"""The checks of a variant, in their order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.engine import checkpoint
from ganzoo.engine.draws import Draws
from ganzoo.engine.explain import explain
from ganzoo.errors import UnknownNameError, choices, nearest
from ganzoo.models import store
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Variant
from ganzoo.testing.answers import ASKED, ask, check_answer, given_for
from ganzoo.testing.subject import BATCH, CPU, ROWS, NotConforming, Subject

ROUNDING = 1e-4
"""The allowed difference between the outputs of a model and its copy, relative to the largest."""


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
        variant: its name, if its plugin is installed, or its class.
        check: one of `CHECKS`; by default all of them, with all failures in one report.
        data: the training data, of which the first samples are used; by default `noise()`.
        settings: hyper-parameters of the variant that make it small and the checks fast.

    Raises:
        NotConforming: a check fails; the message says what is wrong. Errors that ganzoo raises
            without these checks are passed on: SpecError, ShapeError, NonFiniteError, ...
    """
    if check is not None and check not in _CHECKS:
        raise UnknownNameError(
            f"no check {check!r}{nearest(check, CHECKS)} there is: {choices(CHECKS)}"
        )
    subject = Subject.of(variant, data, settings)
    if check is not None:
        _CHECKS[check](subject)
        return
    failed = [(name, problem) for name, problem in results(subject) if problem]
    if failed:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in failed)
        raise NotConforming(f"{subject.name} fails {len(failed)} of {len(CHECKS)} checks:{lines}")


def results(subject: Subject, checks: Iterable[str] | None = None) -> Iterator[tuple[str, str]]:
    """Run checks, by default all; yields each with its failure, or None if it passed."""
    for name in CHECKS if checks is None else checks:
        try:
            _CHECKS[name](subject)
        # a plugin may raise anything, and the remaining checks must run, too
        except Exception as error:
            yield name, text_of(error)
        else:
            yield name, ""


def text_of(error: Exception) -> str:
    """An error as text, with its type unless it is an error of ganzoo."""
    text = str(error) or "no message"
    ours = isinstance(error, NotConforming) or type(error).__module__ == "ganzoo.errors"
    return text if ours else f"{type(error).__name__}: {text}"


def meaning(check: str) -> str:
    """The requirement that a check tests, as a sentence."""
    return (inspect.getdoc(_CHECKS[check]) or "").split("\n")[0]


def _spec(subject: Subject) -> None:
    """Its Spec is valid, reproducible, and fits the data."""
    variant = type(subject.variant)
    if not (vars(variant).get("__doc__") or "").strip():
        raise NotConforming(
            f"{variant.__name__} has no docstring, and `ganzoo variants` shows its first line"
        )
    spec = subject.spec
    if subject.variant.spec(subject.data.fields) != spec:
        raise NotConforming("spec(data) gives another Spec the second time; it must be a function")
    if not spec.title:
        raise NotConforming('the Spec has no title, its display name: Spec(title="...")')
    if not spec.tasks:
        raise NotConforming(
            "the Spec has no task, so a trained model could do nothing; add one, such as "
            'tasks={"generate": "G(z)"}'
        )
    Draws(spec, subject.data, batch=BATCH, seed=0, device=CPU)


def _json(subject: Subject) -> None:
    """Spec and settings are unchanged after a round trip through JSON."""
    spec, variant = subject.spec, subject.variant
    text = spec.to_json()
    again = Spec.from_json(text)
    if again != spec or again.to_json() != text:
        raise NotConforming(
            "the Spec differs after it is written to JSON and read again, so a published model "
            f"would differ, too: {_difference(spec, again)}"
        )
    settings = variant.model_dump(mode="json")
    if type(variant).parse(settings) != variant:
        raise NotConforming(f"its settings differ after they are written to JSON: {settings}")


def _difference(one: Spec, other: Spec) -> str:
    """The first part of two Specs that differs."""
    for name in type(one).model_fields:
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours != theirs:
            return f"{name} is {theirs!r} and was {ours!r}"
    return "no part differs, but the text does"


def _dry_run(subject: Subject) -> None:
    """All shapes match, in every kind of round and in every task."""
    explain(subject.spec)


def _round(subject: Subject) -> None:
    """Every kind of round runs, and every loss is finite."""
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


def _gradients(subject: Subject) -> None:
    """Gradients reach the trained networks and no others."""
    run = subject.training()
    apply = run._apply
    reached: set[tuple[str, str]] = set()
    moved: set[tuple[str, str]] = set()
    # as the step before left them, so that changes by a forward pass are seen, too
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
                    f"weights of {net}; does one of its layers write to its own weights?"
                )
            moved.add((name, net))

    run._apply = watched  # type: ignore[method-assign]
    for stage in subject.short.stages:
        for _ in range(stage.steps):
            frozen = {net: _copies(run.networks[net].state_dict().values()) for net in stage.freeze}
            run.round()
            for net, kept in frozen.items():  # batch statistics, too
                if not _equal(kept, _copies(run.networks[net].state_dict().values())):
                    raise NotConforming(f"{net} is frozen in stage {stage.name!r}, but changed")
    for update in (update for stage in subject.short.stages for update in stage.updates):
        for net in update.train:
            weights = [path for path, _ in run.networks[net].named_parameters()]
            if lost := [path for path in weights if (net, path) not in reached]:
                more = f" (and {len(lost) - 1} more of {net})" if len(lost) > 1 else ""
                raise NotConforming(
                    f"no gradient ever reaches networks.{net}.{lost[0]}{more}: no loss depends on "
                    "it, or there is a detach in between"
                )
            if weights and (update.name, net) not in moved:
                raise NotConforming(
                    f"update {update.name!r} trains {net}, but none of its weights changed in "
                    f"{run.step} rounds: all its gradients are zero, or its learning rate is"
                )


def _copies(values: Any) -> list[Tensor]:
    return [value.detach().clone() for value in values]


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def _tasks(subject: Subject) -> None:
    """Every task gives outputs in the shape and range of its kind."""
    model = subject.model
    for name, task in model.spec.tasks.items():
        answer = ask(model, name, task)
        for part, value in answer.items():
            check_answer(f"task {name!r}{part}", task, value, model.spec)
        if not _equal(list(answer.values()), list(ask(model, name, task).values())):
            raise NotConforming(f"task {name!r} gives another output for the same seed")
        fewer = ask(model, name, task, ASKED - 1)
        for part, value in answer.items():
            if not torch.allclose(value[: ASKED - 1], fewer[part], rtol=1e-3, atol=1e-4):
                raise NotConforming(
                    f"task {name!r}{part}: the output for a sample depends on the other samples of "
                    "the batch; does a function or layer mix the batch?"
                )
        if task.quantile is not None:
            model.fit_thresholds(given_for(model.spec, task, ROWS)["image"])
            if name not in model.thresholds:
                raise NotConforming(f"task {name!r} declares a quantile, but has no threshold")


def _resume(subject: Subject) -> None:
    """A run that is stopped and resumed is identical, bit for bit, to an uninterrupted one."""
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
                f"two runs of the same seed differ after {half} rounds, in {name}: something uses "
                "a random generator other than torch's, or keeps state of an earlier run"
            )
        whole = run(0, subject.short.steps, end)
        resumed = run(half, subject.short.steps, end)
        if name := _first_difference(whole, resumed):
            raise NotConforming(
                f"a run resumed after round {half} differs from an uninterrupted one, in {name}: a "
                "layer keeps state that is neither a parameter nor a buffer"
            )


def _first_difference(some: dict[str, Tensor], others: dict[str, Tensor]) -> str:
    """The first tensor of two states that differs, such as networks.G.layers.0.weight."""
    if some.keys() != others.keys():
        return min(some.keys() ^ others.keys()).replace("/", ".")
    for name, value in some.items():
        if not torch.equal(value, others[name]):
            return name.replace("/", ".")
    return ""


def _saved(subject: Subject) -> None:
    """A saved and loaded model has identical weights and gives the same outputs."""
    model = subject.model
    with TemporaryDirectory() as folder:
        loaded = store.load(store.save(model, Path(folder) / "model"))
    if loaded.spec != model.spec:
        raise NotConforming(f"the Spec differs: {_difference(model.spec, loaded.spec)}")
    for name, net in model.networks.items():
        theirs = loaded.networks[name].state_dict()
        for key, value in net.state_dict().items():
            if not torch.equal(value, theirs[key].to(value.dtype)):
                raise NotConforming(
                    f"networks.{name}.{key} differs in the loaded model: does it need more than "
                    "float32?"
                )
    for name, task in model.spec.tasks.items():
        ours, others = (ask(one, name, task) for one in (model, loaded))
        for part, value in ours.items():
            # memory formats of weights are not saved, and sums are then rounded in another order
            scale = max(1.0, value.abs().max().item())
            if (value - others[part]).abs().max().item() > ROUNDING * scale:
                raise NotConforming(
                    f"task {name!r}{part} of the loaded model gives another output: does a layer "
                    "keep state that is neither a parameter nor a buffer?"
                )


_CHECKS: dict[str, Callable[[Subject], None]] = {
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
UNTRAINED = ("spec", "json", "dry_run")
"""The checks that train nothing."""
