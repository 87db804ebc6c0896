"""Names of folders as data sets, `folder:PATH,options`, parsed without reading the folder. No
torch.

`ganzoo.data.folder` documents the options.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganzoo.data import decoding
from ganzoo.data.decoding import Preprocessing
from ganzoo.errors import DataError, choices, nearest

PREFIX = "folder:"
FORM = "folder:PATH[,size=64][,channels=3][,fit=crop][,test=0.1][,flip][,strict]"
SMALLEST, LARGEST = 16, 512
"""The allowed sides in pixels."""
CHANNELS = {1: "grey", 3: "colour", 4: "colour with transparency"}
NO = ("labels", "captions", "pairs")
"""Read if found, unless the option says no."""
CLASSES = ("only", "without", "normal")
"""Options whose value is names of classes, with + between them; they may hold any other letter."""
_WITH_OPTION = re.compile(
    rf"(.*),(flip|strict|(?:{'|'.join(CLASSES)})=[^,=]*|[a-z]+=[\w.+-]*)", re.DOTALL
)
SPLITS = ("train", "test")


def split_name(name: str) -> tuple[Path, dict[str, Any]]:
    """Path and options. A path may have commas: only what looks like an option is one.

    Raises:
        DataError: no path, or an unknown option.
    """
    path, options = name.removeprefix(PREFIX), dict[str, Any]()
    while match := _WITH_OPTION.fullmatch(path):
        path, option = match.groups()
        key, _, value = option.partition("=")
        if key in options:
            raise DataError(f"{name!r} says {key!r} twice")
        options[key] = _option(name, key, value)
    if not path:
        raise DataError(f"{name!r} names no folder; a folder is named {FORM}")
    return Path(path).expanduser(), options


def preprocessing_of(name: str) -> Preprocessing:
    """The preprocessing of the data set of that name, without reading its pictures.

    Raises:
        DataError: an option is not allowed.
    """
    if name.startswith("hf:"):
        from ganzoo.data.hugging_face import parse

        return parse(name).preprocessing
    options = split_name(name)[1] if name.startswith(PREFIX) else {}
    return Preprocessing(**{key: options[key] for key in decoding.OPTIONS if key in options})


def absolute(name: str) -> str:
    """The name of a data set, independent of the working directory.

    `folder:photos,size=64` becomes `folder:/home/me/photos,size=64`, and a repository of the hub is
    pinned to a commit; all others are unchanged.
    """
    if name.startswith("hf:"):
        from ganzoo.data.hugging_face import pinned

        return pinned(name)
    if not name.startswith(PREFIX):
        return name
    given = name.removeprefix(PREFIX)
    while match := _WITH_OPTION.fullmatch(given):
        given = match[1]
    options = name.removeprefix(f"{PREFIX}{given}")
    return f"{PREFIX}{Path(given).expanduser().absolute()}{options}" if given else name


def completed(name: str, shape: Sequence[int]) -> str:
    """The name of a folder, with size and channels of `shape` if it does not give them."""
    if name.startswith("hf:"):
        from ganzoo.data import hugging_face

        return hugging_face.completed(name, shape)
    _, options = split_name(name)
    channels, height, width = shape
    size = str(width) if width == height else f"{width}x{height}"
    for key, value in (("size", size), ("channels", channels)):
        name += "" if key in options else f",{key}={value}"
    return name


def _option(name: str, key: str, value: str) -> Any:
    known = ("size", "channels", *decoding.OPTIONS, "test", "flip", "strict", *NO, *CLASSES)
    if key not in known:
        raise DataError(
            f"{name!r}: no option {key!r}{nearest(key, known)} allowed: {choices(known)}"
        )
    if key in ("flip", "strict"):
        if value:
            raise DataError(f"{name!r}: {key} takes no value; leave it out for the contrary")
        return True
    return option_value(name, key, value)


def option_value(name: str, key: str, value: str) -> Any:
    """The value of an option of a data set of that name.

    Raises:
        DataError: the value is not allowed.
    """
    found = _value(key, value)
    if found is None:
        words = {
            "size": f"{SMALLEST} to {LARGEST}, or WIDTHxHEIGHT such as 96x64",
            "channels": "1, 3 or 4",
            "test": "more than 0 and at most 0.9",
            **dict.fromkeys(NO, "no; leave it out for the contrary"),
            **dict.fromkeys(CLASSES, "names of classes, such as cat or cat+dog"),
        }
        allowed = words.get(key) or choices(decoding.OPTIONS[key])
        close = nearest(value, decoding.OPTIONS.get(key, ()))
        raise DataError(f"{name!r}: {key} must be {allowed}, not {value!r}{close.rstrip(';')}")
    return found


def _value(key: str, value: str) -> Any:
    """The value of an option; None if that is not allowed."""
    match key:
        case "size":
            sides = [int(side) for side in value.split("x") if re.fullmatch("[0-9]{1,4}", side)]
            if len(sides) != value.count("x") + 1 or len(sides) > 2:
                return None
            inside = all(SMALLEST <= side <= LARGEST for side in sides)
            return (sides[0], sides[-1]) if inside else None
        case "channels":
            return int(value) if value in map(str, CHANNELS) else None
        case "test":
            share = float(value) if re.fullmatch(r"0?\.[0-9]{1,9}", value) else 0.0
            return share if 0 < share <= 0.9 else None
        case _ if key in NO:
            return False if value == "no" else None
        case _ if key in CLASSES:
            names = tuple(value.split("+"))
            return names if all(names) else None
        case _:
            return value if value in decoding.OPTIONS[key] else None
