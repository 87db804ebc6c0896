"""The Spec: everything about a GAN, as frozen, validated data."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from ganzoo.errors import PluginError, SpecError
from ganzoo.spec import expression as ex
from ganzoo.spec import numbers, validation, vocabulary
from ganzoo.spec.averages import Average, HalfLife
from ganzoo.spec.draws import DATA, Draw
from ganzoo.spec.frozen import Count, Frozen, FrozenDict, Named, fields_of, spec_error
from ganzoo.spec.json_text import pretty_json, strict_json
from ganzoo.spec.kinds import ALLOW_UNKNOWN
from ganzoo.spec.layers import Layer, UnknownLayer
from ganzoo.spec.network import Network
from ganzoo.spec.numbers import Schedule
from ganzoo.spec.optimizers import UnknownOptimizer
from ganzoo.spec.schedule import ExpressionText, Stage, Together, Update
from ganzoo.spec.state import AnyState, State, UnknownState
from ganzoo.spec.tasks import TASK_KINDS, Task
from ganzoo.spec.validation import updates_with_paths

MAX_TEXT = 2_000_000
"""The longest accepted JSON text of a Spec, in characters."""


class Spec(Frozen):
    """A GAN as data: its draws, networks, losses, schedule and tasks.

    The engine, the store, the model card and the demo read nothing else.

    Args:
        title: its display name.
        source: its origin, such as `arXiv:1406.2661`.
        draws: values drawn anew for each update, by name.
        networks: the networks by name, in the paper's letters.
        let: names for expressions that are used more than once.
        state: named values that persist from round to round.
        stages: the stages of training, in order. `round=[...]` and `steps=...` mean one stage.
        ema: the networks whose moving average is published, with its decay per round or
            `{half_life: images}`.
        tasks: what the trained model can do, by name; the short form is `{"generate": "G(z)"}`.
        batch: samples in a batch.
    """

    title: Annotated[str, Field(max_length=200)] = Field("", kw_only=True)
    source: Annotated[str, Field(max_length=500)] = Field("", kw_only=True)
    draws: Annotated[Named[Draw], Field(min_length=1, max_length=32)]
    networks: Annotated[Named[Network], Field(min_length=1, max_length=32)]
    let: Annotated[Named[ExpressionText], Field(max_length=64)] = Field(default_factory=FrozenDict)
    state: Annotated[Named[AnyState], Field(max_length=32)] = Field(default_factory=FrozenDict)
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=16)] = Field(kw_only=True)
    ema: Annotated[Named[Average], Field(max_length=32)] = Field(default_factory=FrozenDict)
    tasks: Annotated[Named[Task], Field(max_length=32)] = Field(default_factory=FrozenDict)
    batch: Annotated[Count, Field(le=65_536)] = 64

    if TYPE_CHECKING:  # the accepted types; pydantic converts shorthands to the declared ones

        def __init__(
            self,
            *,
            title: str = "",
            source: str = "",
            draws: Mapping[str, Draw],
            networks: Mapping[str, Network],
            let: Mapping[str, str] = ...,
            state: Mapping[str, State] = ...,
            stages: Sequence[Stage] = ...,
            round: Sequence[Update | Together] = ...,
            steps: int = ...,
            ema: Mapping[str, float | str | HalfLife] = ...,
            tasks: Mapping[str, str | Task] = ...,
            batch: int = 64,
        ) -> None: ...

    # ---------------------------------------------------------------- reading and writing

    @classmethod
    def from_dict(
        cls, data: Any, *, allow_unknown: bool = False, strangers: bool | None = None
    ) -> Self:
        """Make a Spec from plain data, as read from JSON or YAML.

        Args:
            allow_unknown: accept unknown layers and functions, which `unknown` lists, so that a
                trained model does not fail because of a function that only its losses use.
            strangers: the former name of `allow_unknown`.
        """
        if strangers is not None:
            text = "Spec.from_dict(strangers=) is Spec.from_dict(allow_unknown=)"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            allow_unknown = strangers
        try:
            return cls.model_validate(data, context=ALLOW_UNKNOWN if allow_unknown else None)
        except ValidationError as error:
            raise spec_error(error, "Spec", _long_form(data)) from None
        except RecursionError:
            raise SpecError("the data are nested too deep") from None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a Spec from JSON text; SpecError for duplicate keys and non-finite numbers."""
        if len(text) > MAX_TEXT:
            raise SpecError(f"a Spec of {len(text)} characters; at most {MAX_TEXT} are read")
        return cls.from_dict(strict_json(text))

    def to_dict(self) -> dict[str, Any]:
        """Plain data with all defaults, so that later versions of ganzoo read the same Spec."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        return pretty_json(self.to_dict())

    # ------------------------------------------------------------------------- shorthands

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return key in {"round", "steps"}

    @classmethod
    def _spelt_out(cls, data: dict[str, Any]) -> Any:
        return _long_form(data)

    @model_validator(mode="before")
    @classmethod
    def _shorthands(cls, value: Any) -> Any:
        if isinstance(value, dict):
            if "round" in value and "stages" in value:
                raise SpecError([("round", "give either round (one stage) or stages, not both")])
            if "steps" in value and "round" not in value:
                raise SpecError([("steps", "is only for round; with stages, give steps to each")])
        return _long_form(value)

    def replace(self, **changes: Any) -> Self:
        """A copy with other values of these fields, validated like a new Spec.

        `round` replaces all stages by one; `steps` alone has the effect of `with_steps`.

        Raises:
            SpecError: a field is unknown, or the result is invalid.
        """
        if "round" in changes:
            gone = {"stages", *changes}
            data = {name: value for name, value in fields_of(self).items() if name not in gone}
            try:
                return self.model_validate({**data, **changes}, context=self._context())
            except ValidationError as error:
                raise spec_error(error, "Spec", _long_form({**data, **changes})) from None
        if "steps" in changes and "stages" not in changes:
            steps = changes.pop("steps")
            return self.replace(**changes).with_steps(steps)
        return super().replace(**changes)

    def _context(self) -> Any:
        return ALLOW_UNKNOWN if any(True for _ in self.unknown()) else None

    # ------------------------------------------------------------------------- validation

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if found := validation.problems(self, info.context == ALLOW_UNKNOWN):
            raise SpecError(found)
        return self

    # --------------------------------------------------------------------- what it says

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every expression with its path: lets, states, loss terms, tasks."""
        for name, text in self.let.items():
            yield f"let.{name}", text
        for name, state in self.state.items():
            for key, text in state.expressions():
                yield f"state.{name}.{key}", text
        for s, stage in enumerate(self.stages):
            for path, update in updates_with_paths(stage, f"stages.{s}"):
                for term, text in update.minimize.items():
                    yield f"{path}.minimize.{term}", text
        for name, task in self.tasks.items():
            for key, text in task.expressions:
                yield f"tasks.{name}.{key}", text

    def number_texts(self) -> Iterator[str]:
        """The expressions among the numbers of optimizers and averages."""
        for stage in self.stages:
            for update in stage.updates:
                for _, given, _ in numbers.numbers(update.optimizer):
                    if isinstance(given, str):
                        yield given
        for average in self.ema.values():
            given = average.half_life if isinstance(average, HalfLife) else average
            if isinstance(given, str):
                yield given

    def foreign(self) -> Iterator[tuple[str, str, str]]:
        """The former name of `unknown`."""
        warnings.warn("Spec.foreign is Spec.unknown", DeprecationWarning, stacklevel=2)
        return self.unknown()

    def unknown(self) -> Iterator[tuple[str, str, str]]:
        """The words that neither the core nor a plugin provides: path, kind (`functions`, ...),
        and the word."""
        for name in self.networks:
            for path, layer in self.layers_of(name):
                if isinstance(layer, UnknownLayer):
                    yield f"networks.{name}.{path}", "layers", layer.kind
        for path, text in self.expressions():
            calls = (node.name for node in ex.walk(ex.parse(text)) if isinstance(node, ex.Call))
            for name in calls:
                if (
                    name not in self.networks
                    and name != ex.GRADIENT
                    and vocabulary.function(name) is None
                ):
                    yield path, "functions", name
        for name, state in self.state.items():
            if isinstance(state, UnknownState):
                yield f"state.{name}", "states", state.kind
        for s, stage in enumerate(self.stages):
            for path, update in updates_with_paths(stage, f"stages.{s}"):
                if isinstance(update.optimizer, UnknownOptimizer):
                    yield f"{path}.optimizer", "optimizers", update.optimizer.kind
        for name, task in self.tasks.items():
            if isinstance(task.optimizer, UnknownOptimizer):
                yield f"tasks.{name}.optimizer", "optimizers", task.optimizer.kind

    @cached_property
    def lacking(self) -> FrozenDict[tuple[tuple[str, str, str], ...]]:
        """The tasks that cannot run because they need unknown words, each with these words as in
        `unknown`."""
        unknown, found = [*self.unknown()], dict[str, tuple[tuple[str, str, str], ...]]()
        for name, task in self.tasks.items() if unknown else ():
            used = {part for _, text in task.expressions for part in self.names_in(text)}
            needed: list[tuple[str, str, str]] = []
            for path, word, kind in unknown:
                room, owner = path.split(".")[:2]
                own = room == "tasks" and owner == name
                if own or (room in {"let", "networks", "state"} and owner in used):
                    needed.append((path, word, kind))
            if needed:
                found[name] = tuple(needed)
        return FrozenDict(found)

    def complete(self) -> None:
        """PluginError if a word is unknown, so that this Spec cannot be trained."""
        missing = [f"{word.rstrip('s')} {name!r} ({path})" for path, word, name in self.unknown()]
        if missing:
            raise PluginError(
                f"unknown here: {', '.join(missing[:5])}; install the plugin that brings it: "
                "`requires` in the model's config.json names it. See `ganzoo plugins`"
            )

    def names_in(self, text: str) -> set[str]:
        """The draws, lets, states, networks and functions that an expression needs, directly, in
        its lets, or in the expressions that its states read."""
        found: set[str] = set()
        pending = [text]
        while pending:
            for node in ex.walk(ex.parse(pending.pop())):
                if isinstance(node, ex.Name | ex.Call) and node.name not in found:
                    found.add(node.name)
                    if node.name in self.let:
                        pending.append(self.let[node.name])
                    if node.name in self.state:
                        pending += self.read_by(node.name)
        return found

    def flows_in(self, text: str) -> set[str]:
        """The draws, lets and networks that the gradient of an expression reaches.

        No gradient flows through functions such as detach, into states, or through arguments that
        a function takes as constants. The average of a network has no gradient; its arguments may
        have one.
        """
        found: set[str] = set()
        pending = [ex.parse(text)]
        while pending:
            node = pending.pop()
            match node:
                case ex.Name(name):
                    if name in self.let and name not in found:
                        pending.append(ex.parse(self.let[name]))
                    found.add(name)
                case ex.Binary("<" | ">"):
                    pass
                case ex.Call(ex.GRADIENT, (of, _)) if ex.GRADIENT not in self.networks:
                    # through x, too: a penalty on the gradient at G(z) trains G
                    pending.append(of)
                case ex.Call(name, arguments, _, average) if name in self.networks:
                    found |= set() if average else {name}
                    pending += arguments
                case ex.Call(name, arguments):
                    function = vocabulary.function(name)
                    if function is None or not function.stops_gradient:
                        constants = function.constants if function else ()
                        parameters = function.parameters if function else ()
                        pairs = zip_longest(parameters[: len(arguments)], arguments)
                        pending += (part for word, part in pairs if word not in constants)
                case _:
                    pending += ex.parts(node)
        return found

    def read_by(self, state: str) -> list[str]:
        """The expressions that the value of a state depends on, besides what it stores."""
        held = self.state[state]
        return [text for key, text in held.expressions() if held.texts.get(key) == "read"]

    @cached_property
    def taken(self) -> frozenset[str]:
        """Names that hide the words of the run: all except those of lets."""
        return frozenset((*self.draws, *self.networks, *self.state))

    @cached_property
    def schedule(self) -> Schedule:
        """Computes the scheduled numbers of its expressions, before each round."""
        return Schedule(self.let, self.taken)

    def run_words(self, text: str) -> set[str]:
        """The words of the run that an expression needs, directly or in its lets."""
        return self.names_in(text) & (set(numbers.RUN) - self.taken - set(self.let))

    def inputs_of(self, network: str) -> tuple[str, ...] | None:
        """The inputs of a network in the order of the call; None if they are not known yet."""
        return tuple(self.networks[network].inputs)

    def taps_of(self, network: str) -> tuple[str, ...] | None:
        """The taps of a network; None if they are not known yet."""
        return self.networks[network].taps

    def layers_of(self, network: str) -> Iterator[tuple[str, Layer]]:
        """The layers of a network with their paths."""
        return self.networks[network].walk()

    def is_frozen(self, network: str) -> bool:
        """Whether a network keeps its weights in every stage."""
        return self.networks[network].frozen

    def meaning(self, text: str) -> ex.Expression:
        """The tree of an expression; for the name of a let, the tree of the let."""
        tree = ex.parse(text)
        while isinstance(tree, ex.Name) and tree.name in self.let:
            tree = ex.parse(self.let[tree.name])
        return tree

    def with_lets(self, text: str) -> list[str]:
        """An expression and the expressions of the lets that it needs."""
        names = self.names_in(text)
        return [text, *(let for name, let in self.let.items() if name in names)]

    def states_in(self, text: str) -> tuple[str, ...]:
        """The states that an expression needs, in the order of the Spec."""
        names = self.names_in(text)
        return tuple(name for name in self.state if name in names)

    def networks_in(self, text: str) -> set[str]:
        return self.names_in(text) & set(self.networks)

    def draws_in(self, text: str) -> tuple[str, ...]:
        """The draws that an expression needs, in the order of the Spec."""
        names = self.names_in(text)
        return tuple(name for name in self.draws if name in names)

    def draws_of(self, task: Task) -> tuple[str, ...]:
        """The draws that a task needs, in the order of the Spec."""
        names = {name for _, text in task.expressions for name in self.names_in(text)}
        names |= set(task.solve)
        return tuple(name for name in self.draws if name in names)

    @cached_property
    def published(self) -> tuple[str, ...]:
        """The networks that the tasks need; a model folder has their weights."""
        return self._needed(self.tasks, self.networks)

    @cached_property
    def published_state(self) -> tuple[str, ...]:
        """The states that the tasks need; a model folder has their values."""
        return self._needed(self.tasks, self.state)

    @cached_property
    def usable_state(self) -> tuple[str, ...]:
        """The states of `published_state` that tasks without unknown words need."""
        known = [name for name in self.tasks if name not in self.lacking]
        return self._needed(known, self.state)

    def _needed(self, tasks: Iterable[str], room: Mapping[str, Any]) -> tuple[str, ...]:
        texts = [text for name in tasks for _, text in self.tasks[name].expressions]
        needed = {name for text in texts for name in self.names_in(text)}
        return tuple(name for name in room if name in needed)

    @cached_property
    def critics(self) -> tuple[str, ...]:
        """The networks that learn to estimate a distance between data and fakes."""
        found = {
            name
            for stage in self.stages
            for update in stage.updates
            if update.distance
            for name in update.train
        }
        return tuple(name for name in self.networks if name in found)

    def estimated(self, task: Task) -> bool:
        """Whether a score task uses a critic, which is trained to distinguish data from the samples
        of one generator and not to find anomalies."""
        return task.kind == "score" and bool(self.networks_in(task.output) & {*self.critics})

    @property
    def steps(self) -> int:
        """The number of rounds of all stages."""
        return sum(stage.steps for stage in self.stages)

    def with_steps(self, steps: int) -> Self:
        """A copy with `steps` rounds in all, distributed over the stages in proportion."""
        if steps < len(self.stages):
            raise SpecError(
                f"{steps} steps are too few for {len(self.stages)} stages; one each at least"
            )
        total, ends = 0, [0]
        for stage in self.stages:
            total += stage.steps
            ends.append(round(steps * total / self.steps))
        shares = [max(1, after - before) for before, after in pairwise(ends)]
        while sum(shares) > steps:  # a share of zero was raised to one
            shares[shares.index(max(shares))] -= 1
        stages = [
            stage.replace(steps=share) for stage, share in zip(self.stages, shares, strict=True)
        ]
        return self.replace(stages=tuple(stages))

    @property
    def open_ended(self) -> bool:
        """Whether a longer training starts exactly like a shorter one: there is one stage, and
        nothing in it depends on the progress."""
        texts = [*self.number_texts(), *(text for _, text in self.expressions())]
        return (
            len(self.stages) == 1
            and not any(getattr(u.optimizer, "decay", None) for u in self.stages[0].updates)
            and not any("progress" in self.run_words(text) for text in texts)
        )

    def data_draws(self) -> dict[str, Any]:
        """The draws that come from the data, by name."""
        return {name: draw for name, draw in self.draws.items() if isinstance(draw, DATA)}


def _long_form(value: Any) -> Any:
    """Expand the shorthands: `round` and `steps` for one stage, an expression for a task."""
    if not isinstance(value, dict):
        return value
    data = dict(cast("dict[str, Any]", value))
    if "round" in data:
        stage: dict[str, Any] = {"round": data.pop("round")}
        if "steps" in data:
            stage["steps"] = data.pop("steps")
        data["stages"] = [stage]
    if isinstance(data.get("tasks"), dict):
        data["tasks"] = {
            key: _task(key, task) for key, task in cast("dict[str, Any]", data["tasks"]).items()
        }
    return data


def _task(key: Any, task: Any) -> Any:
    if isinstance(task, str):
        task = {"output": task}
    if isinstance(task, dict) and "kind" not in task and key in TASK_KINDS:
        return {"kind": key, **cast("dict[str, Any]", task)}
    return task  # type: ignore[reportUnknownVariableType]
