"""Kinds that plugins can add: a mapping with a `kind` is read by the class of that kind.

Optimizers and states are read here. Layers have a similar class in `layers/layer.py`, since they
contain each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ganzoo.errors import choices, nearest
from ganzoo.spec.frozen import Frozen

ALLOW_UNKNOWN = "allow_unknown"
"""The pydantic context that allows unknown words in a Spec."""


class Kinds:
    """Marks a field that holds any kind of `base`: the core's, or a plugin's.

        optimizer: Annotated[SerializeAsAny[Optimizer], Kinds("optimizer", Optimizer, CORE, lookup)]

    Args:
        word: what error messages call it, such as "optimizer". base: the base class.
        core: the core's classes by kind. lookup: the classes of the core and of plugins; called
            only if the core lacks a kind, since it loads plugins.
        unknown: the class that stores an unknown kind, if unknown kinds are allowed.
        infer: the kind of a mapping without `kind`, from its keys; None if it cannot be told.
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
        """Replace a mapping by an object of its kind, so that one mistake gives one error."""
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
