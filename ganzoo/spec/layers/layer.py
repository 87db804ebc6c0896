"""The base class of layers, and how layers are read from data.

Layers declare only output sizes; input sizes are inferred. Shapes in docstrings are of one sample:
`(features,)`, `(channels, height, width)`, and `()` for a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, SerializeAsAny
from pydantic_core import CoreSchema, core_schema

from ganzoo.spec import vocabulary
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.kinds import Kinds

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]
"""The shape of one sample, without the batch axis."""
Takes = Literal["numbers", "labels", "either"]
Rate = Annotated[float, Field(ge=0, lt=1)]
Small = Annotated[int, Field(ge=1, le=64)]
Padding = Annotated[int, Field(ge=0, le=32)]
Slope = Annotated[float, Field(ge=0, le=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]


class Layer(Frozen):
    """Base of all layers: settings, output shape and computation.

    A layer implements `module(shape)`, which returns its nn.Module, or `forward(module, x)`, which
    computes its output (`module` then holds its weights, by default none), or both. Methods import
    torch themselves, since a Spec is read without torch.

    `ganzoo layers` shows the first sentence of the docstring, `formula` (LaTeX; the input is v) and
    `example`. The comment of an example gives the shapes of input and output.

    Attributes:
        takes: what the input may be: numbers, labels (integers, of shape `()`), or either.
        overwritable: only the next layer needs its output; its own backward pass does not.
        overwrites: its module has `inplace`, which is set if the layer before it is overwritable.
        starts: a body that begins with it does not start from the inputs of its network.
        chooses: no gradient flows from its output to its input.
        mixes: its output for a sample depends on the other samples of the batch, so that several
            processes pass it all their samples.
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
        """Its fields that hold layers, each with the network input that these start from.

        "" means that they start from the input of this layer.
        """
        return {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs of the network, or earlier taps, that it reads besides its own input."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """All inputs of the network that it or its nested layers read."""
        return (*filter(None, self.rows.values()), *self.reads)

    @property
    def computes(self) -> bool:
        """Whether its `forward` computes the output, rather than its module alone."""
        return type(self).forward is not Layer.forward

    def begin(self, module: Any) -> None:
        """Set initial values in place, after the module and the network's `init` have set theirs.

        For weights that need other initial values. Gradients are off, and torch's generator is
        seeded.
        """

    if TYPE_CHECKING:  # the number of arguments depends on the layer: input, rows, inputs read

        def output_shape(self, *shapes: Any, **_: Any) -> Shape | None: ...
        def beyond(self, *shapes: Any, **_: Any) -> tuple[int, int]: ...
        def module(self, *shapes: Any, **_: Any) -> nn.Module: ...
        def forward(self, module: Any, *values: Any, **_: Any) -> Tensor: ...

    else:

        def output_shape(self, *shapes: Shape) -> Shape | None:
            """The shape of the output, without the batch axis.

            Args:
                shapes: of its input, of the output of each of `rows`, and of all that it `reads`.

            Returns:
                The shape; None if it has no closed form and is found by running the module.

            Raises:
                ValueError: it cannot take these shapes; the message gives the reason.
            """
            return None

        def beyond(self, *shapes: Shape) -> tuple[int, int]:
            """The cost of a sample beyond applying the weights and storing the output.

            Returns:
                Operations, and numbers in memory at the same time, which bound the work of a task.
                Layers that compare positions, such as attention, or make further maps have any.
            """
            return 0, 0

        def module(self, *shapes: Shape) -> nn.Module:
            """The torch module for these shapes, which are as in `output_shape`."""
            if type(self).forward is Layer.forward:
                raise NotImplementedError(f"layer {self.kind!r} has no module(shape)")
            from torch import nn

            return nn.Module()

        def forward(self, module: nn.Module, *values: Tensor) -> Tensor:
            """The output, from `module` and the values whose shapes `output_shape` gets."""
            return module(*values)


class UnknownLayer(Layer):
    """A layer of a plugin that is not installed: kept as written, never built.

    Only Specs that were read with `allow_unknown` have any.
    """

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


_describing: ContextVar[bool] = ContextVar("_describing", default=False)


class _Kinds(Kinds):
    """The kinds of layers. Since layers contain layers, their schema refers to itself."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        name = "ganzoo.spec.layers.layer.AnyLayer:0"
        reference = core_schema.definition_reference_schema(name)
        if _describing.get():
            return handler(reference)
        short = [  # kinds that a bare word says in full
            kind
            for kind, cls in vocabulary.kinds(self.word).items()
            if not any(field.is_required() for field in cls.model_fields.values())
        ]
        either = core_schema.union_schema(
            [
                core_schema.tagged_union_schema(self._by_kind(), discriminator="kind"),
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


AnyLayer = Annotated[SerializeAsAny[Layer], _Kinds("layers", Layer, UnknownLayer)]
if TYPE_CHECKING:  # what may be given: any sequence; it is kept as a tuple
    Layers = Sequence[Layer]
else:
    Layers = Annotated[tuple[AnyLayer, ...], Field(max_length=200)]


def features(shape: Shape) -> int:
    """The number of features of a shape; ValueError if it has none, being one number per sample."""
    if not shape:
        raise ValueError("takes features or a map, not one number per sample; use reshape")
    return math.prod(shape)


def of_map(shape: Shape) -> tuple[int, int, int]:
    """The channels, height and width of a map; ValueError for other shapes."""
    if len(shape) != 3:
        raise ValueError(f"takes a map (channels, height, width), not {shape}; use reshape")
    return shape


def precise(value: Tensor) -> Tensor:
    """The value in float32 if it is in half precision, for sums and small differences."""
    return value.float() if value.dtype.itemsize < 4 else value


def size_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
