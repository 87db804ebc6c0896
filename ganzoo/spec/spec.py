"""The Spec: everything about a GAN, as frozen, validated data."""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from ganzoo.errors import PluginError, SpecError, choices, nearest
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import DATA, Draw
from ganzoo.spec.frozen import Count, Frozen, FrozenDict, Identifier, Named, spec_error
from ganzoo.spec.layers import STRANGERS, Foreign
from ganzoo.spec.network import Network
from ganzoo.spec.schedule import ExpressionText, Stage, Together, Update

TaskKind = Literal["generate", "encode", "reconstruct", "translate", "score"]
TASK_KINDS: tuple[str, ...] = ("generate", "encode", "reconstruct", "translate", "score")
MAX_TEXT = 2_000_000
"""Longest JSON text of a Spec that is read, in characters."""


class Task(Frozen):
    """Something that the trained model can do: an expression over draws.

    Noise among its inputs is drawn from a seed; fields of the data are given by the caller.

    Args:
        kind: generate, encode and translate give what the expression says, reconstruct an
            image like its input, score one number an image (higher is stranger).
        output: the expression.
        map: for score: where the strangeness is, an image like the input.
        quantile: for score: the share of normal images that shall pass. A run then holds some
            images out of training, and stores the score that so many of them stay below.
        to: for translate: the name of the domain it leads to.
    """

    kind: TaskKind
    output: ExpressionText
    map: ExpressionText | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    to: Identifier | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for word in ("map", "quantile"):
            if getattr(self, word) is not None and self.kind != "score":
                raise SpecError([(word, f"a task of kind {self.kind!r} has no {word}; score has")])
        if (self.to is not None) != (self.kind == "translate"):
            raise SpecError([("to", "names the domain that a task of kind 'translate' leads to")])
        return self

    @property
    def expressions(self) -> tuple[tuple[str, str], ...]:
        """The expressions of this task with their keys."""
        return (("output", self.output), *((("map", self.map),) if self.map else ()))


class Spec(Frozen):
    """A GAN as data: what it draws, its networks, its losses, its schedule, and what it can do.

    Everything downstream (the engine, the store, the card, the demo) reads only this.

    Args:
        title: its name for people. source: where it comes from, such as `arXiv:1406.2661`.
        draws: what arrives fresh for each update, by name.
        networks: the networks by name, in the paper's letters.
        let: names for expressions that are used more than once.
        stages: what is trained, in order. `round=[...]` and `steps=...` stand for one stage.
        ema: for networks whose moving average is published, its decay for each round.
        tasks: what the trained model can do, by name; `{"generate": "G(z)"}` for short.
        batch: samples in a batch.
    """

    title: Annotated[str, Field(max_length=200)] = Field("", kw_only=True)
    source: Annotated[str, Field(max_length=500)] = Field("", kw_only=True)
    draws: Annotated[Named[Draw], Field(min_length=1, max_length=32)]
    networks: Annotated[Named[Network], Field(min_length=1, max_length=32)]
    let: Annotated[Named[ExpressionText], Field(max_length=64)] = Field(default_factory=FrozenDict)
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=16)] = Field(kw_only=True)
    ema: Annotated[Named[Annotated[float, Field(gt=0, lt=1)]], Field(max_length=32)] = Field(
        default_factory=FrozenDict
    )
    tasks: Annotated[Named[Task], Field(max_length=32)] = Field(default_factory=FrozenDict)
    batch: Annotated[Count, Field(le=65_536)] = 64

    if TYPE_CHECKING:  # what may be given, shorthands too; pydantic makes of it what is declared

        def __init__(
            self,
            *,
            title: str = "",
            source: str = "",
            draws: Mapping[str, Draw],
            networks: Mapping[str, Network],
            let: Mapping[str, str] = ...,
            stages: Sequence[Stage] = ...,
            round: Sequence[Update | Together] = ...,
            steps: int = ...,
            ema: Mapping[str, float] = ...,
            tasks: Mapping[str, str | Task] = ...,
            batch: int = 64,
        ) -> None: ...

    # ---------------------------------------------------------------- reading and writing

    @classmethod
    def from_dict(cls, data: Any, *, strangers: bool = False) -> Self:
        """A Spec from plain data, as read from JSON or YAML.

        Args:
            strangers: let layers and functions stand that nobody here knows; `foreign` names
                them. A trained model is not to fail for a word that only its losses use.
        """
        try:
            return cls.model_validate(data, context=STRANGERS if strangers else None)
        except ValidationError as error:
            raise spec_error(error, "Spec", _long_form(data)) from None
        except RecursionError:
            raise SpecError("the data are nested too deep") from None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A Spec from JSON text; duplicate keys and non-finite numbers are refused."""
        if len(text) > MAX_TEXT:
            raise SpecError(f"a Spec of {len(text)} characters; at most {MAX_TEXT} are read")
        return cls.from_dict(strict_json(text))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, complete: defaults stand in it, so that a later ganzoo reads the same."""
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
                raise SpecError([("steps", "stands beside round; with stages, each has its own")])
        return _long_form(value)

    # ------------------------------------------------------------------------- validation

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        strangers = info.context == STRANGERS
        problems = [*self._name_problems()] or [*self._expression_problems(strangers)]
        problems = problems or [*self._schedule_problems()]
        problems = problems or [*self._untrained()] or [*self._unused()]
        if problems:
            raise SpecError(problems)
        return self

    def _name_problems(self) -> Iterator[tuple[str, str]]:
        owners: dict[str, str] = {}
        for room in ("draws", "networks", "let"):
            for name in getattr(self, room):
                if name in owners:
                    yield f"{room}.{name}", f"the name is taken by {owners[name]}.{name}"
                elif keyword.iskeyword(name):
                    yield f"{room}.{name}", "a keyword of Python cannot be a name"
                elif name in vocabulary.FUNCTIONS:
                    yield f"{room}.{name}", f"the name is taken by the function {name!r}"
                owners[name] = room
        for name in self.ema:
            if name not in self.networks:
                yield f"ema.{name}", _unknown("network", name, self.networks)
        stages = [stage.name for stage in self.stages]
        for index, name in enumerate(stages):
            if name in stages[:index]:
                yield f"stages.{index}.name", f"the name {name!r} is taken by another stage"

    def _expression_problems(self, strangers: bool) -> Iterator[tuple[str, str]]:
        for path, text in self.expressions():
            try:
                tree = ex.parse(text)
                if strangers and self._strange(tree):
                    continue
                self._check(tree, path.startswith("let."))
            except SpecError as error:
                yield from (
                    (".".join(filter(None, (path, sub))), text) for sub, text in error.problems
                )
        for name in [*self._cycles()][:1]:  # all names of a cycle are in it; one is enough
            yield f"let.{name}", f"{name!r} is defined by itself"

    def _strange(self, tree: ex.Expression) -> bool:
        """Whether an expression calls what nobody here knows, so that it cannot be checked."""
        return any(
            isinstance(node, ex.Call)
            and (
                vocabulary.function(node.name) is None
                if node.name not in self.networks
                else any(isinstance(layer, Foreign) for _, layer in self.networks[node.name].walk())
            )
            for node in ex.walk(tree)
        )

    def _cycles(self) -> Iterator[str]:
        def reaches(start: str, name: str, seen: set[str]) -> bool:
            try:
                tree = ex.parse(self.let[name])
            except SpecError:
                return False
            for node in ex.walk(tree):
                if isinstance(node, ex.Name) and node.name in self.let:
                    if node.name == start:
                        return True
                    if node.name not in seen:
                        seen.add(node.name)
                        if reaches(start, node.name, seen):
                            return True
            return False

        return (name for name in self.let if reaches(name, name, {name}))

    def _check(self, node: ex.Expression, in_let: bool, argument: bool = False) -> None:
        """Every name known, every call with the right number of arguments of the right kind."""
        match node:
            case ex.Name(name):
                if name in self.networks:
                    inputs = ", ".join(self.networks[name].inputs)
                    raise SpecError(
                        f"{name!r} is a network and not a value; call it: {name}({inputs})"
                    )
                if name not in self.draws and name not in self.let:
                    raise SpecError(
                        _unknown("draw or let", name, [*self.draws, *self.let, *self.networks])
                    )
            case ex.Negative(operand):
                self._check(operand, in_let)
            case ex.Binary(_, left, right):
                self._check(left, in_let)
                self._check(right, in_let)
            case ex.Several(items):
                if not argument:
                    raise SpecError(f"{node} may only stand as an argument of a function")
                for item in items:
                    self._check(item, in_let)
            case ex.Call(name) if name in self.networks:
                self._check_network_call(node, in_let)
            case ex.Call():
                self._check_function_call(node, in_let)
            case ex.Number():
                pass

    def _check_network_call(self, call: ex.Call, in_let: bool) -> None:
        network = self.networks[call.name]
        if len(call.arguments) != len(network.inputs):
            raise SpecError(
                f"{call}: network {call.name!r} takes {len(network.inputs)} inputs "
                f"({', '.join(network.inputs)}), not {len(call.arguments)}"
            )
        if call.output and call.output not in network.taps:
            raise SpecError(f"{call}: {_unknown('tap', call.output, network.taps)}")
        for argument in call.arguments:
            self._check(argument, in_let)

    def _check_function_call(self, call: ex.Call, in_let: bool) -> None:
        function = vocabulary.function(call.name)
        if function is not None and call.output:
            raise SpecError(
                f"{call}: {call.name!r} is a function; only networks have named outputs"
            )
        if function is None:
            known = [*self.networks, *vocabulary.current().functions]
            raise SpecError(_unknown("network or function", call.name, known))
        if not function.required <= len(call.arguments) <= len(function.parameters):
            raise SpecError(
                f"{call}: {function.signature} takes {function.required}"
                + (
                    f" to {len(function.parameters)}"
                    if function.required < len(function.parameters)
                    else ""
                )
                + f" arguments, not {len(call.arguments)}"
            )
        for parameter, argument in zip(function.parameters, call.arguments, strict=False):
            if parameter not in function.networks:
                self._check(argument, in_let, argument=True)
                continue
            if not isinstance(argument, ex.Name) or argument.name not in self.networks:
                raise SpecError(
                    f"{call}: {parameter} must be a network: one of {choices(self.networks)}"
                )
            for path, layer in self.networks[argument.name].walk():
                if reason := function.refuses.get(layer.kind):
                    raise SpecError(
                        f"{call}: {call.name} refuses {layer.kind} "
                        f"(networks.{argument.name}.{path}): {reason}"
                    )

    def _schedule_problems(self) -> Iterator[tuple[str, str]]:
        known: dict[str, tuple[Any, ...]] = {}
        for s, stage in enumerate(self.stages):
            for name in stage.freeze:
                if name not in self.networks:
                    yield f"stages.{s}.freeze", _unknown("network", name, self.networks)
            names: set[str] = set()
            for path, update in _updates(stage, f"stages.{s}"):
                same = (update.train, update.optimizer.kind)
                if update.name in names:
                    yield (
                        f"{path}.name",
                        f"the name {update.name!r} is taken by another update of this stage",
                    )
                elif known.setdefault(update.name, same) != same:
                    yield (
                        f"{path}.name",
                        (
                            f"an update {update.name!r} of another stage trains other networks or "
                            "has another kind of optimizer; updates of one name share their state"
                        ),
                    )
                names.add(update.name)
                needed: set[str] = set()
                for text in update.minimize.values():
                    needed |= self.networks_in(text)
                for index, name in enumerate(update.train):
                    where = f"{path}.train.{index}"
                    if name not in self.networks:
                        yield where, _unknown("network", name, self.networks)
                    elif name in stage.freeze:
                        yield where, f"{name!r} is frozen in this stage"
                    elif name not in needed:
                        yield where, f"{name!r} is trained here, but no term depends on it"

    def _untrained(self) -> Iterator[tuple[str, str]]:
        trained = {
            name for stage in self.stages for update in stage.updates for name in update.train
        }
        for name in self.networks:
            if name not in trained:
                yield f"networks.{name}", "no update trains this network"

    def _unused(self) -> Iterator[tuple[str, str]]:
        used = {
            name
            for path, text in self.expressions()
            if not path.startswith("let.")
            for name in self.names_in(text)
        }
        for room in ("draws", "let", "networks"):
            for name in getattr(self, room):
                if name not in used:
                    yield (
                        f"{room}.{name}",
                        "is never used; use it in a loss or a task, or leave it out",
                    )

    # --------------------------------------------------------------------- what it says

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every expression with its path: lets, loss terms, tasks."""
        for name, text in self.let.items():
            yield f"let.{name}", text
        for s, stage in enumerate(self.stages):
            for path, update in _updates(stage, f"stages.{s}"):
                for term, text in update.minimize.items():
                    yield f"{path}.minimize.{term}", text
        for name, task in self.tasks.items():
            for key, text in task.expressions:
                yield f"tasks.{name}.{key}", text

    def foreign(self) -> Iterator[tuple[str, str, str]]:
        """Words that nobody here knows: path, `functions` or `layers`, and the word."""
        for name, network in self.networks.items():
            for path, layer in network.walk():
                if isinstance(layer, Foreign):
                    yield f"networks.{name}.{path}", "layers", layer.kind
        for path, text in self.expressions():
            calls = (node.name for node in ex.walk(ex.parse(text)) if isinstance(node, ex.Call))
            for name in calls:
                if name not in self.networks and vocabulary.function(name) is None:
                    yield path, "functions", name

    def complete(self) -> None:
        """PluginError where a word is foreign, and so nothing can be trained by this Spec."""
        missing = [f"{word.rstrip('s')} {name!r} ({path})" for path, word, name in self.foreign()]
        if missing:
            raise PluginError(
                f"nobody here knows {', '.join(missing[:5])}: install the plugin that brings it, "
                "which `requires` in config.json of the model names; see `ganzoo plugins`"
            )

    def names_in(self, text: str) -> set[str]:
        """Draws, lets, networks and functions that an expression needs, through its lets too."""
        found: set[str] = set()
        pending = [text]
        while pending:
            for node in ex.walk(ex.parse(pending.pop())):
                if isinstance(node, ex.Name | ex.Call) and node.name not in found:
                    found.add(node.name)
                    if node.name in self.let:
                        pending.append(self.let[node.name])
        return found

    def meaning(self, text: str) -> ex.Expression:
        """The tree of an expression; of one that is but the name of a let, the let's."""
        tree = ex.parse(text)
        while isinstance(tree, ex.Name) and tree.name in self.let:
            tree = ex.parse(self.let[tree.name])
        return tree

    def networks_in(self, text: str) -> set[str]:
        return self.names_in(text) & set(self.networks)

    def draws_in(self, text: str) -> tuple[str, ...]:
        """The draws that an expression needs, in the order of the Spec."""
        names = self.names_in(text)
        return tuple(name for name in self.draws if name in names)

    @cached_property
    def published(self) -> tuple[str, ...]:
        """The networks that the tasks need: what a model folder holds."""
        needed = {
            name
            for task in self.tasks.values()
            for _, text in task.expressions
            for name in self.networks_in(text)
        }
        return tuple(name for name in self.networks if name in needed)

    @property
    def steps(self) -> int:
        """Rounds of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def with_steps(self, steps: int) -> Self:
        """The same Spec trained for `steps` rounds, shared among the stages in proportion."""
        if steps < len(self.stages):
            raise SpecError(
                f"{steps} steps are too few for {len(self.stages)} stages; one each at least"
            )
        total, ends = 0, [0]
        for stage in self.stages:
            total += stage.steps
            ends.append(round(steps * total / self.steps))
        shares = [max(1, after - before) for before, after in pairwise(ends)]
        while sum(shares) > steps:  # a share of nothing was made one
            shares[shares.index(max(shares))] -= 1
        stages = [
            stage.model_copy(update={"steps": share})
            for stage, share in zip(self.stages, shares, strict=True)
        ]
        return self.model_copy(update={"stages": tuple(stages)})

    @property
    def open_ended(self) -> bool:
        """Whether a longer training begins as a shorter one: one stage, and no rate that decays."""
        return len(self.stages) == 1 and not any(
            update.optimizer.decay for update in self.stages[0].updates
        )

    def data_draws(self) -> dict[str, Any]:
        """The draws that come from the data, by name."""
        return {name: draw for name, draw in self.draws.items() if isinstance(draw, DATA)}


def _updates(stage: Stage, prefix: str) -> Iterator[tuple[str, Any]]:
    for index, item in enumerate(stage.round):
        if isinstance(item, Together):
            for inner, update in enumerate(item.together):
                yield f"{prefix}.round.{index}.together.{inner}", update
        else:
            yield f"{prefix}.round.{index}", item


def _long_form(value: Any) -> Any:
    """Spell out the shorthands: `round` and `steps` for one stage, a text for a task."""
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


def _unknown(what: str, name: str, allowed: Any) -> str:
    return f"no {what} {name!r}{nearest(name, allowed)} allowed: {choices(allowed)}"


def pretty_json(value: Any, indent: int = 0) -> str:
    """JSON with everything on one line that fits there, for people who open the file."""
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
    """JSON without duplicate keys, NaN, infinities or absurd nesting."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise SpecError(f"the key {key!r} stands twice in one object")
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
