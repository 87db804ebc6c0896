"""JSON text, written in a readable layout and read strictly."""

from __future__ import annotations

import json
import math
from typing import Any, cast

from ganzoo.errors import SpecError


def pretty_json(value: Any, indent: int = 0) -> str:
    """JSON for human readers: what fits on one line stays on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= 100 or not isinstance(value, dict | list):
        return line
    inner, outer = "\n" + "  " * (indent // 2 + 1), "\n" + "  " * (indent // 2)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        parts = [f"{json.dumps(key)}: {pretty_json(part, indent + 2)}" for key, part in items]
        return "{" + inner + f",{inner}".join(parts) + outer + "}"
    parts = [pretty_json(part, indent + 2) for part in cast("list[Any]", value)]
    return "[" + inner + f",{inner}".join(parts) + outer + "]"


def strict_json(text: str) -> Any:
    """The data in JSON text; SpecError for duplicate keys, NaN, infinities or deep nesting."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise SpecError(f"duplicate key {key!r} in one object")
            found[key] = value
        return found

    def refuse(word: str) -> Any:
        raise SpecError(f"{word} is not a finite number")

    def finite(digits: str) -> float:
        number = float(digits)  # 1e999 is infinite, and well-formed JSON
        return number if math.isfinite(number) else refuse(digits)

    try:
        found = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse, parse_float=finite)
        json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be written
    except SpecError:
        raise
    except UnicodeEncodeError:
        raise SpecError("a text holds half a character (a lone surrogate)") from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not valid JSON: {error}") from None
    return found
