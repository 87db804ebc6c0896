"""Variants: hyper-parameters and one method, `spec(data)`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, cast, get_origin

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from ganzoo.errors import DataError, GanzooError, SpecError, choices
from ganzoo.spec.draws import DataDraw, Image, Label, Text
from ganzoo.spec.frozen import Frozen, Named, spec_error
from ganzoo.spec.spec import Spec


class Fields(Frozen):
    """The fields of a data set: the draws that a Spec can take from it, by name.

    `Fields(name="mnist", fields={"image": Image((1, 28, 28)), "label": Label(10)})`
    """

    fields: Named[DataDraw]
    name: str = "data"
    lacking: Named[str] = Field(default_factory=dict, exclude=True, repr=False)
    """What a data set says where a field is needed that it does not have: by the name of the field,
    how it would come to it."""
    unsaid: str = Field(default="", exclude=True, repr=False)
    """The name of the class by which a label says that a caption leaves it open."""

    @property
    def image(self) -> Image:
        """The image field.

        Of several, it is the one named `image`, or else the only one that is not `independent`.
        The same applies to `label` and `text`.

        Raises:
            DataError: there is none, or more than one is left.
        """
        return self._only(Image, "image")

    @property
    def label(self) -> Label:
        """The field of class labels; DataError as for `image`."""
        return self._only(Label, "label")

    @property
    def text(self) -> Text:
        """The field of embedded sentences; DataError as for `image`."""
        return self._only(Text, "text")

    def _only(self, kind: Any, word: str) -> Any:
        found = [draw for draw in self.fields.values() if isinstance(draw, kind)]
        if len(found) > 1:
            named = [draw for draw in found if draw.field == word]
            found = named or [draw for draw in found if not draw.independent] or found
        if len(found) != 1:
            raise DataError(
                f"data set {self.name!r} has {len(found)} fields of kind {word!r}, and one is "
                f"needed; its fields: {choices(self.fields)}; {self._advice(word)}"
            )
        return found[0]

    def __getitem__(self, field: str) -> Any:
        if field not in self.fields:
            raise DataError(
                f"data set {self.name!r} has no field {field!r}; it has {choices(self.fields)}; "
                f"{self._advice(field)}"
            )
        return self.fields[field]

    def _advice(self, word: str) -> str:
        return self.lacking.get(word) or "see `ganzoo data` for others"


def _foreseen(spec: Callable[[Any, Fields], Spec]) -> Callable[[Any, Fields], Spec]:
    """`spec` of a variant, with all errors converted to a SpecError that names the variant."""

    @wraps(spec)
    def made(self: Any, data: Fields) -> Spec:
        try:
            return spec(self, data)
        except GanzooError:
            raise
        except Exception as error:
            raise SpecError(
                f"the variant {self.name!r} makes no Spec for data set {data.name!r} "
                f"({type(error).__name__}: {error}): it does not take such data, or its "
                "spec() has a mistake; GANZOO_TRACEBACK=1 shows where"
            ) from error

    return made


class Variant(Frozen):
    """Base of all variants: its pydantic fields are hyper-parameters, and `spec` makes the Spec.

        class LSGAN(Variant):
            "Least squares GAN (arXiv:1611.04076)."

            name = "lsgan"
            width: int = 64

            def spec(self, data: Fields) -> Spec: ...

    The first line of the docstring is what `ganzoo variants` shows. Numbers are at least 0, unless
    their field has a lower bound of its own: `Annotated[float, Field(ge=-1)]`.
    """

    name: ClassVar[str]
    renamed: ClassVar[dict[str, str]] = {}
    """Former names of hyper-parameters, mapped to the present ones; `parse` accepts both."""

    @field_validator("*")
    @classmethod
    def _at_least_0(cls, value: Any, info: ValidationInfo) -> Any:
        bounds = cls.model_fields[info.field_name or ""].metadata
        if any(hasattr(bound, "ge") or hasattr(bound, "gt") for bound in bounds):
            return value
        if any(isinstance(number, int | float) and number < 0 for number in _several(value)):
            raise PydanticKnownError("greater_than_equal", {"ge": 0})
        return value

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "spec" in cls.__dict__:
            cls.spec = _foreseen(cls.__dict__["spec"])  # type: ignore[method-assign]

    def spec(self, data: Fields) -> Spec:
        """The Spec for data with these fields."""
        raise NotImplementedError

    @classmethod
    def summary(cls) -> str:
        return (inspect.getdoc(cls) or "").split("\n")[0]

    @classmethod
    def parse(cls, settings: dict[str, Any]) -> Variant:
        """The variant with these hyper-parameters; values may be text, as from `--set`.

        Text for a tuple is its values, with commas or spaces between them.
        """
        given = dict(settings)
        for former, name in cls.renamed.items():
            if former in given and name not in given:
                warnings.warn(
                    f"{cls.name}: {former!r} is now {name!r}", DeprecationWarning, stacklevel=2
                )
                given[name] = given.pop(former)
        for name, field in cls.model_fields.items():
            if isinstance(given.get(name), str) and get_origin(field.annotation) in (tuple, list):
                given[name] = given[name].replace(",", " ").split()
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SpecError(
                [
                    (".".join(filter(None, (cls.name, path))), text)
                    for path, text in spec_error(error).problems
                ]
            ) from None


def _several(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
