"""Applies a loss to a Spec: terms, regularizers, optimizers and layers are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ganzoo.errors import SpecError
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.frozen import FrozenDict, fields_of
from ganzoo.spec.layers import BatchNorm, Layer, LayerNorm
from ganzoo.spec.losses.roles import Roles
from ganzoo.spec.network import Network
from ganzoo.spec.optimizers import SGD, Adam, Optimizer, RMSprop
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec

if TYPE_CHECKING:
    from ganzoo.spec.losses.loss import Loss

DISCRIMINATOR, REAL, FAKE = WORDS = ("D", "x", "fake")
"""The names in loss terms: the discriminator, an image of the data, and a generated one."""

OPTIMIZERS: dict[str, type[Adam | RMSprop | SGD]] = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}

INSTEAD = {"batch_norm": "layer norm", "minibatch_std": "nothing"}
"""Replacements of layers that mix samples, where a penalty refuses them.

Layer norm is the drop-in replacement that the authors of WGAN-GP recommend (arXiv:1704.00028).
"""


class Applied(NamedTuple):
    """A Spec with another loss, and a description of each change."""

    spec: Spec
    changes: tuple[str, ...]


def exchange(spec: Spec, loss: Loss) -> Applied:
    """`spec` with `loss` instead of its own.

    Raises:
        SpecError: there is not exactly one generator and one discriminator, or this loss cannot be
            applied to them.
    """
    return _Exchange(spec, loss).carry_out()


class _Exchange:
    def __init__(self, spec: Spec, loss: Loss) -> None:
        self.spec, self.loss, self.roles = spec, loss, Roles.of(spec)
        self.changes: list[str] = []

    def carry_out(self) -> Applied:
        spec, loss, discriminator = self.spec, self.loss, self.roles.discriminator
        [stage] = spec.stages
        updates = [self._update(update) for update in stage.updates]
        network = self._network(spec.networks[discriminator])
        fields = {
            "title": f"{_own(spec.title)} with {loss.name} loss" if spec.title else "",
            "source": "; ".join(dict.fromkeys(filter(None, (spec.source, loss.source)))),
            "networks": FrozenDict({**spec.networks, discriminator: network}),
            "stages": (stage.replace(round=tuple(updates)),),
        }
        # unused draws and lets are removed before it is validated
        draft = Spec.model_construct(**{**fields_of(spec), **fields})  # type: ignore[reportArgumentType]
        try:
            made = Spec.from_dict(self._without_unused(draft))
        except SpecError as error:
            raise SpecError(
                [(path, f"{text} (with loss {loss.name!r})") for path, text in error.problems]
            ) from None
        return Applied(made, tuple(self.changes))

    # ---------------------------------------------------------------------------- updates

    def _update(self, update: Update) -> Update:
        [player] = update.train
        of_discriminator = player == self.roles.discriminator
        minimize = self._terms(update, of_discriminator)
        repeat = self.loss.repeat if of_discriminator else update.repeat
        if repeat != update.repeat:
            self.changes.append(f"{player} is updated {repeat}x a round (before: {update.repeat}x)")
        clip = self.loss.clip_weights if of_discriminator else update.clip_weights
        if clip != update.clip_weights:
            now, before = (
                f"clipped to {limit:g}" if limit else "not clipped"
                for limit in (clip, update.clip_weights)
            )
            self.changes.append(f"weights of {player} are {now} (before: {before})")
        return update.replace(
            minimize=minimize,
            optimizer=self._optimizer(update.optimizer, player),
            repeat=repeat,
            clip_weights=clip,
            distance=self.loss.distance if of_discriminator else None,
        )

    def _terms(self, update: Update, of_discriminator: bool) -> dict[str, str]:
        [player] = update.train
        terms = self.loss.discriminator if of_discriminator else self.loss.generator
        minimize = {name: str(self._written(text)) for name, text in terms.items()}
        kept = {} if of_discriminator else self._apart(update)
        for name in kept:
            if name in minimize:
                raise SpecError(
                    f"the name of term {name!r} of {player} is needed by loss {self.loss.name!r}; "
                    "rename it"
                )
        minimize |= kept
        if minimize != update.minimize:
            gone, here = (
                ", ".join(f"{name}: {text}" for name, text in terms.items() if name not in kept)
                for terms in (update.minimize, minimize)
            )
            stays = f"; it still minimizes {', '.join(kept)}" if kept else ""
            self.changes.append(f"{player} minimizes {here} (before: {gone}){stays}")
        return minimize

    def _apart(self, update: Update) -> dict[str, str]:
        """The generator's terms that do not call the discriminator; a loss keeps them."""
        kept: dict[str, str] = {}
        for name, text in update.minimize.items():
            parts = [*_addends(ex.parse(text))]
            asks = [self.roles.discriminator in self.spec.names_in(str(part)) for part in parts]
            if not any(asks):
                kept[name] = text
            elif not all(asks):
                raise SpecError(
                    f"term {name!r} of {self.roles.generator} adds {parts[asks.index(False)]} to "
                    f"the output of {self.roles.discriminator}, and a loss would replace both; "
                    "write it as a separate term"
                )
        return kept

    def _optimizer(self, old: Optimizer, player: str) -> Optimizer:
        if self.loss.optimizer is None:
            return old
        kind = OPTIMIZERS[self.loss.optimizer]
        known = set(type(old).model_fields) - {"kind"}
        facts: dict[str, Any] = {
            key: getattr(old, key) for key in kind.model_fields if key in known
        }
        if self.loss.betas:
            facts["betas"] = self.loss.betas
        new = kind(**facts)
        if new != old:
            rate = f"{new.lr:g}" if isinstance(new.lr, float) else new.lr
            self.changes.append(
                f"{player} learns by {_said(new, old)} (before: {_said(old, new)}); "
                f"its rate of {rate} stays"
            )
        return new

    # ------------------------------------------------------------------------------ terms

    def _written(self, text: str) -> ex.Expression:
        """A term of the loss, written with the names of the Spec."""
        roles = self.roles
        images = {REAL: roles.real, FAKE: roles.fake}

        def write(node: ex.Expression) -> ex.Expression:
            match node:
                case ex.Name(name) if name in self.loss.numbers:
                    value = self.loss.numbers[name]
                    return ex.Number(value) if value >= 0 else ex.Negative(ex.Number(-value))
                case ex.Name(name) if name in images:
                    return images[name].arguments[roles.place]
                case ex.Name(name) if name == DISCRIMINATOR:
                    return ex.Name(roles.discriminator)
                case ex.Negative(operand):
                    return ex.Negative(write(operand))
                case ex.Binary(operator, left, right):
                    return _folded(ex.Binary(operator, write(left), write(right)))
                case ex.Several(items):
                    return ex.Several(tuple(map(write, items)))
                case ex.Call(name, (image,)) if name == DISCRIMINATOR:
                    parts = [*self._conditions(node)]
                    parts.insert(roles.place, write(image))
                    return ex.Call(roles.discriminator, tuple(parts))
                case ex.Call(name, arguments):
                    return ex.Call(name, (*map(write, arguments), *self._given(node)))
                case _:
                    return node

        return write(ex.parse(text))

    def _given(self, node: ex.Call) -> tuple[ex.Expression, ...]:
        """The conditions, as further arguments of a function that takes the discriminator."""
        conditions = self._conditions(node) if ex.Name(DISCRIMINATOR) in node.arguments else ()
        if not conditions:
            return ()
        function = vocabulary.function(node.name)
        if function is None or function.parameters[len(node.arguments) :] != ("given",):
            raise SpecError(
                f"loss {self.loss.name!r}: {node} asks a discriminator that is shown a condition, "
                f"{self.roles.real}, and {node.name} takes none (as a last parameter `given`)"
            )
        if self.roles.place:
            raise SpecError(
                f"loss {self.loss.name!r}: {node} needs a discriminator whose first input is the "
                f"image, and in {self.roles.real} it stands after a condition"
            )
        return conditions if len(conditions) == 1 else (ex.Several(conditions),)

    def _conditions(self, node: ex.Call) -> tuple[ex.Expression, ...]:
        """The arguments of a call besides the images."""
        said = {part.name for part in ex.walk(node) if isinstance(part, ex.Name)}
        real, fake = self.roles.conditions
        if {REAL, FAKE} <= said and real != fake:
            raise SpecError(
                f"loss {self.loss.name!r}: {node} needs the same condition for data and fakes, and "
                f"they have others: {self.roles.real}, {self.roles.fake}"
            )
        return fake if FAKE in said else real

    # ----------------------------------------------------------------------------- layers

    def _network(self, network: Network) -> Network:
        """The discriminator without the layers that a function of this loss refuses."""
        refused: dict[str, str] = {}
        for text in self.loss.discriminator.values():
            for node in ex.walk(ex.parse(text)):
                if not isinstance(node, ex.Call):
                    continue
                if node.name == ex.GRADIENT and f"{DISCRIMINATOR}(" in str(node):
                    refused["batch_norm"] = ex.GRADIENT
                if ex.Name(DISCRIMINATOR) in node.arguments:
                    function = vocabulary.function(node.name)
                    refused |= dict.fromkeys(function.refuses if function else (), node.name)
        # kinds without a replacement stay, and the Spec refuses them with the reason
        for kind in filter(refused.__contains__, INSTEAD):
            if paths := [path for path, layer in network.walk() if layer.kind == kind]:
                self.changes.append(
                    f"{self.roles.discriminator} has {INSTEAD[kind]} in place of "
                    f"{kind.replace('_', ' ')} ({', '.join(paths)}), since {refused[kind]} needs "
                    "samples that do not mix"
                )
        inputs = {name: _unmixed(branch, refused) for name, branch in network.inputs.items()}
        return network.replace(inputs=inputs, layers=_unmixed(network.layers, refused))

    # ------------------------------------------------------------------------- what is left

    def _without_unused(self, draft: Spec) -> dict[str, Any]:
        """The data of a Spec, without draws and lets that only the old loss used."""
        used = {
            name
            for path, text in draft.expressions()
            if not path.startswith("let.")
            for name in draft.names_in(text)
        }
        data = draft.to_dict()
        for room in ("draws", "let"):
            if unused := [name for name in data[room] if name not in used]:
                self.changes.append(f"nothing needs {', '.join(unused)} any more ({room})")
            data[room] = {name: value for name, value in data[room].items() if name in used}
        return data


def _own(title: str) -> str:
    """A title without the name of a loss that was applied before."""
    return re.sub(r" with [a-z][a-z0-9_-]* loss$", "", title)


def _unmixed(layers: Sequence[Layer], refused: Mapping[str, str]) -> tuple[Layer, ...]:
    found: list[Layer] = []
    for layer in layers:
        match layer:
            case BatchNorm(eps=eps) if layer.kind in refused:
                found.append(LayerNorm(eps))
            case _ if layer.kind in refused and INSTEAD.get(layer.kind) == "nothing":
                pass
            case _:
                inner = {key: _unmixed(getattr(layer, key), refused) for key in layer.rows}
                found.append(layer.replace(**inner) if inner else layer)
    return tuple(found)


def _addends(node: ex.Expression) -> Iterator[ex.Expression]:
    """The summands of a term, without their coefficients."""
    match node:
        case ex.Binary("+" | "-", left, right):
            yield from _addends(left)
            yield from _addends(right)
        case ex.Binary("*", ex.Number(), inner) | ex.Binary("*" | "/", inner, ex.Number()):
            yield from _addends(inner)
        case ex.Negative(operand):
            yield from _addends(operand)
        case _:
            yield node


def _folded(node: ex.Binary) -> ex.Expression:
    """A product or quotient of two numbers as one number: 1 / 2 becomes 0.5."""
    match node:
        case ex.Binary("*", ex.Number(a), ex.Number(b)):
            return ex.Number(a * b)
        case ex.Binary("/", ex.Number(a), ex.Number(b)) if b:
            return ex.Number(a / b)
        case _:
            return node


def _said(optimizer: Optimizer, other: Optimizer) -> str:
    """A description of an optimizer: its kind, and its differences from the other one."""
    theirs = other.model_dump()
    facts = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in optimizer.model_dump(exclude={"kind"}).items()
        if theirs.get(key, 0.0) != value
    ]
    return f"{optimizer.kind} with {', '.join(facts)}" if facts else optimizer.kind
