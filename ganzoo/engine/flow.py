"""Properties that flow through the values of a round: gradients, means over processes, lifetimes.

A value wants gradients only of the networks that some update trains through it. If it wants none,
it runs without a graph; passed to a value that wants none of its gradients, it is detached.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo.engine.values import Execution, Remembering, Value


def want(executions: Sequence[Execution], values: Sequence[Value]) -> None:
    """Find the networks whose gradients flow through each value."""

    def mark(value: Value, wanted: frozenset[str]) -> None:
        if not wanted <= value.wants:
            value.wants |= wanted
            if value.kind == "gradient":  # needs a graph from y to x, whatever is trained
                wanted |= {value.word}
            for part in value.parts:
                mark(part, wanted & part.networks)

    for execution in executions:
        for update, terms in zip(execution.updates, execution.terms, strict=True):
            for term in terms:
                mark(term, frozenset(update.train) & term.networks)
    for value in values:
        if value.kind == "gradient":
            mark(value.inputs[0], frozenset({value.word}))


def share(executions: Sequence[Execution]) -> None:
    """Find the means that several processes must take together.

    Where a mean stands alone, or in sums and multiples by constants, the mean of the processes'
    losses equals the loss of one process. In any other expression, all need the same mean.
    """
    seen = set[tuple[int, bool]]()

    def constant(value: Value) -> bool:
        alone = value.kind in {"number", "scheduled", "state"} and not value.parts
        return alone or (value.kind == "operator" and all(map(constant, value.parts)))

    def visit(value: Value, summed: bool) -> None:
        if (id(value), summed) in seen:
            return
        seen.add((id(value), summed))
        match value.kind, value.word, value.inputs:
            case "operator", "*", (left, right):
                visit(left, summed and constant(right))
                visit(right, summed and constant(left))
            case "operator", "/", (left, right):
                visit(left, summed and constant(right))
                visit(right, False)
            case "operator", "+" | "-", parts:
                for part in parts:
                    visit(part, summed)
            case "function", "detach", (inner,):
                visit(inner, summed)
            case _:
                value.everywhere = value.everywhere or (value.reduced and not summed)
                for part in value.parts:
                    visit(part, False)

    for execution in executions:
        for term in (term for terms in execution.terms for term in terms):
            visit(term, True)


def live(
    executions: Sequence[Execution], remembers: Sequence[Remembering], known: Sequence[Value]
) -> None:
    """Find where each value is first and last used, and which need no name."""

    def visit(value: Value, index: int) -> None:
        value.last = index
        if value.first < 0 or value.transparent:
            value.first = index if value.first < 0 else value.first
            for part in value.parts:
                visit(part, index)

    for index, execution in enumerate(executions):
        for term in (term for terms in execution.terms for term in terms):
            visit(term, index)
    kept = [value for remembered in remembers for _, value in remembered.values]
    for value in kept:
        visit(value, len(executions))
    users: dict[int, list[Value]] = {}
    values = [value for value in known if value.first >= 0]
    for value in values:
        for part in value.parts:
            users.setdefault(id(part), []).append(value)
    terms = {id(t) for execution in executions for ts in execution.terms for t in ts}
    terms |= set(map(id, kept))
    for value in values:
        readers = users.get(id(value), [])
        value.nested = (
            value.kind in {"function", "operator", "output", "gradient"}
            and not value.hint
            and id(value) not in terms
            and len(readers) == 1
            and not readers[0].transparent
            and readers[0].kind != "point"
            and (value.kind != "output" or len(value.inputs[0].outputs) == 1)
            and readers[0].first == value.first
            and bool(readers[0].wants) == bool(value.wants)
            and not readers[0].detaches(value)
        )
