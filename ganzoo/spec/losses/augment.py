"""Adds augmentations to a Spec: the images that its discriminators get are augmented.

Real images and fakes are augmented in the same way, in the updates of both networks, and gradients
flow through the augmentation into the generator (arXiv:2006.10738, arXiv:2006.06676).
`Augmentation.apply(spec)` returns an ordinary Spec, as a loss does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, NoReturn, Self

from pydantic import Field

from ganzoo.errors import SpecError, UnknownNameError, choices, nearest
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import Image
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.schedule import Together, Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import Running, State

Chance = Annotated[float, Field(ge=0, le=1)]


class Augmented(NamedTuple):
    """A Spec with augmentations, and a description of each change."""

    spec: Spec
    changes: tuple[str, ...]


class Augmentation(Frozen):
    """The augmentation of images before a discriminator gets them.

    Args:
        name: `diffaugment`, or `ada`, which applies each of its steps with a probability.
        p: for ada: a fixed probability, instead of one that adapts to the discriminator.
        target: for ada: the mean sign of the outputs for real images that the adaptive probability
            aims at.
        images: for ada: the number of images over which the probability can rise from 0 to 1.
    """

    name: str
    p: Chance | None = None
    target: Annotated[float, Field(gt=-1, lt=1)] = 0.6
    images: Annotated[float, Field(ge=1)] = 500_000.0

    @property
    def source(self) -> str:
        return AUGMENTATIONS[self.name]

    @property
    def settings(self) -> dict[str, float]:
        """Its settings with their values."""
        if self.name != "ada":
            return {}
        if self.p is not None:
            return {"p": self.p}
        return {"target": self.target, "images": self.images}

    @classmethod
    def named(cls, text: str) -> Self:
        """Parse the value of `--augment`: `diffaugment`, `ada,p=0.3`, `ada,target=0.5,images=1e5`.

        Raises:
            UnknownNameError: there is no such augmentation. SpecError: a setting is invalid.
        """
        name, *settings = text.split(",")
        if name not in AUGMENTATIONS:
            raise UnknownNameError(
                f"no augmentation {name!r}{nearest(name, AUGMENTATIONS)} "
                f"there is: {choices(AUGMENTATIONS)}"
            )
        given: dict[str, Any] = {}
        allowed = ("p", "target", "images") if name == "ada" else ()
        for setting in settings:
            key, equals, value = setting.partition("=")
            if not equals:
                raise SpecError(f"--augment {text}: write name=value after the comma: ada,p=0.2")
            if key.strip() not in allowed:
                known = f"allowed: {choices(allowed)}" if allowed else "it has no settings"
                raise SpecError(
                    f"augmentation {name!r} has no {key.strip()!r}"
                    f"{nearest(key.strip(), allowed) if allowed else ';'} {known}"
                )
            given[key.strip()] = value
        return cls(name=name, **given)

    def apply(self, spec: Spec) -> Spec:
        """`spec` with discriminators that get augmented images: an ordinary Spec.

        Tasks do not change.

        Raises:
            SpecError: no discriminator gets images, or the probability cannot adapt to its outputs.
        """
        return self.applied(spec).spec

    def applied(self, spec: Spec) -> Augmented:
        """The result of `apply`, with a description of each change."""
        return _Augmenting(spec, self).carry_out()


AUGMENTATIONS = {"diffaugment": "arXiv:2006.10738", "ada": "arXiv:2006.06676"}
"""Augmentations by name, with their sources."""
PAIRED = ("mse", "l1", "distance", "contrastive", "infonce", "dot")
"""Functions that compare two values sample by sample."""


class _Augmenting:
    def __init__(self, spec: Spec, what: Augmentation) -> None:
        self.spec, self.what = spec, what
        self.places = {
            net: places for net in _discriminators(spec) if (places := _images(spec, net))
        }
        self.probability: dict[str, str] = {}
        """The expression of the probability, by discriminator."""
        self.states: dict[str, State] = {}
        self.renamed: dict[str, str] = {}

    def carry_out(self) -> Augmented:
        spec = self.spec
        if not self.places:
            self._refuse("has no discriminator that gets images made by another network")
        self._check_augmented()
        self._check_pairs()
        if self.what.name == "ada":
            for net in self.places:
                self.probability[net] = self._follow(net)
        affected = [name for name, text in spec.let.items() if self._changed(text)]
        kept = {part for task in spec.tasks.values() for _, text in task.expressions
                for part in spec.names_in(text)}  # fmt: skip
        # lets that tasks use are kept; the updates get augmented ones under another name
        self.renamed = {
            name: self._free(f"{name}_augmented") if name in kept else name for name in affected
        }
        let = dict(spec.let)
        for name in affected:
            let[self.renamed[name]] = self._rewritten(spec.let[name])
        state = {name: self._state(state) for name, state in spec.state.items()}
        state |= {
            name: Running(self._rewritten(getattr(added, "next")), every=4)  # noqa: B009
            for name, added in self.states.items()
        }
        stages = tuple(
            stage.replace(round=tuple(map(self._item, stage.round))) for stage in spec.stages
        )
        made = Spec.from_dict(
            {
                **spec.to_dict(),
                "title": f"{spec.title} with {self.what.name}" if spec.title else "",
                "source": "; ".join(filter(None, dict.fromkeys((spec.source, self.what.source)))),
                "let": let,
                "state": {name: value.model_dump(mode="json") for name, value in state.items()},
                "stages": [stage.model_dump(mode="json") for stage in stages],
            }
        )
        return Augmented(made, tuple(self._said(made)))

    def _check_augmented(self) -> None:
        """Refuse a discriminator whose images are augmented already."""
        for path, text in self.spec.expressions():
            for node in ex.walk(ex.parse(text)) if not path.startswith("tasks.") else ():
                match node:
                    case ex.Call(net, images) if net in self.places:
                        pass
                    case ex.Call(_, (ex.Name(net), *images)) if net in self.places:
                        pass
                    case _:
                        continue
                for image in images:
                    if found := self._augmenting(image):
                        self._refuse(
                            f"augments the images of {net} already, by {found}; take that out of "
                            f"the Spec, or do without {self.what.name}"
                        )

    def _augmenting(self, image: ex.Expression) -> str:
        """The augmentation of an image, before a network gets it; empty if there is none."""
        seen: set[str] = set()
        pending = [image]
        while pending:
            match pending.pop():
                case ex.Call(name) if name in self.spec.networks:
                    pass
                case ex.Call(name) if name.partition("_")[0] in AUGMENTATIONS:
                    return name
                case ex.Name(name) if name in self.spec.let and name not in seen:
                    seen.add(name)
                    pending.append(ex.parse(self.spec.let[name]))
                case node:
                    pending += ex.parts(node)
        return ""

    def _check_pairs(self) -> None:
        """Refuse a term that compares the outputs for two images sample by sample."""
        for stage in self.spec.stages:
            for update in stage.updates:
                for text in update.minimize.values():
                    for node in self._nodes(text):
                        if not isinstance(node, ex.Call) or node.name not in PAIRED:
                            continue
                        seen = [self.spec.meaning(str(part)) for part in node.arguments]
                        calls = [
                            s for s in seen if isinstance(s, ex.Call) and s.name in self.places
                        ]
                        if len(calls) > 1:
                            self._refuse(
                                f"compares {calls[0]} with {calls[1]}, of two images that would be "
                                "augmented in two ways"
                            )

    def _said(self, made: Spec) -> Iterator[str]:
        for net in self.places:
            seen = self._image(ex.Name("images"), net)
            yield f"{net} sees {seen}, of data and of fakes"
        for name in self.states:
            [(_, text)] = made.state[name].expressions()
            yield f"every 4 rounds the probability {name} becomes {text}"

    # ------------------------------------------------------------------------ probability

    def _follow(self, net: str) -> str:
        """The probability that images of a discriminator are augmented, as an expression."""
        if self.what.p is not None:
            return str(ex.Number(self.what.p))
        fixed = "give a probability: ada,p=0.2"
        if len(self.spec.stages) > 1:
            self._refuse(f"has {len(self.spec.stages)} stages, and p would follow one; {fixed}")
        centre, real = 0.0, None
        first = next(iter(self.spec.stages))
        for update in first.updates:
            if net not in update.train:
                continue
            if update.distance:
                self._refuse(f"has the critic {net}, whose zero has no meaning; {fixed}")
            for text in update.minimize.values():
                for node in self._nodes(text):
                    if isinstance(node, ex.Call) and node.name == net and not node.output:
                        real = real or (None if self._made(node, net) else node)
                    if isinstance(node, ex.Binary) and node.operator == "-":
                        sides = [self._is_output(side, net) for side in (node.left, node.right)]
                        if all(sides):
                            self._refuse(
                                f"compares the outputs of {net}, whose zero then means "
                                f"nothing; {fixed}"
                            )
                    if isinstance(node, ex.Call) and node.name == "mse":
                        output, target = node.arguments
                        if self._is_output(output, net) and target == ex.Number(1):
                            centre = 0.5  # halfway to the fakes' target
        if real is None:
            self._refuse(f"shows {net} no image of the data; {fixed}")
        output = f"{real} - {centre:g}" if centre else f"{real}"
        name = self._free("p" if len(self.places) == 1 else f"p_{net}")
        step = f"4 * batch / {self.what.images:g}"
        sure = f"sign(mean(sign({output})) - {self.what.target:g})"
        self.states[name] = Running(f"maximum(0, {name} + {step} * {sure})", every=4)
        return name

    def _nodes(self, text: str) -> Iterator[ex.Expression]:
        """The parts of a term, including those of its lets."""
        for part in self.spec.with_lets(text):
            yield from ex.walk(ex.parse(part))

    def _is_output(self, node: ex.Expression, net: str) -> bool:
        found = self.spec.meaning(str(node))
        return isinstance(found, ex.Call) and found.name == net

    def _made(self, call: ex.Call, net: str) -> bool:
        """Whether the images of a call are made by another network, or rolled along the batch."""
        names = {n for place in self.places[net] for n in self.spec.names_in(
            str(call.arguments[place]))}  # fmt: skip
        return bool(names & {*self.spec.networks, "roll"})

    # -------------------------------------------------------------------------- rewriting

    def _changed(self, text: str) -> bool:
        """Whether it calls a discriminator, directly or through a let."""
        return any(str(node) != str(self._own(node)) for node in self._nodes(text))

    def _own(self, node: ex.Expression) -> ex.Expression:
        return self._write(node) if isinstance(node, ex.Call) else node

    def _rewritten(self, text: str) -> str:
        return str(self._write(ex.parse(text)))

    def _write(self, node: ex.Expression) -> ex.Expression:
        match node:
            case ex.Name(name) if name in self.renamed:
                return ex.Name(self.renamed[name])
            case ex.Negative(operand):
                return ex.Negative(self._write(operand))
            case ex.Binary(operator, left, right):
                return ex.Binary(operator, self._write(left), self._write(right))
            case ex.Several(items):
                return ex.Several(tuple(map(self._write, items)))
            case ex.Call(name, arguments, output, average) if name in self.places:
                parts = [*map(self._write, arguments)]
                for place in self.places[name]:
                    parts[place] = self._image(parts[place], name)
                return ex.Call(name, tuple(parts), output, average)
            case ex.Call(name, (ex.Name(net), *rest)) if net in self.places:
                return self._with_network(name, net, rest)
            case ex.Call(name, arguments, output, average):
                return ex.Call(name, tuple(map(self._write, arguments)), output, average)
            case _:
                return node

    def _with_network(self, name: str, net: str, rest: list[ex.Expression]) -> ex.Expression:
        """A function that takes a discriminator: a penalty on its gradient or on its weights."""
        function = vocabulary.function(name)
        rest = [*map(self._write, rest)]
        whole = ex.Call(name, (ex.Name(net), *rest))
        if function is not None and function.weights:
            return whole
        if name not in ("r1", "gradient_penalty") or self.places[net] != (0,):
            self._refuse(f"passes {net} to {name}, which may call it with any images")

        def seen(value: ex.Expression) -> ex.Expression:
            if not isinstance(value, ex.Several):
                return self._image(value, net)
            first, *others = value.items
            return ex.Several((self._image(first, net), *others))

        if name == "gradient_penalty":  # between augmented images
            return ex.Call(name, (ex.Name(net), seen(rest[0]), seen(rest[1]), *rest[2:]))
        # with respect to the image before augmentation
        image, *given = rest
        told = tuple(part for value in given for part in
                     (value.items if isinstance(value, ex.Several) else (value,)))  # fmt: skip
        if isinstance(image, ex.Several):
            self._refuse(f"takes r1 of {net} at several values at once")
        slope = ex.Call(ex.GRADIENT, (ex.Call(net, (seen(image), *told)), image))
        return ex.Call("mean", (ex.Call("squared_norm", (slope,)),))

    def _image(self, image: ex.Expression, net: str) -> ex.Expression:
        chance = self.probability.get(net)
        more = (ex.parse(chance),) if chance else ()
        return ex.Call(self.what.name, (image, *more))

    def _item(self, item: Update | Together) -> Update | Together:
        if isinstance(item, Together):
            return item.replace(together=tuple(self._update(update) for update in item.together))
        return self._update(item)

    def _update(self, update: Update) -> Update:
        return update.replace(
            minimize={name: self._rewritten(text) for name, text in update.minimize.items()}
        )

    def _state(self, state: State) -> State:
        changed = {name: self._rewritten(text) for name, text in state.expressions()}
        return state.replace(**changed) if changed else state

    # ------------------------------------------------------------------------------ names

    def _free(self, name: str) -> str:
        """The name, or a free one like it."""
        taken = {*self.spec.taken, *self.spec.let, *self.states}
        while name in taken:
            name += "_"
        return name

    def _refuse(self, why: str) -> NoReturn:
        raise SpecError(
            f"{self.what.name} is for discriminators of images, and "
            f"{self.spec.title or 'this Spec'} {why}"
        )


def _discriminators(spec: Spec) -> Iterator[str]:
    """The trained networks that losses of other networks call with the outputs of those."""
    learning: dict[str, set[str]] = {}
    for stage in spec.stages:
        for update in stage.updates:
            for name in update.train:
                learning.setdefault(name, set()).add(update.name)
    for net in spec.networks:
        for stage in spec.stages:
            for update in stage.updates:
                trained = {*update.train} - {net}
                if net in update.train or net not in learning:
                    continue
                if any(_depends(spec, call, trained) for call in _calls(spec, update, net)):
                    yield net
                    break
            else:
                continue
            break


def _calls(spec: Spec, update: Update, network: str) -> Iterator[ex.Call]:
    for text in update.minimize.values():
        for part in spec.with_lets(text):
            for node in ex.walk(ex.parse(part)):
                if isinstance(node, ex.Call) and node.name == network and not node.average:
                    yield node


def _depends(spec: Spec, call: ex.Call, networks: set[str]) -> bool:
    return bool({name for part in call.arguments for name in spec.names_in(str(part))} & networks)


def _images(spec: Spec, net: str) -> tuple[int, ...]:
    """The arguments of a discriminator that are images, i.e. an image of the data in some call."""
    found: set[int] = set()
    drawn = {name for name, draw in spec.draws.items() if isinstance(draw, Image)}

    def look(place: int, argument: ex.Expression) -> None:
        names = spec.names_in(str(argument))
        if names & drawn and not names & {*spec.networks}:
            found.add(place)

    for _, text in spec.expressions():
        for node in ex.walk(ex.parse(text)):
            match node:
                case ex.Call(name, arguments) if name == net:
                    for place, argument in enumerate(arguments):
                        look(place, argument)
                case ex.Call(_, (ex.Name(name), ex.Several(items), *_)) if name == net:
                    for place, argument in enumerate(items):
                        look(place, argument)
                case ex.Call(_, (ex.Name(name), argument, *_)) if name == net:
                    look(0, argument)
                case _:
                    pass
    return tuple(sorted(found))


def augmented(spec: Spec, text: str | Augmentation) -> tuple[Spec, Mapping[str, Any]]:
    """`spec` with the augmentation of `--augment`, and its entry in config.json."""
    what = Augmentation.named(text) if isinstance(text, str) else text
    made, changes = what.applied(spec)
    facts = {"name": what.name, "settings": what.settings, "source": what.source}
    return made, {**facts, "changes": list(changes)}
