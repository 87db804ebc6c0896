"""Kinds that plugins can add: a mapping with a `kind`, read by the class of that kind.

Layers have a similar class in a module of their own, since they contain each other; optimizers and
states are read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ganzoo.errors import choices, nearest
from ganzoo.spec.frozen import Frozen

ALLOW_UNKNOWN = "allow_unknown"
"""The context of pydantic in which unknown words are allowed in a Spec."""


class Kinds:
    """Marks a field that holds any kind of `base`: the core's, or a plugin's.

        optimizer: Annotated[SerializeAsAny[Optimizer], Kinds("optimizer", Optimizer, CORE, lookup)]

    Args:
        word: the name of one. base: the class of all kinds.
        core: the core's classes by kind. lookup: those and the plugins', called only if the core
            has none, since it loads plugins.
        unknown: the class that stores an unknown kind, where these are allowed.
        infer: the kind of a mapping without one, from its keys; None leaves it missing.
    """

    def __init__(
        self,
        word: str,
        base: type[Frozen],
        core: Mapping[str, type[Any]],
        lookup: Callable[[], Mapping[str, type[Any]]],
        unknown: type[Frozen] | None = None,
        infer: Callable[[dict[str, Any]], str | None] = lambda data: None,
    ) -> None:
        self.word, self.base, self.core, self.lookup = word, base, core, lookup
        self.unknown, self.infer = unknown, infer

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        kinds = {kind: cls.__pydantic_core_schema__ for kind, cls in self.lookup().items()}
        return handler(core_schema.tagged_union_schema(kinds, discriminator="kind"))

    def _read(self, value: Any, info: ValidationInfo) -> Any:
        """Replace a mapping by an object of its kind, so that a mistake gives one error."""
        if isinstance(value, self.base):
            return value
        if isinstance(value, str):  # "adam" stands for {"kind": "adam"}
            value = {"kind": value}
        if not isinstance(value, dict):
            return value
        data = cast("dict[str, Any]", value)
        kind = data.get("kind") or self.infer(data)
        found = self.core.get(str(kind)) or self.lookup().get(str(kind))
        if found is not None:
            return found.model_validate({**data, "kind": kind}, context=info.context)
        known = isinstance(kind, str) and kind.isidentifier() and len(kind) <= 40
        if self.unknown is not None and info.context == ALLOW_UNKNOWN and known:
            return self.unknown.model_validate(data)
        kinds = self.lookup()
        raise PydanticCustomError(
            "unknown_kind",
            "{text}",
            {
                "text": f"no {self.word} of kind {kind!r}{nearest(str(kind), kinds)} "
                f"allowed: {choices(kinds, 60)}"
                if kind is not None
                else f"a kind is required: one of {choices(kinds, 60)}"
            },
        )
