"""Gradients of single samples through layers that mix the samples of a batch.

`grad(C(x), x)` is the gradient for each sample. If C normalizes over the batch, it has a part that
comes from the other samples, and a penalty on its norm bounds something else (arXiv:1704.00028,
section 4). `gradient_penalty` and `r1` declare what they refuse; this is the same for `grad`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.layers import CondNorm, Layer, Tap
from ganzoo.spec.schedule import Update

if TYPE_CHECKING:
    from ganzoo.spec.network import Network
    from ganzoo.spec.spec import Spec

Way = tuple[str, ...] | None
"""The layers that mix samples between an input and a value, by path; None if there is no way."""


def problems(spec: Spec, updates: Iterable[tuple[str, Update]]) -> Iterator[tuple[str, str]]:
    """The gradients of losses that batch norm in a network makes depend on other samples.

    Only of the networks that the update trains, and with respect to their own inputs: a step in
    the latent space (arXiv:1912.00953) and the weight of a loss (arXiv:2012.09841) need no single
    samples.

    Args:
        updates: the updates with their paths.
    """
    seen: set[str] = set()
    for path, update in updates:
        for term, text in update.minimize.items():
            for where, call in _gradients(spec, f"{path}.minimize.{term}", text):
                layer = _mixing(spec, call, update.train)
                if layer and where not in seen:
                    seen.add(where)
                    yield (
                        where,
                        f"{call}: grad refuses batch norm ({layer}): it mixes the samples of a "
                        "batch, so the gradient for one sample depends on the others; use "
                        "layer_norm, instance_norm or none",
                    )


def _gradients(spec: Spec, path: str, text: str) -> Iterator[tuple[str, ex.Call]]:
    """The gradients that an expression is differentiated through, with the path of each."""
    seen: set[str] = set()
    pending = [(path, ex.parse(text))]
    while pending:
        where, node = pending.pop()
        match node:
            case ex.Name(name) if name in spec.let and name not in seen:
                seen.add(name)
                pending.append((f"let.{name}", ex.parse(spec.let[name])))
            case ex.Binary("<" | ">"):
                continue
            case ex.Call(ex.GRADIENT):
                yield where, node
            case ex.Call(name) if name not in spec.networks:
                function = vocabulary.function(name)
                if function is not None and function.stops_gradient:
                    continue
            case _:
                pass
        pending += ((where, part) for part in ex.parts(node))


def _mixing(spec: Spec, gradient: ex.Call, trained: Sequence[str]) -> str:
    """The layer that mixes the samples of a gradient; empty if there is none."""
    of, at = gradient.arguments
    for call in _outermost(spec, of):
        network = spec.networks[call.name]
        if call.average or network.frozen or call.name not in trained:
            continue
        moved = {
            name
            for name, argument in zip(network.inputs, call.arguments, strict=True)
            if _stands_in(spec, at, argument)
        }
        if way := way_through(network, moved, call.output or ""):
            return f"networks.{call.name}.{way[0]}"
    return ""


def _outermost(spec: Spec, node: ex.Expression) -> Iterator[ex.Call]:
    """The calls of networks in an expression that no other one contains."""
    seen: set[str] = set()
    pending = [node]
    while pending:
        match pending.pop():
            case ex.Call(name) as call if name in spec.networks:
                yield call
            case ex.Name(name) if name in spec.let and name not in seen:
                seen.add(name)
                pending.append(ex.parse(spec.let[name]))
            case other:
                pending += ex.parts(other)


def _stands_in(spec: Spec, wanted: ex.Expression, node: ex.Expression) -> bool:
    """Whether an expression contains another one, and not as the input of a network."""
    seen: set[str] = set()
    pending = [node]
    while pending:
        part = pending.pop()
        if part == wanted:
            return True
        match part:
            case ex.Call(name) if name in spec.networks:
                pass
            case ex.Name(name) if name in spec.let and name not in seen:
                seen.add(name)
                pending.append(ex.parse(spec.let[name]))
            case _:
                pending += ex.parts(part)
    return False


def way_through(network: Network, inputs: set[str], output: str) -> Way:
    """The layers that mix samples on the way from some inputs of a network to an output.

    Args:
        output: a tap; empty for the end of the body.
    """
    values: dict[str, Way] = {}
    for name, branch in network.inputs.items():
        begin = () if name in inputs else None
        values[name] = _along(branch, f"inputs.{name}", begin, values)
    begin = _joined(*(values[name] for name in network.joined))
    end = _along(network.layers, "layers", begin, values)
    return values[output] if output else end


def _along(layers: Sequence[Layer], prefix: str, way: Way, values: dict[str, Way]) -> Way:
    """The way to the end of some layers; `values` are those of inputs, and of taps so far."""
    for index, layer in enumerate(layers):
        path = f"{prefix}.{index}"
        if layer.starts:
            way = None
        ends = [
            _along(getattr(layer, key), f"{path}.{key}", values[start] if start else way, values)
            for key, start in layer.rows.items()
        ]
        if isinstance(layer, Tap):
            values[layer.name] = ends[0]
            continue
        if way is not None and _mixes(layer):
            way = (*way, path)
        way = _joined(way, *ends, *(values[name] for name in layer.reads))
    return way


def _joined(*ways: Way) -> Way:
    there = [way for way in ways if way is not None]
    return tuple(dict.fromkeys(path for way in there for path in way)) if there else None


def _mixes(layer: Layer) -> bool:
    """Whether it normalizes over the batch; a deviation over the batch goes with R1."""
    return layer.kind == "batch_norm" or (isinstance(layer, CondNorm) and layer.norm == "batch")
