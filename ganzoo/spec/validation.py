"""Validation of a Spec as a whole: names, expressions, updates, unused parts.

Each mistake is reported once, at its path. Later checks run only if the earlier ones found nothing,
since all of them would report the same wrong name.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec import expression as ex
from ganzoo.spec import mixing, numbers, vocabulary
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.draws import Index
from ganzoo.spec.layers import UnknownLayer
from ganzoo.spec.numbers import Numeric
from ganzoo.spec.optimizers import Shared
from ganzoo.spec.schedule import Stage, Together, Update, too_many_kinds
from ganzoo.spec.tasks import wrong_inputs

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec

Problems = Iterator[tuple[str, str]]
Places = tuple[tuple[str, ...], ...]
ROOMS = ("draws", "networks", "let", "state")
"""The parts of a Spec that define names for expressions."""

MAX_DEPTH, MAX_GRADIENTS, MAX_GRADIENT_DEPTH = 150, 32, 3
"""The maximum depth of an expression with its lets expanded; the maximum number of `grad(y, x)` in
a Spec, and their maximum nesting."""

LEARNED = {
    "linear", "conv", "deconv", "maxout", "embedding", "mod_conv", "cond_norm", "attention", "bias",
    "constant", "basis", "add_noise",
}  # fmt: skip
"""Layers of the core that always have weights; a dry run finds the others."""


def problems(spec: Spec, allow_unknown: bool) -> list[tuple[str, str]]:
    """All mistakes with their paths; `allow_unknown` allows unknown words."""
    return (
        [*_names(spec, allow_unknown)]
        or [*_expressions(spec, allow_unknown)]
        or [*_depths(spec)]
        or [*_task_words(spec)]
        or ([] if allow_unknown else [*_task_inputs(spec)])
        or [*_schedule(spec)]
        or ([] if allow_unknown else [*_mixing(spec)])
        or [*_untrained(spec)]
        or [*_unused(spec)]
    )


def updates_with_paths(stage: Stage, prefix: str) -> Iterator[tuple[str, Update]]:
    """The updates of a stage with their paths."""
    for index, item in enumerate(stage.round):
        if isinstance(item, Together):
            for inner, update in enumerate(item.together):
                yield f"{prefix}.round.{index}.together.{inner}", update
        else:
            yield f"{prefix}.round.{index}", item


def unknown(what: str, name: str, allowed: Any) -> str:
    return f"no {what} {name!r}{nearest(name, allowed)} allowed: {choices(allowed)}"


# ------------------------------------------------------------------------------------ names


def _names(spec: Spec, allow_unknown: bool) -> Problems:
    owners: dict[str, str] = {}
    for room in ROOMS:
        for name in getattr(spec, room):
            if name in owners:
                yield f"{room}.{name}", f"the name is taken by {owners[name]}.{name}"
            elif keyword.iskeyword(name):
                yield f"{room}.{name}", "a keyword of Python cannot be a name"
            # a later ganzoo has more functions, and must still load a published model: a call is
            # distinguished from a name, and networks take precedence over functions
            elif name in vocabulary.FUNCTIONS and not allow_unknown:
                yield f"{room}.{name}", f"the name is taken by the function {name!r}"
            elif room == "networks" and name == "state" and spec.state:
                yield f"{room}.{name}", "a network of this name would hide states in model folders"
            elif name == ex.GRADIENT and not allow_unknown:
                yield f"{room}.{name}", f"the name is taken: {name}(y, x) is a gradient"
            owners[name] = room
    for name in spec.ema:
        if name not in spec.networks:
            yield f"ema.{name}", unknown("network", name, spec.networks)
    for task_name, task in spec.tasks.items():
        for name in task.numbers:
            if name in owners:
                where = f"tasks.{task_name}.numbers.{name}"
                yield where, f"the name is taken by {owners[name]}.{name}"
    stages = [stage.name for stage in spec.stages]
    for index, name in enumerate(stages):
        if name in stages[:index]:
            yield f"stages.{index}.name", f"the name {name!r} is taken by another stage"


# ------------------------------------------------------------------------------ expressions


def _expressions(spec: Spec, allow_unknown: bool) -> Problems:
    unread = False
    for path, text in spec.expressions():
        tree: ex.Expression | None = None
        try:
            tree = ex.parse(text)
            if allow_unknown and _calls_unknown(spec, tree):
                continue
            _Check(spec, path).node(tree)
        except SpecError as error:
            unread |= tree is None
            yield from ((".".join(filter(None, (path, sub))), text) for sub, text in error.problems)
    if unread:
        return
    for name in [*_cycles(spec)][:1]:  # it has all names of a cycle; one is enough
        yield f"let.{name}", f"{name!r} is defined by itself"


def _task_words(spec: Spec) -> Problems:
    """Draws, states and words of the run that a task must not use, not even through lets."""
    for path, text in spec.expressions():
        if path.startswith("tasks."):
            try:
                run = sorted(spec.run_words(text))
            except SpecError:  # parse errors have been reported
                continue
            if run:
                yield path, f"{run[0]!r} is a word of training, and a task has no rounds"
            for name in spec.draws_in(text):
                if isinstance(spec.draws[name], Index):
                    yield path, f"{name!r} counts the samples of training, and a task has none"
            for name in spec.states_in(text):
                if spec.read_by(name):
                    what = f"is read from {spec.read_by(name)[0]!r} while training"
                    yield path, f"{name!r} {what}, and a task has only what states keep"


def _task_inputs(spec: Spec) -> Problems:
    for name, task in spec.tasks.items():
        if wrong := wrong_inputs(task, {draw: spec.draws[draw] for draw in spec.draws_of(task)}):
            yield ".".join(filter(None, ("tasks", name, wrong[0]))), wrong[1]


def _depths(spec: Spec) -> Problems:
    """The depth of expressions with their lets expanded, and of nested gradients.

    Each gradient computes its argument again.
    """
    used = {name: [*_names_at(ex.parse(text))] for name, text in spec.let.items()}
    lets: dict[str, tuple[int, int]] = {}

    def depth(places: list[tuple[str, int, int]]) -> tuple[int, int]:
        nodes = gradients = 0
        for name, below, inside in places:
            if name in used and name not in lets:
                lets[name] = depth(used[name])
            more = lets.get(name, (0, 0))
            nodes, gradients = max(nodes, below + more[0]), max(gradients, inside + more[1])
        return nodes, gradients

    number = 0
    for path, text in spec.expressions():
        tree = ex.parse(text)
        number += sum(isinstance(n, ex.Call) and n.name == ex.GRADIENT for n in ex.walk(tree))
        nodes, gradients = depth([*_names_at(tree)])
        if nodes > MAX_DEPTH:
            yield path, f"nested {nodes} deep with its lets written out; at most {MAX_DEPTH}"
        elif gradients > MAX_GRADIENT_DEPTH:
            yield path, f"gradients in gradients, {gradients} deep; at most {MAX_GRADIENT_DEPTH}"
        elif number > MAX_GRADIENTS:
            yield path, f"more than {MAX_GRADIENTS} gradients in one Spec"
        else:
            continue
        return  # its users have the same problem


def _names_at(
    node: ex.Expression, below: int = 0, inside: int = 0
) -> Iterator[tuple[str, int, int]]:
    """Each name with its depth in nodes and in gradients."""
    if isinstance(node, ex.Name):
        yield node.name, below, inside
    inner = isinstance(node, ex.Call) and node.name == ex.GRADIENT
    for part in ex.parts(node):
        yield from _names_at(part, below + 1, inside + inner)
    yield "", below, inside + inner


def _calls_unknown(spec: Spec, tree: ex.Expression) -> bool:
    """Whether an expression calls an unknown function, so that it cannot be checked."""
    return any(
        isinstance(node, ex.Call)
        and node.name != ex.GRADIENT
        and (
            vocabulary.function(node.name) is None
            if node.name not in spec.networks
            else any(
                isinstance(layer, UnknownLayer) for _, layer in spec.networks[node.name].walk()
            )
        )
        for node in ex.walk(tree)
    )


def _cycles(spec: Spec) -> Iterator[str]:
    uses: dict[str, set[str]] = {}
    for name, text in spec.let.items():
        try:
            nodes = [*ex.walk(ex.parse(text))]
        except SpecError:
            nodes = []
        uses[name] = {n.name for n in nodes if isinstance(n, ex.Name) and n.name in spec.let}
    for name in spec.let:
        reached: set[str] = set()
        pending = [*uses[name]]
        while pending:
            if (other := pending.pop()) not in reached:
                reached.add(other)
                pending += uses[other]
        if name in reached:
            yield name


class _Check:
    """Checks that names are known and that calls have the right number and kinds of arguments."""

    def __init__(self, spec: Spec, path: str) -> None:
        self.spec = spec
        room, _, rest = path.partition(".")
        task = spec.tasks.get(rest.split(".")[0]) if room == "tasks" else None
        self.numbers = tuple(task.numbers) if task else ()

    def node(self, node: ex.Expression, argument: bool = False) -> None:
        spec = self.spec
        match node:
            case ex.Name(name):
                if name in spec.networks:
                    inputs = ", ".join(spec.inputs_of(name) or ("...",))
                    raise SpecError(
                        f"{name!r} is a network and not a value; call it: {name}({inputs})"
                    )
                allowed = {*spec.draws, *spec.let, *spec.state, *numbers.RUN, *self.numbers}
                if name not in allowed:
                    known = [*spec.draws, *spec.let, *spec.state, *self.numbers]
                    raise SpecError(
                        unknown("draw or let", name, [*known, *spec.networks, *numbers.RUN])
                    )
            case ex.Several(items):
                if not argument:
                    raise SpecError(f"{node} may only be an argument of a function")
                for item in items:
                    self.node(item)
            case ex.Call(name) if name in spec.networks:
                self._network(node)
            case ex.Call(name) if name == ex.GRADIENT:
                self._gradient(node)
            case ex.Call():
                self._function(node)
            case _:
                for part in ex.parts(node):
                    self.node(part)

    def _network(self, call: ex.Call) -> None:
        inputs, taps = self.spec.inputs_of(call.name), self.spec.taps_of(call.name)
        if inputs is not None and len(call.arguments) != len(inputs):
            raise SpecError(
                f"{call}: network {call.name!r} takes {len(inputs)} inputs "
                f"({', '.join(inputs)}), not {len(call.arguments)}"
            )
        if call.output and taps is not None and call.output not in taps:
            raise SpecError(f"{call}: {unknown('tap', call.output, taps)}")
        if call.average and call.name not in self.spec.ema:
            raise SpecError(
                f"{call}: {call.name} has no moving average; give it one, such as "
                f"ema: {{{call.name}: 0.999}}"
            )
        for argument in call.arguments:
            self.node(argument)

    def _gradient(self, call: ex.Call) -> None:
        if len(call.arguments) != 2 or call.output or call.average:
            raise SpecError(f"{call}: write grad(y, x), the gradient of y with respect to x")
        of, at = call.arguments
        self.node(of)
        self.node(at)
        if not self._stands_in(at, of, set()):
            raise SpecError(f"{call}: {at} does not stand in {of}, not even in its lets")

    def _stands_in(self, wanted: ex.Expression, node: ex.Expression, seen: set[str]) -> bool:
        for part in ex.walk(node):
            if part == wanted:
                return True
            name = part.name if isinstance(part, ex.Name) else ""
            texts = [self.spec.let[name]] if name in self.spec.let else []
            if name in self.spec.state:
                texts += self.spec.read_by(name)
            if texts and name not in seen:
                seen.add(name)
                if any(self._stands_in(wanted, ex.parse(text), seen) for text in texts):
                    return True
        return False

    def _function(self, call: ex.Call) -> None:
        spec = self.spec
        function = vocabulary.function(call.name)
        if function is not None and (call.output or call.average):
            raise SpecError(
                f"{call}: {call.name!r} is a function; only networks have named outputs"
            )
        if function is None:
            known = [*spec.networks, *vocabulary.current().functions, ex.GRADIENT]
            near = ex.meant(call.name, known)
            raise SpecError(f"no network or function {call.name!r}{near} allowed: {choices(known)}")
        if not function.required <= len(call.arguments) <= len(function.parameters):
            most = len(function.parameters)
            up_to = f" to {most}" if function.required < most else ""
            raise SpecError(
                f"{call}: {function.signature} takes {function.required}{up_to}"
                f" arguments, not {len(call.arguments)}"
            )
        for parameter, argument in zip(function.parameters, call.arguments, strict=False):
            if parameter not in function.networks:
                self.node(argument, argument=True)
                continue
            if not isinstance(argument, ex.Name) or argument.name not in spec.networks:
                raise SpecError(
                    f"{call}: {parameter} must be a network: one of {choices(spec.networks)}"
                )
            for path, layer in spec.layers_of(argument.name):
                if reason := function.refuses.get(layer.kind):
                    raise SpecError(
                        f"{call}: {call.name} refuses {layer.kind} "
                        f"(networks.{argument.name}.{path}): {reason}"
                    )


# --------------------------------------------------------------------------------- schedule


def _schedule(spec: Spec) -> Problems:
    known: dict[str, tuple[Any, ...]] = {}
    for s, stage in enumerate(spec.stages):
        if spec.state and (wrong := too_many_kinds((*stage.round, *spec.state.values()))):
            yield f"stages.{s}.round", f"with the states, {wrong}"
        for name in stage.freeze:
            if name not in spec.networks:
                yield f"stages.{s}.freeze", unknown("network", name, spec.networks)
        names: set[str] = set()
        for path, update in updates_with_paths(stage, f"stages.{s}"):
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
            yield from _trained(spec, stage, path, update)
            yield from _optimizer(spec, stage, path, update)
    yield from _averages(spec)


def _mixing(spec: Spec) -> Problems:
    stages = enumerate(spec.stages)
    updates = (item for s, stage in stages for item in updates_with_paths(stage, f"stages.{s}"))
    return mixing.problems(spec, updates)


def _trained(spec: Spec, stage: Stage, path: str, update: Update) -> Problems:
    needed: set[str] = set()
    reached: set[str] = set()
    for text in update.minimize.values():
        needed |= spec.networks_in(text)
        reached |= spec.flows_in(text)
    for index, name in enumerate(update.train):
        where = f"{path}.train.{index}"
        if name not in spec.networks:
            yield where, unknown("network", name, spec.networks)
        elif name in stage.freeze:
            yield where, f"{name!r} is frozen in this stage"
        elif spec.is_frozen(name):
            yield where, f"{name!r} is frozen (networks.{name})"
        elif name not in needed:
            yield where, f"{name!r} is trained here, but no term depends on it"
        elif name not in reached:
            yield (
                where,
                (
                    f"{name!r} is trained here, and no gradient of a term reaches it: what it "
                    "makes is detached, compared, kept in a state, or where a penalty begins"
                ),
            )


def _optimizer(spec: Spec, stage: Stage, path: str, update: Update) -> Problems:
    for sub, text in numbers.problems(
        update.optimizer, spec.let, spec.taken, stage.steps, spec.batch
    ):
        yield f"{path}.optimizer.{sub}", text
    if not isinstance(update.optimizer, Shared):
        return
    owners = {
        other.name: other for other in stage.updates if not isinstance(other.optimizer, Shared)
    }
    owner = owners.get(update.optimizer.of)
    where = f"{path}.optimizer.of"
    if owner is None:
        yield where, unknown("update with an optimizer of its own", update.optimizer.of, owners)
    elif stray := [name for name in update.train if name not in owner.train]:
        yield (
            where,
            (
                f"{stray[0]!r} is trained here, and not by update {owner.name!r}, whose optimizer "
                f"this is; it knows {choices(owner.train)}"
            ),
        )


def _averages(spec: Spec) -> Problems:
    for name, average in spec.ema.items():
        if isinstance(average, float):
            continue
        if isinstance(average, HalfLife):
            path, text, limits = f"ema.{name}.half_life", average.half_life, Numeric(ge=0)
        else:
            path, text, limits = f"ema.{name}", average, Numeric(ge=0, le=1)
        if isinstance(text, str) and (
            wrong := numbers.problem(text, limits, spec.let, spec.taken, spec.steps, spec.batch)
        ):
            yield path, wrong


# ---------------------------------------------------------------------------- what is unused


def _untrained(spec: Spec) -> Problems:
    trained = {name for stage in spec.stages for update in stage.updates for name in update.train}
    for name in spec.networks:
        learns = any(layer.kind in LEARNED for _, layer in spec.layers_of(name))
        if name not in trained and learns and not spec.is_frozen(name):
            yield (
                f"networks.{name}",
                "no update trains this network; frozen: true keeps its weights as they begin",
            )


def _unused(spec: Spec) -> Problems:
    used = {
        name
        for path, text in spec.expressions()
        if not path.startswith(("let.", "state."))
        for name in spec.names_in(text)
    }
    used |= {name for name, state in spec.state.items() if state.is_number}  # they are logged
    for texts in (spec.number_texts(), _texts_of_used_states(spec, used)):
        for text in texts:
            used |= spec.names_in(text)
    for room in ROOMS:
        for name in getattr(spec, room):
            if name not in used:
                yield (
                    f"{room}.{name}",
                    "is never used; use it in a loss or a task, or leave it out",
                )


def _texts_of_used_states(spec: Spec, used: set[str]) -> Iterator[str]:
    """The expressions that states compute after a round, if something uses these states."""
    seen: set[str] = set()
    found = used & set(spec.state)
    while found - seen:
        name = min(found - seen)
        seen.add(name)
        for _, text in spec.state[name].expressions():
            yield text
            found |= spec.names_in(text) & set(spec.state)
