"""The styles, with the names of their attributes and values. Does not import NumPy, for speed.

Only values that can be distinguished at 64x64 pixels are used (a test measures it), so that every
attribute is visible. Some colours are chosen here, since any colour can fill a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import TypeIs

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Attribute:
    """An attribute of portraits.

    Args:
        slot: the group of parts, or the colour, that it sets.
        values: by name, the parts of which one is drawn ("" is none), or the colour.
        weights: the relative frequencies of the values; equal by default.
        paired: paired data sets change only this, so the split of a portrait must not depend on it.
    """

    slot: str
    values: Mapping[str, tuple[str, ...] | RGB]
    weights: tuple[int, ...] = ()
    paired: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.values)

    @property
    def colour(self) -> bool:
        """Whether it sets a colour rather than a part."""
        return not self.parts

    @property
    def colours(self) -> tuple[RGB, ...]:
        """The colours of all values; empty if it sets a part."""
        return tuple(value for value in self.values.values() if _is_colour(value))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of all values, concatenated; empty if it sets a colour."""
        found = (value for value in self.values.values() if not _is_colour(value))
        return tuple(part for value in found for part in value)

    @property
    def kinds(self) -> tuple[int, ...]:
        """The number of parts of each value."""
        return tuple(1 if self.colour else len(value) for value in self.values.values())


def _is_colour(value: tuple[str, ...] | RGB) -> TypeIs[RGB]:
    return isinstance(value[0], int)


def _rgb(value: str) -> RGB:
    red, green, blue = bytes.fromhex(value)
    return red, green, blue


def _colours(**values: str) -> dict[str, RGB]:
    return {name.replace("_", " "): _rgb(value) for name, value in values.items()}


def _numbered(word: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{word}{number:02}" for number in numbers)


_BACKGROUND = Attribute(
    "background",
    _colours(
        white="ffffff",
        pale_blue="b6d9f4",
        pale_pink="ffc9d6",
        pale_yellow="fdeaa3",
        pale_green="c4ebc8",
        lavender="cbb8ea",
    ),
)


@dataclass(frozen=True)
class Drawing:
    """A style: its attributes by name, and parts that belong to no attribute."""

    attributes: Mapping[str, Attribute]
    fixed: Mapping[str, str] = field(default_factory=dict)
    unnamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colours: Mapping[str, tuple[RGB, ...]] = field(default_factory=dict)


DRAWINGS: Mapping[str, Drawing] = MappingProxyType(
    {
        "toon-head": Drawing(
            attributes={
                "hair_colour": Attribute(
                    "hairColor",
                    _colours(
                        black="1b1719",
                        brown="7d4f33",
                        red="c2441c",
                        blond="e9c846",
                        grey="b4b8bd",
                        pink="ee8fb8",
                    ),
                    paired=True,
                ),
                "hair": Attribute(
                    "hair",
                    {
                        "side-parted": ("sideComed",),
                        "undercut": ("undercut",),
                        "spiky": ("spiky",),
                        "bun": ("bun",),
                    },
                ),
                "length": Attribute(
                    "rearHair",
                    {
                        "short": ("",),
                        "neck-length": ("neckHigh",),
                        "long straight": ("longStraight",),
                        "long wavy": ("longWavy",),
                    },
                    weights=(3, 1, 1, 1),
                ),
                "beard": Attribute(
                    "beard",
                    {
                        "none": ("",),
                        "moustache": ("moustacheTwirl",),
                        "full beard": ("fullBeard",),
                        "long beard": ("longBeard",),
                    },
                    weights=(3, 1, 1, 1),
                    paired=True,
                ),
                "clothes": Attribute(
                    "clothes",
                    {
                        "turtleneck": ("turtleNeck",),
                        "jacket": ("openJacket",),
                        "sleeveless top": ("dress",),
                        "pullover": ("shirt",),
                        "T-shirt": ("tShirt",),
                    },
                ),
                "clothes_colour": Attribute(
                    "clothesColor",
                    _colours(
                        red="b11f1f",
                        orange="f97316",
                        yellow="eab308",
                        green="147f3c",
                        blue="0b3286",
                        purple="731ac3",
                        pink="ec4899",
                        black="151613",
                        grey="545454",
                        white="e8e9e6",
                    ),
                ),
                "skin": Attribute(
                    "skinColor",
                    _colours(light="f8dcc6", tan="e0ab80", brown="b0764c", dark_brown="55301f"),
                ),
                "mouth": Attribute(
                    "mouth",
                    {
                        "closed": ("smile",),
                        "laughing": ("laugh",),
                        "gasping": ("agape",),
                        "baring teeth": ("angry",),
                    },
                ),
                "eyes": Attribute(
                    "eyes",
                    {
                        "open": ("happy",),
                        "wide": ("wide",),
                        "closed": ("humble",),
                        "winking": ("wink",),
                    },
                ),
                "brows": Attribute(
                    "eyebrows",
                    {"relaxed": ("neutral",), "angry": ("angry",), "one raised": ("raised",)},
                ),
                "background": _BACKGROUND,
            },
            fixed={"body": "body", "head": "head"},
        ),
        "adventurer": Drawing(
            attributes={
                "hair_colour": Attribute(
                    "hairColor",
                    _colours(
                        black="0e0e0e",
                        brown="6a4e35",
                        red="ab2a18",
                        orange="cb6820",
                        blond="e5d7a3",
                        grey="afafaf",
                        green="3eac2c",
                        teal="85c2c6",
                        pink="dba3be",
                        purple="592454",
                    ),
                    paired=True,
                ),
                "hair": Attribute(
                    "hair",
                    {
                        "cropped": _numbered("short", 1, 2, 4, 7, 8, 9, 10, 11, 14),
                        "spiky": _numbered("short", 15, 16, 18),
                        "curly": _numbered("short", 3, 17),
                        "bob": _numbered("long", 1, 2, 21, 25),
                        "long": _numbered("long", 4, 5, 6, 7, 9, 17, 22, 24),
                        "tied": _numbered("long", 14, 15, 16, 19),
                        "buns": _numbered("long", 10, 11, 12, 13, 23),
                        "flowers": _numbered("long", 3, 8, 18),
                    },
                ),
                "skin": Attribute(
                    "skinColor",
                    _colours(light="f2d3b1", tan="ecad80", brown="9e5622", dark_brown="5f3008"),
                ),
                "mouth": Attribute(
                    "mouth",
                    {
                        "happy": _numbered("variant", 1, 22, 23, 25, 26, 27, 28, 30),
                        "neutral": _numbered("variant", 9, 10, 20, 21),
                        "sad": _numbered("variant", 3, 4, 14, 19),
                        "silly": _numbered("variant", 12, 16),
                        "shouting": _numbered("variant", 15, 24),
                    },
                ),
                "eyes": Attribute(
                    "eyes",
                    {
                        "open": _numbered("variant", 1, 2, 3, 24, 25, 26),
                        "winking": _numbered("variant", 21, 22),
                        "closed": _numbered("variant", 19, 20),
                        "sideways": _numbered("variant", 5, 11, 12),
                    },
                ),
                "brows": Attribute(
                    "eyebrows",
                    {
                        "relaxed": _numbered("variant", 3, 10),
                        "angry": _numbered("variant", 1, 2),
                        "raised": _numbered("variant", 9, 11, 12),
                    },
                ),
                "glasses": Attribute(
                    "glasses",
                    {"none": ("",), "glasses": _numbered("variant", 2, 4)},
                    weights=(2, 1),
                    paired=True,
                ),
                "background": _BACKGROUND,
            },
            fixed={"base": "default"},
        ),
        "pixel-art": Drawing(
            attributes={
                "hair_colour": Attribute(
                    "hairColor",
                    _colours(
                        black="28150a",
                        brown="83623b",
                        blond="e2cf9a",
                        red="bd1700",
                        blue="009bbd",
                        green="91cb15",
                    ),
                    paired=True,
                ),
                "hair": Attribute(
                    "hair",
                    {
                        # without those of fewer than ten pixels
                        "short": _numbered(
                            "short", 1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 22, 24
                        ),
                        "long": _numbered("long", *range(1, 22)),
                    },
                ),
                "skin": Attribute(
                    "skinColor",
                    _colours(light="ffdbac", tan="d9a877", brown="a26d3d", dark_brown="6b4018"),
                ),
                "clothes_colour": Attribute(
                    "clothingColor",
                    _colours(
                        blue="428bca",
                        navy="03396c",
                        green="00b159",
                        red="d11141",
                        coral="ff8f89",
                        yellow="ffc425",
                    ),
                ),
                "glasses": Attribute(
                    "glasses",
                    {
                        "none": ("",),
                        "sunglasses": _numbered("dark", 1, 2, 3, 4, 5, 6, 7),
                    },
                    weights=(2, 1),
                    paired=True,
                ),
                "background": _BACKGROUND,
            },
            fixed={"base": "default"},
            unnamed={
                "clothing": _numbered("variant", *range(1, 24)),
                "eyes": _numbered("variant", *range(1, 13)),
                "mouth": (*_numbered("happy", *range(1, 14)), *_numbered("sad", *range(1, 11))),
            },
            colours={
                "eyesColor": tuple(map(_rgb, ("697b94", "588387", "876658"))),
                "glassesColor": tuple(map(_rgb, ("191919", "43677d", "a04b5d"))),
                "mouthColor": tuple(map(_rgb, ("c98276", "e35d6a", "de0f0d"))),
            },
        ),
    }
)
"""The styles, by name."""
