"""The source of a round: the plan as ordinary Python.

`write(round)` writes the values of a round as one function of `draw`, `gradients` and `apply`;
`compile_round` compiles it. The source consists only of identifiers and numbers of a validated
Spec.

Where a Spec needs them, the function also asks for numbers that follow the run (`number`), for
values of states (`recall`), for means over all processes (`everywhere`), and passes the inputs of
states on (`remember`): the `Tools`.
"""

from __future__ import annotations

import hashlib
import itertools
import linecache
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.nn.functions import load
from ganzoo.nn.processes import on_all_samples
from ganzoo.spec import vocabulary

if TYPE_CHECKING:
    from ganzoo.engine.plan import Round
    from ganzoo.engine.values import Execution, Value

OWN_WORDS = (
    "train_round", "draw", "gradients", "apply", "no_grad", "range", "k", "number", "recall",
    "remember", "everywhere", "leaf", "grad",
)  # fmt: skip


def _alone(value: Tensor) -> Tensor:
    return value


def _absent(*_: Any, **__: Any) -> Any:
    raise AssertionError("this round asks for more than it was given")


@dataclass(frozen=True)
class Tools:
    """Dependencies of a round beside draws, gradients and steps.

    number(text): the value of an expression of the run, as a 0-dim tensor.
    recall(state, **values): the value of a state. remember(state, **values): its inputs for the
    next round; all states change once the last one has been passed.
    everywhere(value): the mean of a value over all processes. averages: moving averages of
    networks, as modules by name. several: whether there are other processes. turns: whether the
    function is a generator, which yields the name of each update instead of calling `apply`.
    """

    number: Callable[[str], Tensor] = _absent
    recall: Callable[..., Tensor] = _absent
    remember: Callable[..., None] = _absent
    everywhere: Callable[[Tensor], Tensor] = _alone
    averages: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())
    several: bool = False
    turns: bool = False


def leaf(value: Tensor) -> Tensor:
    """The same numbers, as a point to take gradients with respect to."""
    return value.detach().requires_grad_()


def gradient(of: Tensor, at: Tensor, create_graph: bool = False) -> Tensor:
    """The gradient of each sample's own number: that of their sum, as samples do not depend on each
    other."""
    with torch.enable_grad():  # it may be read where no graph is made, as within `detach`
        total = of.sum()
    [found] = torch.autograd.grad(total, at, create_graph=create_graph, retain_graph=True)
    return found


def write(round: Round) -> str:
    """The round as Python source."""
    return _Writer(round).write()


def own_words(round: Round) -> dict[str, str]:
    """The names that the code itself uses; prefixed by an underscore, with which no name of a Spec
    begins, where the Spec uses that name."""
    theirs = {*round.spec.networks, *round.spec.draws, *round.spec.let, *round.spec.state}
    theirs |= {value.word for value in round.values if value.kind == "function"}
    return {word: f"_{word}" if word in theirs else word for word in OWN_WORDS}


def average_words(round: Round) -> dict[str, str]:
    """The name of the moving average of each network that the round calls."""
    taken = {*round.spec.networks, *round.spec.draws, *round.spec.let, *round.spec.state}
    found: dict[str, str] = {}
    for name in round.averages:
        word = f"{name}_ema"
        while word in taken:
            word += "_"
        found[name] = word
        taken.add(word)
    return found


def compile_round(round: Round, names: Mapping[str, Any], tools: Tools) -> Callable[..., None]:
    """The function, with networks and functions looked up in `names`, the rest in `tools`."""
    ours = own_words(round)
    digest = hashlib.sha256(round.code.encode()).hexdigest()[:8]
    filename = f"<ganzoo round {round.stage.name} {digest}>"
    # so that tracebacks and debuggers show the lines
    linecache.cache[filename] = (len(round.code), None, round.code.splitlines(True), filename)
    functions = {word: _loaded(word, tools) for word in round.called}
    namespace: dict[str, Any] = {**functions, **names}
    namespace |= {word: tools.averages[name] for name, word in average_words(round).items()}
    namespace |= {ours["no_grad"]: torch.no_grad, ours["range"]: range}
    namespace |= {ours["leaf"]: leaf, ours["grad"]: gradient}
    for word in ("number", "recall", "remember", "everywhere"):
        namespace[ours[word]] = getattr(tools, word)
    # identifiers and numbers of a validated Spec, written by the writer below: no text of the
    # Spec reaches this line
    code = _in_turns(round.code, ours["apply"]) if tools.turns else round.code
    exec(compile(code, filename, "exec"), namespace)
    return namespace[ours["train_round"]]


def _in_turns(code: str, apply: str) -> str:
    """The round as a generator, so that parts of a batch can take turns; else the same code."""
    code = re.sub(rf"^( +){apply}\((.+)\)$", r"\1yield \2", code, flags=re.MULTILINE)
    return f"{code}    return\n    yield\n"  # a round of no updates is a generator, too


def _loaded(word: str, tools: Tools) -> Callable[..., Any]:
    function = vocabulary.function(word)
    mixes = tools.several and function is not None and function.mixes
    return on_all_samples(load(word)) if mixes else load(word)


class _Writer:
    """Writes a Round as Python."""

    def __init__(self, round: Round) -> None:
        self.round = round
        self.index = 0
        self.lines: list[str] = []
        self.open = False
        self.held: dict[str, Value] = {}
        self.ours = own_words(round)
        self.averages = average_words(round)
        theirs = {*round.spec.networks, *self.ours.values(), *self.averages.values()}
        self.taken = theirs | round.called

    @property
    def remembering(self) -> bool:
        """Whether the code after the last update is being written."""
        return self.index == len(self.round.executions)

    def write(self) -> str:
        ours = self.ours
        first = self._first()
        blocks: list[tuple[int, str]] = []
        for index, execution in enumerate(self.round.executions):
            self.index = index
            self.lines, self.open = [], False
            self._execution(execution)
            blocks.append((execution.version, "\n".join(self.lines)))
        body: list[str] = [*first]
        while blocks:
            version, text = blocks[0]
            run = 1
            while run < len(blocks) and blocks[run] == (version + run, text):
                run += 1
            if run > 1:
                body.append(f"    for {ours['k']} in {ours['range']}({version}, {version + run}):")
                body += [f"    {line}" for line in text.replace(_K, ours["k"]).split("\n")]
            else:
                body.append(text.replace(_K, str(version)))
            blocks = blocks[run:]
        body += self._last()
        head = f"def {ours['train_round']}({ours['draw']}, {ours['gradients']}, {ours['apply']}):"
        # a round in which nothing is due has an empty body
        return "\n".join([head, *(body or ["    pass"])]) + "\n"

    def _first(self) -> list[str]:
        """The code before all updates: numbers that follow the run, and current states."""
        self.lines, self.open = [], False
        for value in self.round.values:
            if value.kind == "scheduled":
                self._line(f"{self._name(value)} = {self.ours['number']}({value.word!r})")
            elif value.kind == "state" and not value.parts:
                self._line(f"{self._name(value)} = {self.ours['recall']}({value.word!r})")
        return self.lines

    def _last(self) -> list[str]:
        """The inputs of states."""
        self.index = len(self.round.executions)
        self.lines, self.open = [], False
        if not self.round.remembers:
            return []
        self._line("# after the round")
        roots = [value for remembered in self.round.remembers for _, value in remembered.values]
        fresh = self._fresh(roots)
        for value in fresh:
            if value.kind == "draw":
                self._line(
                    f"{self._name(value)} = {self.ours['draw']}({value.version}, {value.word!r})"
                )
        self._compute(fresh)
        for remembered in self.round.remembers:
            values = ", ".join(f"{key}={self._read(part)}" for key, part in remembered.values)
            self._line(f"{self.ours['remember']}({remembered.state!r}, {values})", False)
        return self.lines

    def _execution(self, execution: Execution) -> None:
        title = " and ".join(", ".join(update.train) for update in execution.updates)
        self._line(f"# update {title}")
        for update, terms in zip(execution.updates, execution.terms, strict=True):
            for term, key in zip(terms, update.minimize, strict=True):
                if term.first == self.index and not term.hint:
                    term.hint = f"{update.name}_{key}"
        fresh = self._fresh([term for terms in execution.terms for term in terms])
        self._draws([value for value in fresh if value.kind == "draw"])
        self._compute(fresh)
        for u, (update, terms) in enumerate(zip(execution.updates, execution.terms, strict=True)):
            parts = ", ".join(term.name for term in terms)
            keep = ", keep_graph=True" if self.round.keeps_graph(self.index, u) else ""
            self._line(f"{self.ours['gradients']}({update.name!r}, {parts}{keep})")
        for update in execution.updates:
            self._line(f"{self.ours['apply']}({update.name!r})")

    def _compute(self, fresh: list[Value]) -> None:
        for value in fresh:
            if value.kind == "call" and not _only_reader(self.round, value).nested:
                self._call(value)
            elif value.nested or value.aliases or (value.kind == "state" and not value.parts):
                continue
            elif value.kind in {"function", "operator", "gradient", "point", "state"}:
                text = self._text(value)
                self._line(f"{self._name(value)} = {text}", bool(value.wants))

    def _fresh(self, roots: list[Value]) -> list[Value]:
        """The values computed here for the first time, parts before wholes."""
        ordered: list[Value] = []

        def visit(value: Value) -> None:
            if value.first == self.index and value not in ordered:
                for part in value.parts:
                    visit(part)
                ordered.append(value)

        for root in roots:
            visit(root)
        return ordered

    def _draws(self, draws: list[Value]) -> None:
        if draws:
            words = ", ".join(repr(value.word) for value in draws)
            names = ", ".join(self._name(value) for value in draws)
            self._line(f"{names} = {self.ours['draw']}({_K}, {words})")

    def _call(self, call: Value) -> None:
        """A pass of a network: all outputs that are read get their names here."""
        names: list[str] = []
        text = self._call_text(call)
        for output in call.outputs:
            reader = _reader(self.round, call, output)
            reader.first = call.first
            reader.hint = reader.hint or "_".join(
                filter(None, (call.word, output, *(_label(part) for part in call.inputs)))
            )
            names.append(self._name(reader))
        self._line(f"{', '.join(names)} = {text}", bool(call.wants))

    def _call_text(self, call: Value) -> str:
        arguments = [self._use(part, call) for part in call.inputs]
        if call.outputs != [""]:
            arguments.append(f"outputs={tuple(call.outputs)!r}")
        word = self.averages[call.word] if call.average else call.word
        return f"{word}({', '.join(arguments)})"

    def _text(self, value: Value, rank: int = 0) -> str:
        """The expression that computes a value from named ones."""
        match value.kind:
            case "output":
                return self._call_text(value.inputs[0])
            case "function":
                pending = iter(value.inputs)
                arguments = [name or self._use(next(pending), value) for name in value.passed]
                arguments += [f"{key}={self._use(part, value)}" for key, part in value.noise]
                text = f"{value.word}({', '.join(arguments)})"
                return f"{self.ours['everywhere']}({text})" if value.everywhere else text
            case "state":
                parts = [*zip(value.passed, value.inputs, strict=True), *value.noise]
                arguments = [f"{key}={self._use(part, value)}" for key, part in parts]
                return f"{self.ours['recall']}({', '.join([repr(value.word), *arguments])})"
            case "point":
                return f"{self.ours['leaf']}({self._read(value.inputs[0])})"
            case "gradient":
                of, at = self._use(value.inputs[0], value), self._read(value.inputs[1])
                graph = ", create_graph=True" if value.wants else ""
                return f"{self.ours['grad']}({of}, {at}{graph})"
            case "operator" if value.word in "<>":
                left, right = (self._use(part, value, 1) for part in value.inputs)
                return f"({left} {value.word} {right}) * 1.0"
            case _:
                own = 1 if value.word in "+-" and len(value.inputs) == 2 else 2
                if len(value.inputs) == 1:
                    text = f"-{self._use(value.inputs[0], value, 3)}"
                else:
                    left, right = value.inputs
                    text = (
                        f"{self._use(left, value, own)} {value.word} "
                        f"{self._use(right, value, own + (value.word in '-/'))}"
                    )
                return f"({text})" if own < rank else text

    def _line(self, text: str, graph: bool = True) -> None:
        if graph:
            self.open = False
            self.lines.append(f"    {text}")
            return
        if not self.open:
            self.lines.append(f"    with {self.ours['no_grad']}():")
            self.open = True
        self.lines.append(f"        {text}")

    def _use(self, value: Value, user: Value, rank: int = 0) -> str:
        """How `user` reads `value`: detached where it wants no gradient of it."""
        text = self._read(value, user, rank)
        return f"{text}.detach()" if not value.nested and user.detaches(value) else text

    def _read(self, value: Value, user: Value | None = None, rank: int = 0) -> str:
        """A value by its name, or as an expression if it has none."""
        if self.remembering and value.reduced and not value.everywhere:
            text = self._text(value, rank) if value.nested else value.name
            return f"{self.ours['everywhere']}({text})"
        if value.kind == "number":
            return (
                f"{value.number:g}"
                if float(f"{value.number:g}") == value.number
                else repr(value.number)
            )
        if value.kind == "several":
            # no operation: the readers read the parts
            return f"({', '.join(self._use(part, user or value) for part in value.inputs)},)"
        if value.nested:
            return self._text(value, rank)
        return value.inputs[0].name if value.aliases else value.name

    def _name(self, value: Value) -> str:
        """A free name: its hint, numbered where a value that is still needed has that name."""
        base = value.hint or value.word or "value"
        base = base if base.isidentifier() else "value"
        for suffix in itertools.chain([""], (f"_{n}" for n in range(2, 1000))):
            name = base + suffix
            holder = self.held.get(name)
            if name not in self.taken and (
                holder is None or holder is value or holder.last < self.index
            ):
                self.held[name] = value
                value.name = name
                return name
        raise AssertionError("no free name")


_K = "\x00k\x00"


def _reader(round: Round, call: Value, output: str) -> Value:
    """The value that stands for one output of a pass."""
    return round.readers[id(call), output]


def _only_reader(round: Round, call: Value) -> Value:
    return _reader(round, call, call.outputs[0])


def _label(value: Value) -> str:
    return value.name or value.hint or ""
