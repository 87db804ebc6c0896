"""Moving averages of weights: for the published model, and for `G.ema(z)` in a loss."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from ganzoo.spec.expression import MAX_LENGTH
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.numbers import Numeric


class HalfLife(Frozen):
    """A moving average given by its half-life: the weights of `half_life` images ago count half.

    Unlike a decay per round, it does not depend on the batch size. 0 copies the weights.
    """

    half_life: Annotated[float | str, Numeric(ge=0)]

    @staticmethod
    def decay(images: float, batch: int) -> float:
        """The decay per round of `batch` images, for a half-life of `images`."""
        return 0.5 ** (batch / images) if images > 0 else 0.0


def _form(value: Any) -> str:
    if isinstance(value, dict | HalfLife):
        return "half_life"
    return "expression" if isinstance(value, str) else "decay"


Average = Annotated[
    Annotated[Annotated[float, Field(gt=0, lt=1)], Tag("decay")]
    | Annotated[Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)], Tag("expression")]
    | Annotated[HalfLife, Tag("half_life")],
    Discriminator(_form),
]
"""A decay per round, an expression for the decay, or a half-life."""
