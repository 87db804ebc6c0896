"""Commands that show and check a Spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import (
    Augment,
    DataName,
    LossName,
    Setting,
    Target,
    TrainingDevice,
    app,
    check_precision,
    columns,
    err,
    fields,
    out,
)
from ganzoo.cli.targets import spec_of
from ganzoo.cli.terminal import emit, emit_json, harmless
from ganzoo.errors import GanzooError, UnknownNameError

if TYPE_CHECKING:
    from ganzoo.spec.layers.layer import Shape
    from ganzoo.spec.spec import Spec


@app.command()
def show(
    target: Annotated[
        str | None,
        typer.Argument(
            help="A variant, a Spec file, a model (`ganzoo models`), or a run.",
            autocompletion=completion.specs,
        ),
    ] = None,
    data: DataName = None,
    set: Setting = None,
    loss: LossName = None,
    augment: Augment = None,
    json: Annotated[bool, typer.Option("--json", help="Print the Spec as JSON.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the losses as LaTeX.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of Specs.")
    ] = False,
) -> None:
    """Show a Spec as mathematics, JSON or LaTeX: of a variant, a file, a model or a run."""
    from ganzoo.spec import latex as formulas
    from ganzoo.spec.json_text import pretty_json
    from ganzoo.spec.spec import Spec

    if schema:
        emit_json(pretty_json(Spec.model_json_schema()))
        return
    if target is None:
        raise UnknownNameError(
            "show what? Give a variant (`ganzoo variants`), a Spec file, a model (`ganzoo models`) "
            "or a run"
        )
    spec = spec_of(target, data, set, loss, augment)
    if json:
        emit_json(spec.to_json())
    elif latex:
        emit(harmless(formulas.latex(spec)))
    else:
        out.print(formulas.text(spec, _input_shapes(spec)), markup=False)


def _input_shapes(spec: Spec) -> dict[str, dict[str, Shape]]:
    """The shapes of the inputs of each network.

    Networks are built only where an input is computed, since torch takes seconds to start.
    """
    from ganzoo.spec.latex import drawn_shapes

    found = drawn_shapes(spec)
    if all(len(found[name]) == len(network.inputs) for name, network in spec.networks.items()):
        return found
    from ganzoo.nn.build import build

    try:
        # of a network that the tasks do not need, there may be words of a missing plugin
        networks = build(spec, published=any(True for _ in spec.unknown()))
    except GanzooError as error:
        err.print(f"some shapes are not known: {error}", style="dim", markup=False)
        return found
    return found | {
        name: dict(zip(net.names, net.shapes, strict=True)) for name, net in networks.items()
    }


@app.command()
def check(
    target: Target,
    data: DataName = None,
    set: Setting = None,
    loss: LossName = None,
    augment: Augment = None,
) -> None:
    """Validate a Spec with a dry run, without training.

    With --data, also check that the data have the fields that it draws.
    """
    from ganzoo.engine.draws import check_fields, check_names
    from ganzoo.engine.explain import explain as explain_

    spec = spec_of(target, data, set, loss, augment)
    if data:
        held = fields(data)
        check_fields(spec, held)
        check_names(spec, held)
    rounds = explain_(spec)
    from ganzoo.nn.build import build, parameter_count
    from ganzoo.nn.soundness import check_batch

    table = columns("network", "parameters", "takes")
    networks = build(spec)
    check_batch(spec, networks)
    for name, net in networks.items():
        shapes = ", ".join(
            f"{word} {'x'.join(map(str, shape)) or 'label'}"
            for word, shape in zip(net.names, net.shapes, strict=True)
        )
        table.add_row(name, f"{parameter_count(net):,}", shapes)
    out.print(table)
    out.print(f"{target} is valid: {len(rounds)} kind(s) of round, all shapes match", style="green")


@app.command()
def explain(
    target: Target,
    data: DataName = None,
    set: Setting = None,
    loss: LossName = None,
    augment: Augment = None,
    code: Annotated[bool, typer.Option("--code", help="Print the Python code of a round.")] = False,
    device: TrainingDevice = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, tf32 (CUDA) or bf16.")] = "auto",
) -> None:
    """Show what a training round runs, shares and costs."""
    from ganzoo.data.picture_files import counted
    from ganzoo.engine.explain import explain as explain_
    from ganzoo.engine.precision import how

    check_precision(precision)
    spec = spec_of(target, data, set, loss, augment)
    for item in explain_(spec):
        title = ", ".join(filter(None, (f"stage {item.stage}", item.pattern)))
        if code:
            emit(harmless(f"# {title}\n{item.round.code}"))
            continue
        out.print(f"[bold]{title}[/]: {counted(item.round.updates, 'update')} in a round")
        table = columns(
            "network", "passes", "plain loop", "it learns", "gradients pass", "no graph", "penalty"
        )
        for name, passes in item.passes.items():
            table.add_row(
                name, *map(str, (passes.total, item.plain_passes[name], passes.trained)),
                *map(str, (passes.through, passes.free, passes.penalty)),
            )  # fmt: skip
        out.print(table)
        share = item.flops / item.plain_flops if item.plain_flops else 1.0
        out.print(
            f"{_flops(item.flops)} a round of batch {spec.batch}; a loop that shares nothing and "
            f"takes all gradients: {_flops(item.plain_flops)} ({share:.0%})\n"
        )
    if not code:
        out.print(f"here it would run on {how(device, precision)}", markup=False)
        out.print("ganzoo explain --code shows the Python code of a round", style="dim")


def _flops(number: int) -> str:
    for unit, size in (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number} FLOP"
