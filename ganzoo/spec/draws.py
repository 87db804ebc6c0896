"""Draws: the values drawn anew for each update, from the data or as noise."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ganzoo.errors import SpecError, TaskError, choices, nearest
from ganzoo.spec.frozen import Count, Frozen, Identifier

Channels = Annotated[int, Field(ge=1, le=64)]
Side = Annotated[int, Field(ge=1, le=4096)]


class Image(Frozen):
    """Images of the data: float (batch, channels, height, width) in [-1, 1].

    With `independent`, this field is drawn separately and not paired with the other fields.
    """

    kind: Literal["image"] = Field("image", init=False)
    shape: tuple[Channels, Side, Side]
    field: Identifier = "image"
    independent: bool = False

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """The longer side, in pixels."""
        return max(self.shape[1:])


class Label(Frozen):
    """Class labels of the data: int64 (batch,) in [0, classes). OneHot turns them into vectors.

    `names` are those of the classes, in the order of their numbers, by which the trained model can
    be asked for a class, as in `ganzoo sample MODEL --label blond`. They can be left out: training
    then takes those of the data. Names that differ from these are refused.
    """

    kind: Literal["label"] = Field("label", init=False)
    classes: Count
    field: Identifier = "label"
    names: tuple[str, ...] = ()
    independent: bool = False

    @model_validator(mode="after")
    def _each_named(self) -> Self:
        if self.names and len(self.names) != self.classes:
            few = "1 name" if len(self.names) == 1 else f"{len(self.names)} names"
            raise SpecError([("names", f"{few} for {self.classes} classes; name each, or none")])
        return self

    def number(self, name: str) -> int:
        """The number of the class of that name; upper and lower case are equivalent.

        Raises:
            TaskError: there is no such class.
        """
        if name in self.names:
            return self.names.index(name)
        folded = [known.casefold() for known in self.names]
        if folded.count(name.casefold()) == 1:
            return folded.index(name.casefold())
        if not self.names:
            raise TaskError(f"label: whole numbers from 0 to {self.classes - 1}, not {name!r}")
        raise TaskError(
            f"no class {name!r}{nearest(name, self.names)} allowed: {choices(self.names)}, or "
            f"whole numbers from 0 to {self.classes - 1}"
        )


MINILM = "sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
"""A small sentence encoder (arXiv:2002.10957) at a fixed revision; its vectors have 384 numbers."""


class Text(Frozen):
    """Sentences of the data, embedded by the frozen `encoder`: float (batch, size).

    `encoder` is a repository with its revision; `ganzoo.data.text_encoder` loads only the ones
    that it knows. `examples` are sentences of the data, for sample sheets.
    """

    kind: Literal["text"] = Field("text", init=False)
    size: Count = 384
    encoder: Annotated[str, Field(max_length=200)] = MINILM
    field: Identifier = "text"
    independent: bool = False
    examples: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=100)
    ] = ()


class Vector(Frozen):
    """Numbers of the data: float (batch, size)."""

    kind: Literal["vector"] = Field("vector", init=False)
    size: Count
    field: Identifier = "vector"
    independent: bool = False


class Index(Frozen):
    """The indices of the batch's samples in the training data: int64 (batch,) in [0, samples).

    With `Embedding`, each training sample gets a learned vector, such as a latent code (GLO).
    `samples` must be at least the number of training samples. Tasks cannot use it.
    """

    kind: Literal["index"] = Field("index", init=False)
    samples: Count

    @property
    def classes(self) -> int:
        """The number of values, as for a label."""
        return self.samples


class _Noise(Frozen):
    """Noise with either `size` numbers per sample or a `shape`."""

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        size, shape = getattr(self, "size", None), getattr(self, "shape", None)
        if (size is None) == (shape is None):
            kind = getattr(self, "kind", "")
            text = (
                f"give either size, the numbers of a sample, as in {{kind: {kind}, size: 64}}, or "
                "shape, as in [channels, h, w]"
            )
            raise SpecError([("size", text)])
        return self


Lengths = Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]


class Normal(_Noise):
    """Standard normal noise, float (batch, size) or (batch, *shape).

    `truncation`: the largest absolute value; values are drawn from the truncated distribution.
    """

    kind: Literal["normal"] = Field("normal", init=False)
    size: Count | None = None
    shape: Lengths | None = None
    truncation: Annotated[float, Field(gt=0, le=100)] | None = None


class Uniform(_Noise):
    """Uniform noise in [low, high), float (batch, size) or (batch, *shape)."""

    kind: Literal["uniform"] = Field("uniform", init=False)
    size: Count | None = None
    low: float = -1.0
    high: float = 1.0
    shape: Lengths | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.low >= self.high:
            raise SpecError([("high", f"must be more than low, which is {self.low:g}")])
        return self


class Categorical(Frozen):
    """Classes drawn with equal probability: int64 (batch,) in [0, classes).

    A task that uses it accepts it by name, as in `model.generate(c=3)`, and otherwise draws it.
    """

    kind: Literal["categorical"] = Field("categorical", init=False)
    classes: Count


DataDraw = Annotated[Image | Label | Text | Vector, Field(discriminator="kind")]
"""The fields that a data set can have."""

AnyDraw = Image | Label | Text | Vector | Index | Normal | Uniform | Categorical


def _spelt_out(value: Any) -> Any:
    """`text` as `{kind: text}`; of other kinds, a setting is then what is missing."""
    return {"kind": value} if isinstance(value, str) else value


Draw = Annotated[
    Annotated[AnyDraw, Field(discriminator="kind")],
    BeforeValidator(_spelt_out),
]
DATA = (Image, Label, Text, Vector)
NOISE = (Normal, Uniform, Categorical)
WHOLE = (Label, Index, Categorical)
"""Draws of integers, int64 (batch,)."""


def tensor_shape(draw: AnyDraw) -> tuple[int, ...]:
    """The shape of one sample, without the batch axis; () for a label."""
    match draw:
        case Image():
            return draw.shape
        case Label() | Index() | Categorical():
            return ()
        case Normal(shape=shape) | Uniform(shape=shape) if shape is not None:
            return shape
        case _:
            return (draw.size or 0,)
