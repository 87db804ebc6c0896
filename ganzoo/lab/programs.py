"""The programs of the laboratory: for each loss of ganzoo, the round that the plan writes for it.

A page without a server cannot call the plan when a slider is moved. So each loss is the plan's text
with placeholders for its numbers: the plan writes the round for several values of a number, and the
differences between the texts must be that number times a factor plus an offset (`gamma / 2` is
written 0.5; five updates of D are a loop of four and one more). Any other difference is an error.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.engine.plan import Plan, Round
from ganzoo.errors import GanzooError
from ganzoo.plugins import host
from ganzoo.runs import doctor
from ganzoo.spec.draws import Image, Normal
from ganzoo.spec.layers import Flatten, Layer, LeakyReLU, Linear, ReLU, Reshape, Tanh
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.network import Network
from ganzoo.spec.optimizers import SGD, Adam, Optimizer, RMSprop
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec

FUNCTIONS = frozenset({
    "abs", "bce", "detach", "dot", "exp", "gradient_penalty", "hinge", "l1", "log", "maximum",
    "mean", "minimum", "mse", "norm", "r1", "relu", "sigmoid", "softplus", "sqrt", "square",
    "squared_norm", "tanh",
})  # fmt: skip
"""The functions that `static/functions.js` implements."""
ACTIVATIONS: dict[str, type[Layer]] = {"leaky_relu": LeakyReLU, "relu": ReLU, "tanh": Tanh}
PENALTIES: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "none": ({}, {}),
    "gp": ({"penalty": "penalty * gradient_penalty(D, x, fake)"}, {"penalty": 1.0}),
    "r1r2": ({"r1": "gamma / 2 * r1(D, x)", "r2": "gamma / 2 * r1(D, fake)"}, {"gamma": 1.0}),
}
"""Terms that can be added to the discriminator's, with the names of ganzoo's own losses."""
POINT = (2, 1, 1)
"""A point in a Spec: an image of one pixel and two channels, since G generates images."""
REPEATS = ("1", "2", "more")
"""One update of the discriminator per round, two, or more; the plan writes these differently."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of the networks in two dimensions; the page has the same settings."""

    width: int = 32
    depth: int = 2
    latent: int = 2
    activation: str = "leaky_relu"
    batch: int = 128


def game(loss: Loss, sizes: Sizes | None = None) -> Spec:
    """The Spec of a GAN in two dimensions with this loss.

    Raises:
        SpecError: the loss does not apply to one generator and one discriminator of points.
    """
    sizes = sizes or Sizes()
    hidden: list[Layer] = []
    for _ in range(sizes.depth):
        hidden += [Linear(sizes.width), ACTIVATIONS[sizes.activation]()]
    plain = Spec(
        title="Laboratory",
        draws={"x": Image(POINT), "z": Normal(sizes.latent)},
        networks={
            "G": Network({"z": ()}, (*hidden, Linear(2), Reshape(POINT))),
            "D": Network({"x": ()}, (Flatten(), *hidden, Linear(1))),
        },
        let={"fake": "G(z)"},
        round=[
            Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}, Adam(1e-3)),
            Update("G", {"fool": "bce(D(fake), 1)"}, Adam(1e-3)),
        ],
        steps=1000,
        tasks={"generate": "G(z)"},
        batch=sizes.batch,
    )
    return loss.apply(plain)


def program() -> dict[str, Any]:
    """The data of the page as JSON: the losses, with their rounds and numbers."""
    losses: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for name, loss in host.default().losses.items():
        try:
            losses.append(_described(loss))
        except GanzooError as error:
            left_out[name] = str(error)
        except _CannotError as error:
            left_out[name] = f"it needs {error}, which the laboratory does not have"
    limits = {"separated": doctor.SEPARATED, "chance": doctor.CHANCE}
    return {
        "losses": losses, "left_out": left_out, "functions": sorted(FUNCTIONS), "doctor": limits,
    }  # fmt: skip


class _CannotError(Exception):
    """A loss needs something that the laboratory does not have."""


def with_penalty(loss: Loss, penalty: str) -> Loss | None:
    """A loss with an additional penalty; None if it has that one already."""
    terms, numbers = PENALTIES[penalty]
    if set(terms) & set(loss.discriminator) or set(numbers) & set(loss.numbers):
        return None
    return loss.replace(
        discriminator={**loss.discriminator, **terms}, numbers={**loss.numbers, **numbers}
    )


def _described(loss: Loss) -> dict[str, Any]:
    with_: dict[str, Any] = {}
    for penalty in PENALTIES:
        made = with_penalty(loss, penalty)
        if made is not None:
            with_[penalty] = {
                "numbers": dict(made.numbers),
                "terms": {
                    "D": dict(made.discriminator),
                    "G": dict(made.generator),
                },
                "rounds": {repeat: _template(made, repeat) for repeat in REPEATS},
            }
    spec = game(loss)
    [stage] = spec.stages
    return {
        "name": loss.name,
        "summary": loss.summary,
        "source": loss.source,
        "repeat": loss.repeat,
        "clip": loss.clip_weights or 0,
        "optimizers": {update.train[0]: _optimizer(update.optimizer) for update in stage.updates},
        "with": with_,
    }


def _optimizer(optimizer: Optimizer) -> dict[str, Any]:
    """An expression as JSON, if the page supports it."""
    known = isinstance(optimizer, Adam | RMSprop | SGD)
    facts = optimizer.model_dump(mode="json", exclude_none=True)
    if not known or any(isinstance(fact, str) for key, fact in facts.items() if key != "kind"):
        raise _CannotError(f"optimizer {optimizer.kind}")
    return facts


def text_of(loss: Loss) -> str:
    """The round that the plan writes for a loss."""
    spec = game(loss)
    round = Plan(spec).round(0, 0)
    _check(spec, round)
    return round.code


def _check(spec: Spec, round: Round) -> None:
    unknown = sorted(round.called - FUNCTIONS)
    if unknown:
        raise _CannotError(f"{', '.join(unknown)}()")
    if spec.state or round.scheduled or round.averages:
        raise _CannotError("state, or scheduled numbers")
    if len(spec.networks) != 2 or Plan(spec).period(0) != 1:
        raise _CannotError("more than one generator and one discriminator, at each round")


def _template(loss: Loss, repeat: str) -> str:
    """The plan's text with `{number * factor + offset}` in place of a number of the loss."""
    tried: dict[str, Sequence[float]] = dict.fromkeys(loss.numbers, (2.0, 3.0, 7.0))
    if repeat == "more":
        tried["repeat"] = (4, 5, 11)
    # different primes for each, so that numbers cannot be confused
    first = {name: values[0] for name, values in tried.items()}
    first |= {"repeat": first.get("repeat", 4 if repeat == "more" else int(repeat))}
    plain = _tokens(text_of(loss.with_settings(first)))
    places: dict[int, str] = {}
    for name, values in tried.items():
        texts = [
            plain
            if value == first[name]
            else _tokens(text_of(loss.with_settings({**first, name: value})))
            for value in values
        ]
        for index, found in _differing(name, texts):
            if index in places:
                raise GanzooError(f"loss {loss.name!r}: {name!r} and another number stand in one")
            places[index] = _place(name, values, found)
    return _joined(plain, places)


def _differing(name: str, texts: Sequence[list[str]]) -> list[tuple[int, list[float]]]:
    if len({len(text) for text in texts}) != 1:
        raise GanzooError(f"another {name!r} changes more of the round than a number")
    found: list[tuple[int, list[float]]] = []
    for index, tokens in enumerate(zip(*texts, strict=True)):
        if len(set(tokens)) > 1:
            if not all(re.fullmatch(r"[\d.e+-]+", token) for token in tokens):
                raise GanzooError(f"another {name!r} changes {tokens[0]!r} into {tokens[1]!r}")
            found.append((index, [float(token) for token in tokens]))
    return found


def _place(name: str, values: Sequence[float], found: Sequence[float]) -> str:
    factor = (found[1] - found[0]) / (values[1] - values[0])
    offset = found[0] - factor * values[0]
    if abs(factor * values[2] + offset - found[2]) > 1e-9 * abs(found[2]):
        raise GanzooError(f"{name!r} enters the round as {found}, which is no multiple of it")
    return f"{{{name}*{factor:.12g}{offset:+.12g}}}"


def _tokens(code: str) -> list[str]:
    """The text split into tokens, each number a separate one; joined they give the text."""
    pieces: list[str] = []
    lines, row, column = code.splitlines(True), 1, 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.NUMBER:
            pieces += [_between(lines, (row, column), token.start), token.string]
            row, column = token.end
    pieces.append(_between(lines, (row, column), (len(lines) + 1, 0)))
    return pieces


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (row, column), (last, stop) = start, end
    if row == last:
        return lines[row - 1][column:stop]
    middle = lines[row : last - 1]
    return "".join(
        [lines[row - 1][column:], *middle, lines[last - 1][:stop] if last <= len(lines) else ""]
    )


def _joined(pieces: Sequence[str], places: Mapping[int, str]) -> str:
    return "".join(places.get(index, piece) for index, piece in enumerate(pieces))
