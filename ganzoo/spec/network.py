"""Networks: named inputs, a body of layers, and how the weights begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec.frozen import Frozen, Identifier, Named
from ganzoo.spec.layers import Inject, Layer, Layers, Residual, Skip, Tap

MAX_NESTING = 20


class Default(Frozen):
    """Torch's own initial weights."""

    kind: Literal["default"] = Field("default", init=False)


class Gaussian(Frozen):
    """Weights normal(0, std), gains of batch norm normal(1, std), biases 0 (arXiv:1511.06434)."""

    kind: Literal["gaussian"] = Field("gaussian", init=False)
    std: Annotated[float, Field(gt=0, le=10)] = 0.02


class Xavier(Frozen):
    """Weights uniform with the variance of Glorot and Bengio, biases zero."""

    kind: Literal["xavier"] = Field("xavier", init=False)


class He(Frozen):
    """Weights normal with the variance of He et al. (arXiv:1502.01852), biases zero."""

    kind: Literal["he"] = Field("he", init=False)


Init = Annotated[Default | Gaussian | Xavier | He, Field(discriminator="kind")]


class Network(Frozen):
    """A network as data.

    Args:
        inputs: name of each input in order of the call, with the layers of its own branch.
        layers: the body. It starts from the inputs that no Inject names, joined.
        join: how they are joined: side by side along the channels (a vector beside a map
            is tiled over space), or added.
        init: how the weights begin.

    Example: `Network({"x": (), "y": (OneHot(10),)}, (Linear(128), ReLU(), Linear(1)))`
    """

    inputs: Annotated[Named[Layers], Field(min_length=1, max_length=16)]
    layers: Layers
    join: Literal["concatenate", "add"] = "concatenate"
    init: Init = Default()

    if TYPE_CHECKING:

        def __init__(
            self,
            inputs: Mapping[str, Sequence[Layer]],
            layers: Sequence[Layer],
            join: Literal["concatenate", "add"] = "concatenate",
            init: Init = ...,
        ) -> None: ...

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[tuple[str, str]] = []
        seen: set[str] = set()
        for path, layer in self.walk():
            if sum(map(path.count, (".layers.", ".through.", ".shortcut."))) > MAX_NESTING:
                raise SpecError([(path, f"nested more than {MAX_NESTING} deep")])
            branch = path.startswith("inputs.")
            if isinstance(layer, Tap):
                if layer.name in seen:
                    problems.append((path, f"the tap {layer.name!r} is named twice"))
                seen.add(layer.name)
            if isinstance(layer, Inject) and branch:
                problems.append((path, "inject stands in the body, not in the branch of an input"))
            elif isinstance(layer, Inject) and layer.input not in self.inputs:
                problems.append(
                    (f"{path}.input", f"no input {layer.input!r}{nearest(layer.input, self.inputs)}"
                     f" allowed: {choices(self.inputs)}")
                )  # fmt: skip
        if not problems and not self.joined:
            problems.append(
                ("layers", "every input is injected, so the body has nothing to start from")
            )
        if problems:
            raise SpecError(problems)
        return self

    @property
    def joined(self) -> tuple[str, ...]:
        """The inputs from which the body starts."""
        injected = {layer.input for _, layer in self.walk() if isinstance(layer, Inject)}
        return tuple(name for name in self.inputs if name not in injected)

    @property
    def taps(self) -> tuple[Identifier, ...]:
        return tuple(layer.name for _, layer in self.walk() if isinstance(layer, Tap))

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """Every layer with its path, such as `layers.2.layers.0`, nested ones too."""
        for name, branch in self.inputs.items():
            yield from _walk(branch, f"inputs.{name}")
        yield from _walk(self.layers, "layers")


def _walk(layers: tuple[Layer, ...], prefix: str) -> Iterator[tuple[str, Layer]]:
    for index, layer in enumerate(layers):
        path = f"{prefix}.{index}"
        yield path, layer
        match layer:
            case Inject(through=inner):
                yield from _walk(inner, f"{path}.through")
            case Residual(layers=inner, shortcut=shortcut):
                yield from _walk(inner, f"{path}.layers")
                yield from _walk(shortcut, f"{path}.shortcut")
            case Skip(layers=inner):
                yield from _walk(inner, f"{path}.layers")
            case _:
                pass
