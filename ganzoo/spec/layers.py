# pyright: reportIncompatibleVariableOverride=false
# (a frozen literal narrows the kind of its base; pydantic wants it declared this way)
"""Layers: the closed, typed vocabulary of which networks are made.

Only outputs have sizes here; what comes in is inferred. The shapes in the
docstrings are of one sample: `(features,)` or `(channels, height, width)`.
The modules behind these declarations are in `ganzoo.nn.modules`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializeAsAny,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ganzoo.errors import choices, nearest
from ganzoo.spec.frozen import Count, Frozen, Identifier

Rate = Annotated[float, Field(ge=0, lt=1)]
Small = Annotated[int, Field(ge=1, le=64)]
Padding = Annotated[int, Field(ge=0, le=32)]
Slope = Annotated[float, Field(ge=0, le=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]


class Layer(Frozen):
    """Base of all layers. A plugin's layer adds `module(shape)`, which makes its nn.Module.

    The first sentence of the docstring, `formula` (LaTeX, of what arrives: v) and `example` are
    what `ganzoo layers` shows. The comment of an example says what arrives and what leaves.
    """

    kind: str = Field(init=False)
    formula: ClassVar[str] = ""
    example: ClassVar[str] = ""

    def module(self, shape: tuple[int, ...]) -> Any:
        """The torch module for one input of `shape` (without the batch)."""
        raise NotImplementedError(f"layer {self.kind!r} has no module(shape)")


class Foreign(Layer):
    """A layer of a plugin that is not here: kept as it was written, and never made.

    Only Specs that are read with strangers allowed have any.
    """

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


STRANGERS = "strangers"
"""The context of pydantic in which words that nobody here knows may stand in a Spec."""


def _known_kind(value: Any, info: ValidationInfo) -> Any:
    """Replace a mapping by the layer of its kind, so that a mistake gives one error."""
    if isinstance(value, Layer):
        return value
    from ganzoo.spec.vocabulary import current

    if isinstance(value, str):  # "relu" stands for {"kind": "relu"}
        value = {"kind": value}
    if not isinstance(value, dict):
        return value
    data = cast("dict[str, Any]", value)
    kind = data.get("kind")
    found = LAYERS.get(str(kind)) or current().layers.get(str(kind))
    if found is None and info.context == STRANGERS and _is_word(kind):
        return Foreign.model_validate(data)
    if found is None:
        kinds = list(current().layers)
        raise PydanticCustomError(
            "unknown_kind",
            "{text}",
            {
                "text": (
                    f"no layer of kind {kind!r}{nearest(str(kind), kinds)} "
                    f"allowed: {choices(kinds, 60)}"
                    if kind is not None
                    else f"a layer needs a kind: one of {choices(kinds, 60)}"
                )
            },
        )
    return found.model_validate(data, context=info.context)


def _is_word(kind: Any) -> bool:
    return isinstance(kind, str) and kind.isidentifier() and len(kind) <= 40


_describing: ContextVar[bool] = ContextVar("_describing", default=False)


class _EveryKind:
    """Makes the JSON Schema list every kind of layer; pydantic alone would give the bare base.

    Layers hold layers, so the list becomes one definition that refers to itself.
    """

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        name = "ganzoo.spec.layers.AnyLayer:0"
        reference = core_schema.definition_reference_schema(name)
        if _describing.get():
            return handler(reference)
        from ganzoo.spec.vocabulary import current

        kinds = current().layers
        by_kind = {kind: cls.__pydantic_core_schema__ for kind, cls in kinds.items()}
        short = [  # kinds that a bare word says in full
            kind
            for kind, cls in kinds.items()
            if not any(field.is_required() for field in cls.model_fields.values())
        ]
        either = core_schema.union_schema(
            [
                core_schema.tagged_union_schema(by_kind, discriminator="kind"),
                core_schema.literal_schema(short),
            ],
            ref=name,
        )
        token = _describing.set(True)
        try:
            found = handler(core_schema.definitions_schema(reference, [either]))
        finally:
            _describing.reset(token)
        # a kind has a default in Python, and must be said in JSON
        handler.resolve_ref_schema(found)["required"] = ["kind"]
        return found


AnyLayer = Annotated[SerializeAsAny[Layer], BeforeValidator(_known_kind), _EveryKind()]
Layers = Annotated[tuple[AnyLayer, ...], Field(max_length=200)]


class Linear(Layer):
    """Fully connected: (features,) to (units,). Other shapes are flattened first."""

    kind: Literal["linear"] = Field("linear", init=False)
    formula: ClassVar[str] = r"W v + b"
    example: ClassVar[str] = "Linear(128)  # (64, 4, 4) to (128,)"
    units: Count
    bias: bool = True


class Conv(Layer):
    """Convolution: (c, h, w) to (channels, h / stride, w / stride).

    `padding` None means (kernel - 1) // 2.
    """

    kind: Literal["conv"] = Field("conv", init=False)
    formula: ClassVar[str] = r"W * v + b"
    example: ClassVar[str] = "Conv(64, 4, 2)  # (3, 32, 32) to (64, 16, 16)"
    channels: Count
    kernel: Small = 3
    stride: Small = 1
    padding: Padding | None = None
    bias: bool = True


class Deconv(Layer):
    """Transposed convolution: (c, h, w) to (channels, h * stride, w * stride).

    `padding` None means what gives exactly that size, where it can be had.
    """

    kind: Literal["deconv"] = Field("deconv", init=False)
    formula: ClassVar[str] = r"W^\top * v + b"
    example: ClassVar[str] = "Deconv(3)  # (64, 16, 16) to (3, 32, 32)"
    channels: Count
    kernel: Small = 4
    stride: Small = 2
    padding: Padding | None = None
    bias: bool = True


class Maxout(Layer):
    """Maximum over `pieces` linear maps: (features,) to (units,). arXiv:1302.4389."""

    kind: Literal["maxout"] = Field("maxout", init=False)
    formula: ClassVar[str] = r"\max_k\left(W_k v + b_k\right)"
    example: ClassVar[str] = "Maxout(240, 5)  # (784,) to (240,)"
    units: Count
    pieces: Small = 2


class Reshape(Layer):
    """The same numbers in another shape, such as (128, 7, 7)."""

    kind: Literal["reshape"] = Field("reshape", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = "Reshape((128, 7, 7))  # (6272,) to (128, 7, 7)"
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]


class Flatten(Layer):
    """(c, h, w) to (c * h * w,)."""

    kind: Literal["flatten"] = Field("flatten", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = "Flatten()  # (64, 7, 7) to (3136,)"


class Crop(Layer):
    """The centre of a map: (c, h, w) to (c, size, size); `size` may be smaller by any amount."""

    kind: Literal["crop"] = Field("crop", init=False)
    formula: ClassVar[str] = r"v_{c,\,i+t,\,j+t},\quad t=\left\lfloor\frac{h-s}{2}\right\rfloor"
    example: ClassVar[str] = "Crop(28)  # (1, 32, 32) to (1, 28, 28)"
    size: Count


class Upsample(Layer):
    """Larger by a whole factor: (c, h, w) to (c, h * factor, w * factor)."""

    kind: Literal["upsample"] = Field("upsample", init=False)
    formula: ClassVar[str] = r"v_{c,\,\lfloor i/f\rfloor,\,\lfloor j/f\rfloor}"
    example: ClassVar[str] = "Upsample()  # (64, 8, 8) to (64, 16, 16)"
    factor: Small = 2
    mode: Literal["nearest", "bilinear"] = "nearest"


class Downsample(Layer):
    """Average pooling: (c, h, w) to (c, h / factor, w / factor)."""

    kind: Literal["downsample"] = Field("downsample", init=False)
    formula: ClassVar[str] = r"\frac{1}{f^2}\sum_{a,b<f} v_{c,\,fi+a,\,fj+b}"
    example: ClassVar[str] = "Downsample()  # (64, 16, 16) to (64, 8, 8)"
    factor: Small = 2


class MaxPool(Layer):
    """Max pooling: (c, h, w) to (c, h / factor, w / factor)."""

    kind: Literal["max_pool"] = Field("max_pool", init=False)
    formula: ClassVar[str] = r"\max_{a,b<f} v_{c,\,fi+a,\,fj+b}"
    example: ClassVar[str] = "MaxPool()  # (64, 16, 16) to (64, 8, 8)"
    factor: Small = 2


class GlobalPool(Layer):
    """Sum or mean over space: (c, h, w) to (c,)."""

    kind: Literal["global_pool"] = Field("global_pool", init=False)
    formula: ClassVar[str] = r"\frac{1}{hw}\sum_{i,j} v_{c,i,j}"
    example: ClassVar[str] = "GlobalPool()  # (64, 8, 8) to (64,)"
    mode: Literal["sum", "mean"] = "mean"


class BatchNorm(Layer):
    """Batch normalisation, of features or of maps. arXiv:1502.03167.

    `momentum` is torch's: the weight of the newest batch in the running statistics.
    """

    kind: Literal["batch_norm"] = Field("batch_norm", init=False)
    formula: ClassVar[str] = r"\gamma_c\,\frac{v-\mu_c}{\sqrt{\sigma_c^2+\epsilon}}+\beta_c"
    example: ClassVar[str] = "BatchNorm()  # (64, 8, 8) to (64, 8, 8)"
    affine: bool = True
    eps: Epsilon = 1e-5
    momentum: Epsilon = 0.1


class LayerNorm(Layer):
    """Normalisation over all of a sample, with a gain and a bias per channel. arXiv:1607.06450."""

    kind: Literal["layer_norm"] = Field("layer_norm", init=False)
    formula: ClassVar[str] = r"\gamma_c\,\frac{v-\mu}{\sqrt{\sigma^2+\epsilon}}+\beta_c"
    example: ClassVar[str] = "LayerNorm()  # (64, 8, 8) to (64, 8, 8)"
    eps: Epsilon = 1e-5


class InstanceNorm(Layer):
    """Normalisation of each map of each sample. arXiv:1607.08022."""

    kind: Literal["instance_norm"] = Field("instance_norm", init=False)
    formula: ClassVar[str] = r"\frac{v-\mu_{n,c}}{\sqrt{\sigma_{n,c}^2+\epsilon}}"
    example: ClassVar[str] = "InstanceNorm()  # (64, 8, 8) to (64, 8, 8)"
    affine: bool = False
    eps: Epsilon = 1e-5


class PixelNorm(Layer):
    """Each position scaled to unit mean square over the channels. arXiv:1710.10196."""

    kind: Literal["pixel_norm"] = Field("pixel_norm", init=False)
    formula: ClassVar[str] = r"\frac{v}{\sqrt{\frac{1}{C}\sum_c v_c^2+\epsilon}}"
    example: ClassVar[str] = "PixelNorm()  # (64, 8, 8) to (64, 8, 8)"


class MinibatchStd(Layer):
    """One more map: the mean standard deviation over the batch. arXiv:1710.10196."""

    kind: Literal["minibatch_std"] = Field("minibatch_std", init=False)
    formula: ClassVar[str] = r"\left(v,\ \overline{\sigma}\right)"
    example: ClassVar[str] = "MinibatchStd()  # (64, 4, 4) to (65, 4, 4)"


class ReLU(Layer):
    """max(0, v)."""

    kind: Literal["relu"] = Field("relu", init=False)
    formula: ClassVar[str] = r"\max(0, v)"
    example: ClassVar[str] = "ReLU()  # (64, 8, 8) to (64, 8, 8)"


class LeakyReLU(Layer):
    """v where positive, slope * v elsewhere."""

    kind: Literal["leaky_relu"] = Field("leaky_relu", init=False)
    formula: ClassVar[str] = r"\max(0, v)+s\min(0, v)"
    example: ClassVar[str] = "LeakyReLU(0.1)  # (64, 8, 8) to (64, 8, 8)"
    slope: Slope = 0.2


class ELU(Layer):
    """v where positive, exp(v) - 1 elsewhere."""

    kind: Literal["elu"] = Field("elu", init=False)
    formula: ClassVar[str] = r"\max(0, v)+\min(0, e^v-1)"
    example: ClassVar[str] = "ELU()  # (128,) to (128,)"


class GELU(Layer):
    """v times the normal distribution function of v. arXiv:1606.08415."""

    kind: Literal["gelu"] = Field("gelu", init=False)
    formula: ClassVar[str] = r"v\,\Phi(v)"
    example: ClassVar[str] = "GELU()  # (128,) to (128,)"


class SiLU(Layer):
    """v * sigmoid(v)."""

    kind: Literal["silu"] = Field("silu", init=False)
    formula: ClassVar[str] = r"v\,\sigma(v)"
    example: ClassVar[str] = "SiLU()  # (128,) to (128,)"


class Tanh(Layer):
    """Hyperbolic tangent; the output of generators, since images are in [-1, 1]."""

    kind: Literal["tanh"] = Field("tanh", init=False)
    formula: ClassVar[str] = r"\tanh v"
    example: ClassVar[str] = "Tanh()  # (3, 32, 32) to (3, 32, 32)"


class Sigmoid(Layer):
    """1 / (1 + exp(-v))."""

    kind: Literal["sigmoid"] = Field("sigmoid", init=False)
    formula: ClassVar[str] = r"\frac{1}{1+e^{-v}}"
    example: ClassVar[str] = "Sigmoid()  # (1,) to (1,)"


class Softplus(Layer):
    """log(1 + exp(v))."""

    kind: Literal["softplus"] = Field("softplus", init=False)
    formula: ClassVar[str] = r"\log(1+e^{v})"
    example: ClassVar[str] = "Softplus()  # (128,) to (128,)"


class Dropout(Layer):
    """Each number zeroed with probability `rate` while training. arXiv:1207.0580."""

    kind: Literal["dropout"] = Field("dropout", init=False)
    formula: ClassVar[str] = r"\frac{m}{1-p}\,v,\quad m\sim\mathrm{Bernoulli}(1-p)"
    example: ClassVar[str] = "Dropout(0.3)  # (128,) to (128,)"
    rate: Rate = 0.5


class GaussianNoise(Layer):
    """Adds normal noise of standard deviation `std` while training."""

    kind: Literal["gaussian_noise"] = Field("gaussian_noise", init=False)
    formula: ClassVar[str] = r"v+s\,\epsilon,\quad \epsilon\sim\mathcal{N}(0, 1)"
    example: ClassVar[str] = "GaussianNoise(0.05)  # (3, 32, 32) to (3, 32, 32)"
    std: Annotated[float, Field(gt=0, le=100)] = 0.1


class OneHot(Layer):
    """Integer labels () to (classes,)."""

    kind: Literal["one_hot"] = Field("one_hot", init=False)
    formula: ClassVar[str] = r"e_y"
    example: ClassVar[str] = "OneHot(10)  # () to (10,)"
    classes: Count


class Embedding(Layer):
    """Integer labels () to learned vectors (units,)."""

    kind: Literal["embedding"] = Field("embedding", init=False)
    formula: ClassVar[str] = r"W_y"
    example: ClassVar[str] = "Embedding(10, 50)  # () to (50,)"
    classes: Count
    units: Count


class Tap(Layer):
    """Names what arrives here, so that an expression can read it: D.features(x)."""

    kind: Literal["tap"] = Field("tap", init=False)
    formula: ClassVar[str] = r"v"
    example: ClassVar[str] = 'Tap("features")  # (64, 4, 4) to (64, 4, 4)'
    name: Identifier


class Inject(Layer):
    """Brings a named input in at this depth, after `through`.

    A vector joins a map tiled over space. `join` concatenates along the channels or adds.
    """

    kind: Literal["inject"] = Field("inject", init=False)
    formula: ClassVar[str] = r"\left(v,\ f(y)\right)"
    example: ClassVar[str] = 'Inject("y", (Linear(16),))  # (64, 8, 8) to (80, 8, 8)'
    input: Identifier
    through: Layers = ()
    join: Literal["concatenate", "add"] = "concatenate"


class Residual(Layer):
    """layers(v) + shortcut(v); an empty shortcut is v itself. arXiv:1512.03385."""

    kind: Literal["residual"] = Field("residual", init=False)
    formula: ClassVar[str] = r"f(v)+g(v)"
    example: ClassVar[str] = "Residual((Conv(64), ReLU(), Conv(64)))  # (64, 8, 8) to (64, 8, 8)"
    layers: Layers
    shortcut: Layers = ()


class Skip(Layer):
    """v and layers(v) side by side along the channels; nested, a U-net. arXiv:1505.04597."""

    kind: Literal["skip"] = Field("skip", init=False)
    formula: ClassVar[str] = r"\left(v,\ f(v)\right)"
    example: ClassVar[str] = (
        "Skip((Conv(64, 4, 2), ReLU(), Deconv(64)))  # (64, 8, 8) to (128, 8, 8)"
    )
    layers: Layers


LAYERS: dict[str, type[Layer]] = {
    cls.model_fields["kind"].default: cls
    for cls in (
        Linear, Conv, Deconv, Maxout, Reshape, Flatten, Crop, Upsample, Downsample, MaxPool,
        GlobalPool, BatchNorm, LayerNorm, InstanceNorm, PixelNorm, MinibatchStd, ReLU, LeakyReLU,
        ELU, GELU, SiLU, Tanh, Sigmoid, Softplus, Dropout, GaussianNoise, OneHot, Embedding, Tap,
        Inject, Residual, Skip,
    )
}  # fmt: skip
