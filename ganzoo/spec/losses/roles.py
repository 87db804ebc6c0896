"""Roles in a Spec: the generator, the discriminator, and what the discriminator gets.

A loss that replaces another one needs them. A Spec does not declare them; they are inferred from
its updates and expressions, if there is one generator and one discriminator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from ganzoo.errors import SpecError
from ganzoo.spec import expression as ex
from ganzoo.spec.schedule import Together, Update
from ganzoo.spec.spec import Spec


@dataclass(frozen=True)
class Roles:
    """One generator against one discriminator.

    `real` and `fake` are the discriminator's calls, as written in the Spec; `place` is the index of
    the image among their arguments (the others are conditions, such as a label).
    """

    generator: str
    discriminator: str
    real: ex.Call
    fake: ex.Call
    place: int

    @classmethod
    def of(cls, spec: Spec) -> Roles:
        """Infer the roles in a Spec.

        Raises:
            SpecError: they cannot be inferred; the message gives the reason.
        """
        if len(spec.stages) != 1:
            names = ", ".join(stage.name for stage in spec.stages)
            _refuse(spec, f"has {len(spec.stages)} stages ({names}), each with losses of its own")
        if len(spec.networks) != 2:
            names = ", ".join(spec.networks)
            _refuse(spec, f"trains {len(spec.networks)} networks ({names})")
        stage = spec.stages[0]
        if any(isinstance(item, Together) for item in stage.round):
            _refuse(spec, "steps its networks together, from the same forward passes")
        updates = stage.updates
        if any(len(update.train) > 1 for update in updates) or len(updates) != 2:
            learning = "; ".join(", ".join(update.train) for update in updates)
            _refuse(spec, f"does not give each of its networks one update ({learning})")
        by_network = {update.train[0]: update for update in updates}
        one, other = spec.networks
        pairs = [
            (discriminator, generator)
            for discriminator, generator in ((one, other), (other, one))
            if any(
                _depends(spec, call, generator)
                for call in _calls(spec, by_network[generator], discriminator)
            )
        ]
        if len(pairs) != 1:
            _refuse(spec, f"has no network that scores what the other generates ({one}, {other})")
        [(discriminator, generator)] = pairs
        return cls._read(
            spec, discriminator, generator, by_network[discriminator], by_network[generator]
        )

    @classmethod
    def _read(
        cls,
        spec: Spec,
        discriminator: str,
        generator: str,
        discriminator_update: Update,
        generator_update: Update,
    ) -> Roles:
        same = _Same(spec)
        shown = [
            *_calls(spec, discriminator_update, discriminator),
            *_calls(spec, generator_update, discriminator),
        ]
        for call in shown:
            if call.output:
                _refuse(
                    spec, f"reads {call}, a layer inside {discriminator}, and not its output alone"
                )
        fakes = same.distinct(call for call in shown if _depends(spec, call, generator))
        reals = same.distinct(call for call in shown if not _depends(spec, call, generator))
        for calls, word in ((reals, "the data"), (fakes, "what is made")):
            if len(calls) != 1:
                listed = ", ".join(map(str, calls)) or "none"
                _refuse(spec, f"shows {discriminator} {word} in {len(calls)} ways ({listed})")
        [real], [fake] = reals, fakes
        places = [
            index
            for index, argument in enumerate(fake.arguments)
            if _depends(spec, argument, generator)
        ]
        if len(places) != 1:
            _refuse(
                spec,
                f"passes {len(places)} outputs of {generator} to {discriminator} at once ({fake})",
            )
        return cls(generator, discriminator, real, fake, places[0])

    @property
    def conditions(self) -> tuple[tuple[ex.Expression, ...], tuple[ex.Expression, ...]]:
        """The arguments besides an image of the data, and besides a generated one."""
        first, second = (
            tuple(part for index, part in enumerate(call.arguments) if index != self.place)
            for call in (self.real, self.fake)
        )
        return first, second


def _refuse(spec: Spec, why: str) -> NoReturn:
    raise SpecError(
        f"another loss needs one generator and one discriminator, and {spec.title or 'this Spec'} "
        f"{why}; its losses can be changed in its Spec (ganzoo show NAME --json) or in a plugin"
    )


def _depends(spec: Spec, node: ex.Expression, network: str) -> bool:
    return network in spec.names_in(str(node))


def _calls(spec: Spec, update: Update, network: str) -> Iterator[ex.Call]:
    """The calls of a network in the terms of an update, including those in lets."""
    seen: set[str] = set()
    pending = list(update.minimize.values())
    while pending:
        for node in ex.walk(ex.parse(pending.pop(0))):
            if isinstance(node, ex.Call) and node.name == network:
                yield node
            if isinstance(node, ex.Name) and node.name in spec.let and node.name not in seen:
                seen.add(node.name)
                pending.append(spec.let[node.name])


class _Same:
    """Tests whether expressions are equal with their lets expanded.

    Equal expressions get equal numbers. The number of a let is computed once, so that lets which
    use each other twice do not double the work.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._numbers: dict[tuple[object, ...], int] = {}
        self._lets: dict[str, int] = {}

    def distinct(self, calls: Iterator[ex.Call]) -> list[ex.Call]:
        found: dict[int, ex.Call] = {}
        for call in calls:
            found.setdefault(self.number(call), call)
        return [*found.values()]

    def number(self, node: ex.Expression) -> int:
        match node:
            case ex.Name(name) if name in self._spec.let:
                if name not in self._lets:
                    self._lets[name] = self.number(ex.parse(self._spec.let[name]))
                return self._lets[name]
            case ex.Negative(operand):
                key: tuple[object, ...] = ("-", self.number(operand))
            case ex.Binary(operator, left, right):
                key = (operator, self.number(left), self.number(right))
            case ex.Call(name, arguments, output):
                key = ("call", name, output, *map(self.number, arguments))
            case ex.Several(items):
                key = ("several", *map(self.number, items))
            case _:
                key = (node,)
        return self._numbers.setdefault(key, len(self._numbers))
