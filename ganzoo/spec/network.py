"""Networks: named inputs, a body of layers, and how the weights begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec.frozen import Frozen, Identifier, Named
from ganzoo.spec.layers import Layer, Layers, Tap

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
            branch = path.startswith("inputs.")
            if (path.count(".") - 1 - branch) // 2 > MAX_NESTING:
                raise SpecError([(path, f"nested more than {MAX_NESTING} deep")])
            if isinstance(layer, Tap):
                if layer.name in seen:
                    problems.append((path, f"the tap {layer.name!r} is named twice"))
                seen.add(layer.name)
            for name in layer.needs:
                if branch:
                    where = "stands in the body, not in the branch of an input"
                    problems.append((path, f"{layer.kind} {where}"))
                elif name not in self.inputs:
                    keys = (key for key, value in layer if value == name)
                    where = ".".join([path, *keys][:2])
                    allowed = f"allowed: {choices(self.inputs)}"
                    text = f"no input {name!r}{nearest(name, self.inputs)} {allowed}"
                    problems.append((where, text))
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
        read = {name for _, layer in self.walk() for name in layer.needs}
        return tuple(name for name in self.inputs if name not in read)

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
        for key in layer.rows:
            yield from _walk(getattr(layer, key), f"{path}.{key}")
