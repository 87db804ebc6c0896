"""Commands that measure models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import Device, ModelName, app, check_output, columns, err, out
from ganzoo.cli.terminal import emit_json
from ganzoo.errors import DataError, UnknownNameError


@app.command()
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Two or more models, by name or folder.",
            autocompletion=completion.models,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .html or .png.")] = Path(
        "compare.html"
    ),
    device: Device = "cpu",
) -> None:
    """Compare samples and metrics of models side by side."""
    check_output(output, "the comparison", (".html", ".png"))
    if len(models) < 2:
        raise UnknownNameError(
            f"compare {models[0]} with what? Give two or more models (`ganzoo models`)"
        )
    from ganzoo import compare as compare_

    columns = [compare_.column(name, device=device) for name in models]
    compare_.save(columns, output)
    for one in columns:
        if one.stale:
            err.print(f"{one.name}: {one.measured}", style="yellow", markup=False)
    out.print(f"{', '.join(one.name for one in columns)}: {output}", markup=False)


@app.command("eval")
def evaluate(
    model: ModelName,
    data: Annotated[
        str | None,
        typer.Option(
            help="A data set; by default, the one the model was trained on.",
            autocompletion=completion.data,
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("-n", min=100, help="Number of real and of generated images.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    fid: Annotated[
        list[str] | None,
        typer.Option(
            help="Also the distances that papers report: inception or dinov2; 50,000 samples, slow."
        ),
    ] = None,
    device: Device = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Evaluate a model: print a table and write metrics.json next to it.

    The figures of a published model are compared, and never overwritten.
    """
    from ganzoo import hub, runs
    from ganzoo.engine import distribution
    from ganzoo.metrics import evaluate as evaluate_
    from ganzoo.metrics import history, report
    from ganzoo.models import store

    if data is not None and not data.strip():
        raise DataError("--data is empty; give a data set (`ganzoo data`), or leave it out")
    first = distribution.join_group()[0] == 0
    out.quiet = err.quiet = not first  # only the first of several processes prints
    folder = hub.resolve(model)
    loaded = store.load(folder, device=device)
    published = not Path(model).is_dir()  # one that came with ganzoo, or from the hub
    with err.status(f"measuring {loaded.title}") as status:

        def note(text: str) -> None:
            status.update(f"measuring {loaded.title}: {text}")

        trained = data or loaded.config.data.name
        of_a_run = folder.name == "model" and (folder.parent / runs.RUN).is_file()
        course = (
            runs.course(folder.parent, trained, note, device=device)
            if of_a_run
            else history.read(folder)
        )
        found = evaluate_(
            loaded, data or "", count=n, seed=seed, history=course, note=note,
            literature=tuple(fid or ()),
        )  # fmt: skip
    if not first:
        return
    if json:
        emit_json(found.text())
    else:
        _figures(found)
    said = report.read(folder)
    if not published:
        found.write(folder)
        if not json:
            out.print(f"\nsaved in {folder / report.FILE}", style="dim", markup=False)
    elif said and said.protocol == found.protocol:
        drifted = report.drift(said, found)
        for name, (then, now) in drifted.items():
            err.print(f"{name}: published as {then:g}, here {now:g}", style="yellow")
        if not drifted and not json:
            out.print("\nas published", style="green")


def _figures(found: Any) -> None:
    from ganzoo.metrics.report import title_of

    table = columns("figure", "value", "", "for comparison", "what it is")
    for name, figure in found.figures.items():
        beside = ", ".join(f"{key} {value:.4g}" for key, value in figure.references.items())
        table.add_row(
            title_of(name),
            f"{figure.value:.4g}",
            figure.way,
            beside,
            figure.about,
        )
    out.print(table)
    for remark in found.remarks:
        out.print(f"\n{remark}", markup=False)
    extractor = found.feature_extractor
    by = f", features of {extractor['name']} {extractor['sha256'][:12]}" if extractor else ""
    figures = found.figures.values()
    out.print(
        f"\n{found.model} on {found.data} ({found.split}), "
        f"{max(f.real for f in figures):,} real and {max(f.generated for f in figures):,} "
        f"generated images, seed {found.seed}{by}",
        style="dim",
        markup=False,
    )
