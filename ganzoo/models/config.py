"""config.json as a model: the facts of a model folder, validated and frozen. No torch.

Optional facts may be missing, and unknown ones are kept, so that folders of earlier and later
versions load. Known facts must have their types; an error names the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SkipValidation, ValidationError

from ganzoo.data.decoding import Preprocessing
from ganzoo.errors import DataError, PluginError, SpecError, StoreError, choices, plain
from ganzoo.layout import CONFIG, MAX_CONFIG
from ganzoo.reading import content
from ganzoo.spec import older
from ganzoo.spec.frozen import FrozenDict
from ganzoo.spec.json_text import pretty_json, strict_json
from ganzoo.spec.spec import Spec
from ganzoo.version import DISTRIBUTION

T = TypeVar("T")

FORMAT = 1
MAX_VALUES, MAX_DEPTH = 20_000, 100
"""The most values in config.json, and the deepest nesting."""
WORDS = ("layers", "functions", "optimizers", "states")
"""Kinds of words in a Spec that a plugin may provide."""
Dtype = Literal["float32", "float16", "bfloat16"]


def _one_line(text: str) -> str:
    if text != plain(text):
        raise ValueError("it must be one line of text, of at most 200 characters")
    return text


def _frozen(value: dict[str, Any]) -> FrozenDict[Any]:
    return FrozenDict(value)


def _preprocessing(value: dict[str, Any]) -> FrozenDict[Any]:
    try:
        return FrozenDict(Preprocessing(**value).to_dict())
    except DataError as error:
        raise ValueError(str(error)) from None
    except TypeError:
        raise ValueError(f"it says {choices(Preprocessing().to_dict())}, and no more") from None


Line = Annotated[str, AfterValidator(_one_line)]
FrozenFacts = Annotated[dict[str, T], AfterValidator(_frozen)]
Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)


class MadeBy(_Facts):
    """What made the model: a variant of a plugin with its settings, or a Spec file.

    `loss` is set if another loss replaced the variant's own: its name, source and `changes`;
    `augment` if its discriminators see augmented images: the same.
    """

    variant: str = ""
    settings: FrozenFacts[Any] = FrozenDict()
    plugin: str = ""
    plugin_version: str = ""
    file: str = ""
    loss: LossFacts | None = None
    augment: LossFacts | None = None


class LossFacts(_Facts):
    name: str
    source: str = ""
    changes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class DataFacts(_Facts):
    """What it was trained on: the name as `--data` takes it, images, licence."""

    name: str = ""
    size: Whole = 0
    licence: str = ""


class TrainingFacts(_Facts):
    """How it was trained; None where the folder does not say."""

    steps: Whole | None = None
    batch: Whole | None = None
    seed: int | None = None
    precision: str = ""
    seconds: float = 0.0
    selection: SelectionFacts | None = None
    start: StartFacts | None = None


class SelectionFacts(_Facts):
    """The figure by which the model was selected among those of its run.

    `step` is its round, `rounds` how many were trained, `of` how many were planned; `measured` is
    how often `figure` was measured, with `samples` samples each.
    """

    figure: str
    value: float
    step: Whole
    rounds: Whole
    of: Whole
    measured: Whole = 0
    samples: Whole = 0
    feature_extractor: str = ""
    split: str = ""


class StartFacts(_Facts):
    """The model whose weights it started from, and which of them fitted, by network."""

    model: str
    sha256: str = ""
    networks: FrozenFacts[str] = FrozenDict()


class Threshold(_Facts):
    """The score that a share `quantile` of `images` normal images stays below."""

    value: float
    quantile: float | None = None
    images: Whole | None = None


class Weights(_Facts):
    """SHA-256 of model.safetensors, and the type of the numbers in it."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    dtype: Dtype = "float32"


class ModelConfig(_Facts):
    """config.json.

    Attributes:
        spec: the model. name: for people; empty if it has none.
        library_version: of the ganzoo that wrote it; empty for a model that was never saved.
        made_by, data, training: its origin. command: makes it again.
        preprocessing: how pictures are converted; models without it were trained with the
            defaults.
        thresholds: of its score tasks, by name.
        weights: of the file beside it; None for a model that was never saved.
        requires: the distributions that provide words of its Spec, and which words.
    """

    format_version: Literal[1] = FORMAT
    library: Literal["ganzoo"] = "ganzoo"
    library_version: str = ""
    name: Line = ""
    preprocessing: Annotated[dict[str, Any], AfterValidator(_preprocessing)] = FrozenDict()
    thresholds: FrozenFacts[Threshold] = FrozenDict()
    made_by: MadeBy = MadeBy()
    data: DataFacts = DataFacts()
    training: TrainingFacts = TrainingFacts()
    weights: Weights | None = None
    requires: FrozenFacts[Any] = FrozenDict()
    command: str = ""
    spec: SkipValidation[Spec]

    def replace(self, **facts: Any) -> Self:
        """The same with other facts, given as data or as models of them.

        Raises:
            StoreError: one of them is invalid.
        """
        said = {key: getattr(self, key) for key in self._said() if key not in facts}
        plain_ = {
            key: value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
            for key, value in facts.items()
            if key != "spec"
        }
        return _validated(type(self), {"spec": self.spec, **facts, **said, **plain_}, CONFIG)

    def to_dict(self) -> dict[str, Any]:
        """As it is written: only facts that were set, `spec` last."""
        first = ("format_version", "library", "library_version", "name")
        said = self._said()
        names = [*first, *(name for name in said if name not in {*first, "spec"})]
        dumped = self.model_dump(
            mode="json", exclude_unset=True, exclude={"spec", "format_version", "library"}
        )
        dumped |= {"format_version": self.format_version, "library": self.library}
        facts = {name: dumped[name] for name in names if dumped.get(name, {}) != {}}
        return {**facts, "spec": self.spec.to_dict()}

    def to_json(self) -> str:
        """The text of the file.

        Raises:
            StoreError: it would be refused when it is read.
        """
        data = self.to_dict()
        _check_bounds(data, CONFIG)
        return pretty_json(data) + "\n"

    def _said(self) -> list[str]:
        known = [name for name in type(self).model_fields if name in self.model_fields_set]
        return [*known, *(self.model_extra or {})]

    @property
    def required(self) -> dict[tuple[str, str], str]:
        """Which distribution provides which layer or function, as `requires` says.

        It becomes part of a command that people copy, so anything but names is left out.
        """
        found: dict[tuple[str, str], str] = {}
        for distribution, brings in self.requires.items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", distribution, re.ASCII):
                continue
            for word in WORDS:
                names = brings.get(word) if isinstance(brings, dict) else None
                for name in names if isinstance(names, list) else ():
                    if isinstance(name, str):
                        found[word, name] = distribution
        return found


def read_config(folder: Path) -> ModelConfig:
    """The `config.json` of a folder.

    Raises:
        StoreError: there is none, it is not one of ganzoo's, or it has a newer format.
        SpecError: its Spec breaks the language.
        PluginError: its tasks need a word of a plugin that is not installed; names the plugin.
    """
    path = folder / CONFIG
    try:
        text = content(path, MAX_CONFIG).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"no model in {folder}: {CONFIG} cannot be read ({error})") from None
    except StoreError as error:
        raise StoreError(f"no model in {plain(folder)}: {error}") from None
    try:
        data = strict_json(text)
    except SpecError as error:
        raise StoreError(f"{path}: {error}") from None
    if not isinstance(data, dict) or data.get("library") != "ganzoo":
        raise StoreError(f"{path} is not a config of ganzoo")
    version = data.get("format_version")
    if type(version) is not int or version < 1:
        raise StoreError(f"{path}: format_version {plain(repr(version), 40)} is unknown")
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {plain(version, 40)}, and this ganzoo reads up to {FORMAT}; "
            f"pip install --upgrade {DISTRIBUTION}"
        )
    _check_bounds(data, path)
    if not isinstance(said := data.get("weights"), dict) or "sha256" not in said:
        raise StoreError(f"{path} does not name the sha256 of its weights")
    try:
        spec = Spec.from_dict(older.updated(data.pop("spec", None)), allow_unknown=True)
    except SpecError as error:
        raise SpecError(
            [(f"spec.{where}" if where else "spec", text) for where, text in error.problems]
        ) from None
    config = _validated(ModelConfig, {**data, "spec": spec}, path)
    _check_known(config)
    return config


def _validated(kind: type[Any], data: Mapping[str, Any], path: object) -> Any:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise StoreError("\n".join(_problems(error, path))) from None


def _problems(error: ValidationError, path: object) -> Iterator[str]:
    for item in error.errors(include_url=False, include_context=False)[:5]:
        where = plain(".".join(map(str, item["loc"])), 100)
        message = item["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        if item["type"] == "missing":
            yield f"{path}: {where} is missing"
        else:
            yield f"{path}: {where} is {plain(repr(item['input']), 60)}; {message}"


def _check_bounds(data: dict[str, Any], path: object) -> None:
    """StoreError where config.json is built to exhaust its reader."""
    pending, values = [(data, 0)], 0
    while pending:
        value, depth = pending.pop()
        values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise StoreError(
                f"{path} holds more than {MAX_VALUES:,} values, or some nested more than "
                f"{MAX_DEPTH} deep; no model needs that"
            )
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            pending += [(part, depth + 1) for part in inner]


def _check_known(config: ModelConfig) -> None:
    """Raise if no task can be run, because all need words that are unknown here.

    The losses, and some of the tasks, may have unknown words.

    Raises:
        PluginError: `requires` names the plugin that provides them.
        SpecError: no plugin does, so that the word does not exist.
    """
    lacking = config.spec.lacking
    if not lacking or len(lacking) < len(config.spec.tasks):
        return
    needed = dict.fromkeys(part for parts in lacking.values() for part in parts)
    nameless = [
        (f"spec.{path}", f"no {word.rstrip('s')} {name!r} is known here")
        for path, word, name in needed
        if (word, name) not in config.required
    ]
    if nameless:
        raise SpecError(nameless)
    raise PluginError(lacks(config, "this model", *lacking))


def lacks(config: ModelConfig, what: str, *tasks: str) -> str:
    """Why tasks cannot be run here: the unknown words, and the plugin that provides them."""
    needed = {(word, name) for task in tasks for _, word, name in config.spec.lacking[task]}
    words = ", ".join(sorted(f"{word.rstrip('s')} {name!r}" for word, name in needed))
    plugins = " ".join(sorted({config.required[n] for n in needed if n in config.required}))
    if not plugins:
        return f"{what} needs the {words}, which no installed plugin brings; see `ganzoo plugins`"
    return (
        f"{what} needs the {words}, of a plugin that is not installed or does not load "
        f"(`ganzoo plugins`). Its config.json names it: pip install {plugins}\n"
        "  A plugin is code that will run; install only those that you trust"
    )
