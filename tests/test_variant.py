"""Hyper-parameters of variants: what `parse` takes and refuses."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from ganzoo import Fields, Spec, Variant
from ganzoo.errors import SpecError
from ganzoo.plugins.host import default


class Bounded(Variant):
    """A variant of which nothing but the settings counts."""

    name = "bounded"

    gamma: float = 1.0
    width: int = 8
    shares: tuple[float, ...] = (1, 0.5)
    shift: Annotated[float, Field(ge=-1)] = 0.0
    word: str = "-1"

    def spec(self, data: Fields) -> Spec:
        raise NotImplementedError


@pytest.mark.parametrize(
    "setting", [{"gamma": "-2"}, {"gamma": -1e-9}, {"width": -1}, {"shares": "1,-0.5"}]
)
def test_numbers_are_at_least_0(setting: dict[str, object]) -> None:
    """A negative weight of a penalty would reward what it punishes."""
    [name] = setting
    with pytest.raises(SpecError, match=rf"bounded\.{name}: .*greater than or equal to 0"):
        Bounded.parse(setting)


def test_a_field_can_have_a_lower_bound_of_its_own() -> None:
    made = Bounded.parse({"shift": "-0.5", "gamma": "0", "shares": "0,2", "word": "-3"})
    assert made == Bounded(shift=-0.5, gamma=0, shares=(0, 2), word="-3")
    with pytest.raises(SpecError, match=r"bounded\.shift: .*greater than or equal to -1"):
        Bounded.parse({"shift": -2})


def test_no_number_of_a_variant_that_ships_can_be_negative() -> None:
    tried = 0
    for variant in default().variants.values():
        for name, field in variant.model_fields.items():
            if field.annotation in (int, float):
                tried += 1
                with pytest.raises(SpecError, match=rf"{variant.name}\.{name}: "):
                    variant.parse({name: -1})
    assert tried > 200
