"""Kinds that plugins can add: a mapping with a `kind` is read by the class of that kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ganzoo.errors import choices, nearest
from ganzoo.spec import vocabulary
from ganzoo.spec.frozen import Frozen

ALLOW_UNKNOWN = "allow_unknown"
"""The pydantic context that allows unknown words in a Spec."""


class Kinds:
    """Marks a field that holds any kind of `base`: the core's, or a plugin's.

        optimizer: Annotated[SerializeAsAny[Optimizer], Kinds("optimizers", Optimizer, Unknown)]

    Args:
        word: where the vocabulary has the classes. base: their base class.
        unknown: the class that stores an unknown kind, if unknown kinds are allowed.
        infer: the kind of a mapping without `kind`, from its keys; None if it cannot be told.
    """

    def __init__(
        self,
        word: vocabulary.Word,
        base: type[Frozen],
        unknown: type[Frozen],
        infer: Callable[[dict[str, Any]], str | None] = lambda data: None,
    ) -> None:
        self.word: vocabulary.Word = word
        self.base, self.unknown, self.infer = base, unknown, infer

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(core_schema.tagged_union_schema(self._by_kind(), discriminator="kind"))

    def _by_kind(self) -> dict[str, CoreSchema]:
        kinds = vocabulary.kinds(self.word)
        return {kind: cls.__pydantic_core_schema__ for kind, cls in kinds.items()}

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
        found = vocabulary.of_kind(self.word, str(kind))
        if found is not None:
            return found.model_validate({**data, "kind": kind}, context=info.context)
        known = isinstance(kind, str) and kind.isidentifier() and len(kind) <= 40
        if info.context == ALLOW_UNKNOWN and known:
            return self.unknown.model_validate(data)
        kinds = vocabulary.kinds(self.word)
        raise PydanticCustomError(
            "unknown_kind",
            "{text}",
            {
                "text": f"no {self.word.removesuffix('s')} of kind {kind!r}"
                f"{nearest(str(kind), kinds)} allowed: {choices(kinds, 60)}"
                if kind is not None
                else f"a kind is required: one of {choices(kinds, 60)}"
            },
        )
