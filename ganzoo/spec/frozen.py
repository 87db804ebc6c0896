"""The base of all parts of a Spec: frozen, strict, and with clear errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self, TypeVar, dataclass_transform

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ganzoo.errors import SpecError, choices, nearest

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

T = TypeVar("T")

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$", strict=True)]
"""A name of a draw, a let, a network, a loss term, a tap or a task."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""A size: of a layer, a latent, a kernel."""


class FrozenDict(dict[str, T]):
    """An immutable dict; the mappings inside a Spec are of this type."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("a Spec is frozen; replace(...) returns a changed copy")

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __deepcopy__(self, memo: object) -> FrozenDict[T]:
        return self

    def __reduce__(self) -> tuple[type, tuple[dict[str, T]]]:
        return FrozenDict, (dict(self),)


_freeze: Callable[[dict[str, Any]], FrozenDict[Any]] = FrozenDict

Named = Annotated[dict[Identifier, T], AfterValidator(_freeze)]
"""A frozen mapping from identifiers to `T`, in the order in which it was written."""


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
class _ByPosition(ModelMetaclass):
    """Tells type checkers that fields may be given by position, unlike pydantic's metaclass."""


class Frozen(BaseModel, metaclass=_ByPosition):
    """Base of every part of a Spec.

    Unknown keys are refused with the nearest match, numbers must be finite, and the first fields
    may be given by position: `Conv(64, 5)`, `Inject("y")`. Errors are `SpecError`, with one problem
    for each mistake, at its path.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="null"
    )

    def __init__(self, *args: Any, **data: Any) -> None:
        if args:
            fields = type(self).model_fields.items()
            # a kind with a default is implied by the class
            names = [
                name
                for name, field in fields
                if (name != "kind" or field.is_required()) and not field.kw_only
            ]
            if len(args) > len(names):
                raise SpecError(
                    f"{type(self).__name__} takes at most {len(names)} positional "
                    f"arguments ({', '.join(names)}), not {len(args)}"
                )
            for name, value in zip(names, args, strict=False):
                if name in data:
                    raise SpecError(f"{type(self).__name__}: {name!r} is given twice")
                data[name] = value
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise spec_error(error, type(self).__name__, self._spelt_out(data)) from None

    # pydantic then validates nested data by the model's schema, without calling this
    # method again, so that the path of an error stays complete.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def replace(self, **changes: Any) -> Self:
        """A copy with other values of these fields, validated like a new object.

            spec.replace(batch=32), update.replace(repeat=5)

        Raises:
            SpecError: a field is unknown, or the result is invalid.
        """
        kept = {name: value for name, value in fields_of(self).items() if name not in changes}
        try:
            return self.model_validate({**kept, **changes}, context=self._context())
        except ValidationError as error:
            root = self._spelt_out({**kept, **changes})
            raise spec_error(error, type(self).__name__, root) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same as `replace(**update)`; pydantic's own method does not validate."""
        return self.replace(**update) if update else super().model_copy(deep=deep)

    def _context(self) -> Any:
        """The pydantic context for validating this object again."""
        return None

    @model_validator(mode="wrap")
    @classmethod
    def _only_known_keys(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, dict):
            for key in value:  # type: ignore[reportUnknownVariableType]
                if key not in cls.model_fields and not cls._accepts(str(key)):  # type: ignore[reportUnknownArgumentType]
                    allowed = list(cls.model_fields)
                    raise PydanticCustomError(
                        "unknown_key",
                        "{text}",
                        {
                            "text": f"unknown key {key!r} in {cls.__name__}"
                            f"{nearest(str(key), allowed)} allowed: {choices(allowed)}"  # type: ignore[reportUnknownArgumentType]
                        },
                    )
        return handler(value)

    @classmethod
    def _accepts(cls, key: str) -> bool:
        """Whether a before-validator accepts a key that is not a field (a shorthand)."""
        return False

    @classmethod
    def _spelt_out(cls, data: dict[str, Any]) -> Any:
        """`data` with shorthands expanded, since the paths of pydantic's errors assume that."""
        return data


def fields_of(part: Frozen) -> dict[str, Any]:
    """The fields of a part of a Spec with their values; cached properties are left out."""
    found = {name: getattr(part, name) for name in type(part).model_fields}
    return {**found, **(part.model_extra or {})}


def spec_error(error: ValidationError, where: str = "", root: Any = None) -> SpecError:
    """Pydantic's error as a SpecError: one `(path, message)` for each mistake.

    `root` is the data that was read; it serves to remove pydantic's own steps from paths.
    """
    problems: list[tuple[str, str]] = []
    for item in error.errors(include_url=False):
        path = ".".join(_path(item["loc"], root, item["type"] == "missing"))
        if item["type"] == "value_error":
            cause = item.get("ctx", {}).get("error")
            if isinstance(cause, SpecError):
                problems += [
                    (".".join(filter(None, (path, sub))), text) for sub, text in cause.problems
                ]
                continue
        message = _message(item)
        problems.append((path, message[:1].lower() + message[1:] if path else message))
    # a list that is too short only because one of its items is invalid
    paths = [path for path, _ in problems]
    problems = [
        (path, message)
        for path, message in problems
        if not (message == _SHORT and any(p.startswith(f"{path}.") for p in paths))
    ]
    if where and all(not path for path, _ in problems):
        problems = [("", f"{where}: {message}") for _, message in problems]
    return SpecError(problems)


_SHORT = "it has too few items"
_MAPPINGS = {
    "draws": "{z: {kind: normal, size: 64}}",
    "networks": "{G: {inputs: {z: []}, layers: [...]}}",
    "inputs": "{z: []}",
    "let": "{fake: G(z)}",
    "state": "{k: {next: k + 1}}",
    "minimize": "{fool: -mean(D(fake))}",
    "ema": "{G: 0.999}",
    "tasks": "{generate: G(z)}",
    "numbers": "{psi: 0.7}",
}
"""An example of each mapping that a Spec has."""


def _message(item: Any) -> str:
    kind, context, given = item["type"], item.get("ctx", {}), repr(item["input"])
    shown = f" (given: {given if len(given) <= 60 else given[:57] + '...'})"
    match kind:
        case "value_error":
            return str(context.get("error"))
        case "missing":
            return "this key is required"
        case "too_short" if item["loc"][-1:] == ("inputs",):
            return "a network has an input, if only to know the number of samples: {z: []}"
        case "too_short":
            return _SHORT
        case "tuple_type":
            one = item["input"]
            written = f": write [{one}]" if isinstance(one, str | int | float) else ""
            return f"a list is required{written}{shown}"
        case "dict_type" | "model_type" | "model_attributes_type":
            example = _MAPPINGS.get(str(item["loc"][-1]) if item["loc"] else "")
            such = f", such as {example}" if example else ""
            return f"a mapping is required{such}{shown}"
        case "unknown_key" | "unknown_kind":
            return item["msg"]
        case "string_pattern_mismatch":
            return f"{given} is not a name: a letter, then letters, digits or _, at most 40 in all"
        case "union_tag_not_found":
            return f"a {context['discriminator']} is required{shown}"
        case "union_tag_invalid" | "literal_error":
            allowed = context.get("expected_tags", context.get("expected", ""))
            names = [name.strip(" '") for name in allowed.replace(" or ", ",").split(",")]
            tag = str(context.get("tag", item["input"]))
            return f"{tag!r} is not allowed{nearest(tag, names)} allowed: {choices(names)}"
        case _:
            return item["msg"] + shown


def _path(loc: tuple[int | str, ...], root: Any, missing: bool) -> list[str]:
    """The steps of `loc` that exist in `root`, or are missing there.

    Pydantic adds the tag of each union that it passes, and a mark for keys of mappings.
    """
    steps: list[str] = []
    value = root
    for index, part in enumerate(loc):
        # after a leaf, pydantic adds tags of its own (a word may stand for a mapping)
        if isinstance(value, str | int | float) and not (missing and index == len(loc) - 1):
            continue
        if isinstance(value, dict):
            known = part in value or (missing and index == len(loc) - 1)
            value = value.get(part) if known else value  # type: ignore[reportUnknownMemberType]
        elif isinstance(value, list | tuple):
            known = isinstance(part, int)
            inside = isinstance(part, int) and part < len(value)  # type: ignore[reportUnknownArgumentType]
            value = value[part] if inside else value if not known else None  # type: ignore[reportUnknownVariableType]
        else:
            known, value = True, None
        if known and part != "[key]":
            steps.append(str(part))
    return steps
