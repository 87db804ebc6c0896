"""Reference entries of functions and layers, from their declarations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ganzoo.spec.layers import Layer
from ganzoo.spec.vocabulary import Function


@dataclass(frozen=True)
class Word:
    """The reference entry of a function or a layer.

    `summary` is one sentence, `more` the rest of the description, `formula` LaTeX, `source` an
    arXiv id or another reference; all but name and signature may be empty.
    """

    name: str
    signature: str
    summary: str
    more: str = ""
    formula: str = ""
    source: str = ""
    example: str = ""
    notes: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())

    @property
    def lacks(self) -> tuple[str, ...]:
        """The parts that are missing and should be there."""
        return tuple(word for word in ("summary", "formula", "example") if not getattr(self, word))


def of_function(function: Function) -> Word:
    notes: dict[str, str] = {}
    if function.networks:
        notes["takes networks"] = ", ".join(function.networks)
    if function.noise:
        notes["draws itself"] = f"{', '.join(function.noise)}: in [0, 1), one number per sample"
    if function.passes:
        notes["forward passes"] = str(function.passes)
    if function.stops_gradient:
        notes["gradient"] = "stopped"
    notes |= {f"refuses {kind}": reason for kind, reason in function.refuses.items()}
    return Word(
        function.name,
        function.signature,
        function.summary,
        formula=function.formula,
        source=function.source,
        example=function.example,
        notes=notes,
    )


def of_layer(layer: type[Layer]) -> Word:
    text = inspect.cleandoc(layer.__doc__ or "")
    source = re.search(r"arXiv:\d{4}\.\d{4,5}", text)
    text = re.sub(r"\s*arXiv:\d{4}\.\d{4,5}\.", "", text)
    first, _, rest = text.partition("\n\n")
    summary = re.match(r".*?[.](?=\s|$)", first.replace("\n", " "))
    summary = summary[0] if summary else first
    more = "\n\n".join(filter(None, (first.replace("\n", " ")[len(summary) :].strip(), rest)))
    parameters = ", ".join(
        name if field.is_required() else f"{name}={_shown(field.default)}"
        for name, field in layer.model_fields.items()
        if name != "kind"
    )
    return Word(
        layer.model_fields["kind"].default,
        f"{layer.__name__}({parameters})",
        summary,
        more,
        layer.formula,
        source[0] if source else "",
        layer.example,
    )


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
