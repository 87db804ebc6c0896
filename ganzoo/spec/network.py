"""Networks: named inputs, a body of layers, and initial weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from ganzoo import extension
from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec.expression import EMA
from ganzoo.spec.frozen import Frozen, Identifier, Named
from ganzoo.spec.kinds import ALLOW_UNKNOWN
from ganzoo.spec.layers import Layer, Layers, Repeat, Tap
from ganzoo.spec.layers.weights import AnyWeight

MAX_NESTING = 20


class Default(Frozen):
    """Torch's own initial weights."""

    kind: Literal["default"] = Field("default", init=False)


class Gaussian(Frozen):
    """Weights normal(0, std), gains of batch norm normal(1, std), biases 0 (arXiv:1511.06434)."""

    kind: Literal["gaussian"] = Field("gaussian", init=False)
    std: Annotated[float, Field(gt=0, le=10)] = 0.02


class Xavier(Frozen):
    """Uniform weights with the variance of Glorot and Bengio, scaled by `gain`; biases zero."""

    kind: Literal["xavier"] = Field("xavier", init=False)
    gain: Annotated[float, Field(gt=0, le=100)] = 1.0


class He(Frozen):
    """Normal weights with the variance of He et al. (arXiv:1502.01852), biases zero."""

    kind: Literal["he"] = Field("he", init=False)


class LeCun(Frozen):
    """Normal weights with variance 1 / inputs, scaled by a layer's `gain`; biases zero."""

    kind: Literal["lecun"] = Field("lecun", init=False)


class Orthogonal(Frozen):
    """Weights with orthonormal rows or columns (arXiv:1312.6120), biases zero."""

    kind: Literal["orthogonal"] = Field("orthogonal", init=False)


def _spelt_out(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Init = Annotated[
    Annotated[Default | Gaussian | Xavier | He | LeCun | Orthogonal, Field(discriminator="kind")],
    BeforeValidator(_spelt_out),
]


class Origin(Frozen):
    """Where the weights of a network come from: a network of a published model.

    `sha256` is the hash of its weights file, so that a Spec always refers to the same weights.
    """

    model: Annotated[str, Field(min_length=1, max_length=200)]
    network: Identifier
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Network(Frozen):
    """A network as data.

    Args:
        inputs: the inputs by name, in the order of the call, each with the layers of its branch.
        layers: the body. Its input is the join of all inputs that no layer reads by name.
        join: how inputs are joined: concatenated along the channels (a vector beside a map is
            tiled over space), added or multiplied.
        init: the initial weights.
        weight: how the weights of its layers are reparametrized (spectral, equalized,
            weight_norm), unless a layer says otherwise.
        frozen: it keeps its initial weights and stays in evaluation mode.
        origin: the published model whose weights it has; the network is then frozen.
            `{model: classifier-mnist, network: F}` instead of all other fields, or
            `Network.of("classifier-mnist", "F")`, takes layers and origin from that model. Its
            layers written out (`ganzoo show MODEL --json`) may have more taps than there.

    Example: `Network({"x": (), "y": (OneHot(10),)}, (Linear(128), ReLU(), Linear(1)))`
    """

    inputs: Annotated[Named[Layers], Field(min_length=1, max_length=16)]
    layers: Layers
    join: Literal["concatenate", "add", "multiply"] = "concatenate"
    init: Init = Default()
    weight: AnyWeight | None = None
    frozen: bool = False
    origin: Origin | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            inputs: Mapping[str, Sequence[Layer]],
            layers: Sequence[Layer],
            join: Literal["concatenate", "add", "multiply"] = "concatenate",
            init: Init = ...,
            weight: AnyWeight | None = None,
            frozen: bool = False,
            origin: Origin | None = None,
        ) -> None: ...

    @classmethod
    def of(cls, model: str, network: str) -> Self:
        """A frozen network of a published model: its layers, and the hash of its weights.

        Raises:
            UnknownNameError: there is no such model. SpecError: it has no such network.
        """
        return cls.model_validate(_published(model, network))

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return key in {"model", "network"}

    @model_validator(mode="before")
    @classmethod
    def _of_a_model(cls, value: Any, info: ValidationInfo) -> Any:
        data = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if not {"model", "network"} & set(data):
            return value  # type: ignore[reportUnknownVariableType]
        if set(data) != {"model", "network"}:
            raise SpecError("give model and network, and nothing else: the layers are the model's")
        if info.context == ALLOW_UNKNOWN:  # an untrusted file must not cause downloads
            raise SpecError("a published model names no other model; its Spec is written out")
        return _published(str(data["model"]), str(data["network"]))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[tuple[str, str]] = []
        if self.origin is not None and not self.frozen:
            problems.append(
                ("frozen", "weights of a published model stay as they are; frozen: true")
            )
        seen: dict[str, str] = {}  # taps by name, with their paths
        repeated = [path for path, layer in self.walk() if isinstance(layer, Repeat)]
        for path, layer in self.walk():
            branch = path.startswith("inputs.")
            if (path.count(".") - 1 - branch) // 2 > MAX_NESTING:
                raise SpecError([(path, f"nested more than {MAX_NESTING} deep")])
            if isinstance(layer, Tap):
                if layer.name in seen:
                    problems.append((path, f"the tap {layer.name!r} is named twice"))
                elif layer.name in self.inputs:
                    problems.append((path, f"the name {layer.name!r} is taken by an input"))
                elif layer.name == EMA:
                    text = "means a moving average, as in G.ema(z), so no tap has that name"
                    problems.append((path, f"{EMA!r} {text}"))
                elif any(path.startswith(f"{other}.") for other in repeated):
                    text = "stands inside of repeat, where it would be named each time"
                    problems.append((path, f"the tap {layer.name!r} {text}"))
                seen[layer.name] = path
            for name in layer.needs:
                if branch:
                    where = "stands in the body, not in the branch of an input"
                    problems.append((path, f"{layer.kind} {where}"))
                elif name not in self.inputs and not _before(path, seen.get(name)):
                    keys = (key for key, value in layer if value == name)
                    where = ".".join([path, *keys][:2])
                    known = [*self.inputs, *sorted(seen)]
                    what = "input, or tap before it," if seen else "input"
                    text = f"no {what} {name!r}{nearest(name, known)} allowed: {choices(known)}"
                    problems.append((where, text))
        starts = bool(self.layers) and self.layers[0].starts
        if not problems and not self.joined and not starts:
            text = "every input is injected, so the body has nothing to start from"
            problems.append(("layers", f"{text}; let it begin with a constant"))
        if problems:
            raise SpecError(problems)
        return self

    @property
    def joined(self) -> tuple[str, ...]:
        """The inputs that are joined into the input of the body."""
        read = {name for _, layer in self.walk() for name in layer.needs}
        return tuple(name for name in self.inputs if name not in read)

    @property
    def taps(self) -> tuple[Identifier, ...]:
        return tuple(layer.name for _, layer in self.walk() if isinstance(layer, Tap))

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """All layers, nested ones too, with their paths, such as `layers.2.layers.0`."""
        for name, branch in self.inputs.items():
            yield from _walk(branch, f"inputs.{name}")
        yield from _walk(self.layers, "layers")


def _before(path: str, tap: str | None) -> bool:
    """Whether a layer may read a tap: the tap must come before it, and not contain it."""
    return tap is not None and not path.startswith(f"{tap}.")


def _walk(layers: Sequence[Layer], prefix: str) -> Iterator[tuple[str, Layer]]:
    for index, layer in enumerate(layers):
        path = f"{prefix}.{index}"
        yield path, layer
        for key in layer.rows:
            yield from _walk(getattr(layer, key), f"{path}.{key}")


def _published(model: str, network: str) -> dict[str, Any]:
    if extension.published is None:
        raise SpecError(f"no way is known here to the published model {model!r}")
    return dict(extension.published(model, network))
