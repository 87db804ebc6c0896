"""Commands that show and check a Spec."""

from __future__ import annotations

from typing import Annotated

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
    declared,
    fields,
    out,
)
from ganzoo.cli.terminal import emit, emit_json, harmless
from ganzoo.errors import UnknownNameError


@app.command()
def show(
    target: Annotated[
        str | None,
        typer.Argument(help="A variant or a Spec file.", autocompletion=completion.variants),
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
    """Show a Spec as mathematics, JSON or LaTeX."""
    from ganzoo.spec import latex as formulas
    from ganzoo.spec.json_text import pretty_json
    from ganzoo.spec.spec import Spec

    if schema:
        emit_json(pretty_json(Spec.model_json_schema()))
        return
    if target is None:
        raise UnknownNameError("show what? Give a variant (`ganzoo variants`) or a Spec file")
    spec, _ = declared(target, data, set, loss, augment)
    if json:
        emit_json(spec.to_json())
    elif latex:
        emit(harmless(formulas.latex(spec)))
    else:
        out.print(formulas.text(spec), markup=False)


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

    spec, _ = declared(target, data, set, loss, augment)
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
    from ganzoo.engine.explain import explain as explain_
    from ganzoo.engine.precision import how

    check_precision(precision)
    spec, _ = declared(target, data, set, loss, augment)
    for item in explain_(spec):
        title = ", ".join(filter(None, (f"stage {item.stage}", item.pattern)))
        if code:
            emit(harmless(f"# {title}\n{item.round.code}"))
            continue
        out.print(f"[bold]{title}[/]: {len(item.round.executions)} updates in a round")
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
