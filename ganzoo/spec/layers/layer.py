"""What a layer declares, and how one is read: the base of the closed, typed vocabulary.

Only outputs have sizes here; what comes in is inferred. The shapes in the docstrings are of one
sample: `(features,)`, `(channels, height, width)`, and `()` for a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

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
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.kinds import ALLOW_UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]
"""Of one sample, without the batch."""
Takes = Literal["numbers", "labels", "either"]
Rate = Annotated[float, Field(ge=0, lt=1)]
Small = Annotated[int, Field(ge=1, le=64)]
Padding = Annotated[int, Field(ge=0, le=32)]
Slope = Annotated[float, Field(ge=0, le=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]


class Layer(Frozen):
    """Base of all layers: what can be set, what shape leaves, and how it is computed.

    A layer says `module(shape)`, its nn.Module, or `forward(module, x)`, what it does with a tensor
    (then `module` has what weights it needs, by default none), or both. Methods import torch where
    they need it, since a Spec is read without.

    The first sentence of the docstring, `formula` (LaTeX, of what arrives: v) and `example` are
    what `ganzoo layers` shows. The comment of an example says what arrives and what leaves.

    Attributes:
        takes: what may arrive: numbers, labels (whole numbers, of shape `()`), or either.
        overwritable: nothing but the next layer reads its output, its own backward pass included.
        overwrites: its module has `inplace`, for where the layer before it is overwritable.
        starts: a body that begins with it needs no input to start from.
        chooses: no gradient of what leaves reaches what arrives.
        mixes: what leaves for a sample depends on the others of the batch, so that several
            processes give it all their samples.
    """

    kind: str = Field(init=False)
    formula: ClassVar[str] = ""
    example: ClassVar[str] = ""
    takes: ClassVar[Takes] = "numbers"
    overwritable: ClassVar[bool] = False
    overwrites: ClassVar[bool] = False
    starts: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    @property
    def rows(self) -> dict[str, str]:
        """Its fields that hold layers, each with the input of the network that it starts from.

        "" is what arrives at this layer.
        """
        return {}

    @property
    def reads(self) -> tuple[str, ...]:
        """Inputs of the network, or taps before it, that it reads itself, beside what arrives."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """All inputs of the network that it reads, itself or in its rows."""
        return (*filter(None, self.rows.values()), *self.reads)

    @property
    def computes(self) -> bool:
        """Whether its `forward` is asked, and not its module alone."""
        return type(self).forward is not Layer.forward

    def begin(self, module: Any) -> None:
        """Set first values in place, once the module and the network's `init` have set theirs.

        For weights that begin otherwise; gradients are off, and torch's generator is seeded.
        """

    if TYPE_CHECKING:  # each layer takes as many as it has: what arrives, ends of rows, inputs read

        def output_shape(self, *shapes: Any, **_: Any) -> Shape | None: ...
        def beyond(self, *shapes: Any, **_: Any) -> tuple[int, int]: ...
        def module(self, *shapes: Any, **_: Any) -> nn.Module: ...
        def forward(self, module: Any, *values: Any, **_: Any) -> Tensor: ...

    else:

        def output_shape(self, *shapes: Shape) -> Shape | None:
            """The shape that leaves; a ValueError says why it cannot take `shapes`.

            Args:
                shapes: what arrives, then what each of `rows` ends in, then what it `reads`.

            None: it is not known in closed form, and found by running the module.
            """
            return None

        def beyond(self, *shapes: Shape) -> tuple[int, int]:
            """What a sample costs beside its weights at each place and the numbers that leave.

            Operations, and numbers that are in memory meanwhile; the work of a task is bounded
            by them. Only layers that compare places with each other, or the like, have any.
            """
            return 0, 0

        def module(self, *shapes: Shape) -> nn.Module:
            """The torch module for what arrives, of these shapes (without the batch)."""
            if type(self).forward is Layer.forward:
                raise NotImplementedError(f"layer {self.kind!r} has no module(shape)")
            from torch import nn

            return nn.Module()

        def forward(self, module: nn.Module, *values: Tensor) -> Tensor:
            """What leaves, by `module` and the values of which `output_shape` gets the shapes."""
            return module(*values)


class UnknownLayer(Layer):
    """A layer of a plugin that is not installed: kept as written, never built.

    Only Specs that are read with `allow_unknown` have any.
    """

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


def _known_kind(value: Any, info: ValidationInfo) -> Any:
    """Replace a mapping by the layer of its kind, so that a mistake gives one error."""
    if isinstance(value, Layer):
        return value
    from ganzoo.spec import vocabulary

    if isinstance(value, str):  # "relu" stands for {"kind": "relu"}
        value = {"kind": value}
    if not isinstance(value, dict):
        return value
    data = cast("dict[str, Any]", value)
    kind = data.get("kind")
    found = vocabulary.layer(str(kind))
    if found is None and info.context == ALLOW_UNKNOWN and _is_word(kind):
        return UnknownLayer.model_validate(data)
    if found is None:
        kinds = list(vocabulary.current().layers)
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
        name = "ganzoo.spec.layers.layer.AnyLayer:0"
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
if TYPE_CHECKING:  # what may be given: any sequence; it is kept as a tuple
    Layers = Sequence[Layer]
else:
    Layers = Annotated[tuple[AnyLayer, ...], Field(max_length=200)]


def features(shape: Shape) -> int:
    """How many numbers arrive; a ValueError where it is one number a sample, without features."""
    if not shape:
        raise ValueError("takes features or a map, not one number a sample; use reshape")
    return math.prod(shape)


def of_map(shape: Shape) -> tuple[int, int, int]:
    """The channels, height and width of a map; a ValueError says what else arrived."""
    if len(shape) != 3:
        raise ValueError(f"takes a map (channels, height, width), not {shape}; use reshape")
    return shape


def precise(value: Tensor) -> Tensor:
    """The value in float32 where it is in half of that, for sums and small differences."""
    return value.float() if value.dtype.itemsize < 4 else value


def size_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
