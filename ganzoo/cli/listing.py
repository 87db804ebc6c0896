"""Commands that list variants, losses, models, data sets, functions, layers and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import app, columns, err, escape, out
from ganzoo.errors import UnknownNameError, choices, nearest, plain

if TYPE_CHECKING:
    from ganzoo.spec.draws import DataDraw
    from ganzoo.spec.reference import Word


@app.command()
def variants() -> None:
    """List the variants of the installed plugins."""
    from ganzoo.plugins.host import default

    host = default()
    table = columns("variant", "what it is", "from")
    for name, variant in sorted(host.variants.items()):
        table.add_row(name, variant.summary(), host.providers["variants", name])
    out.print(table)
    mention_broken(host)
    out.print("\nganzoo show NAME shows its losses, ganzoo train NAME trains it", style="dim")


@app.command()
def losses() -> None:
    """List the losses for `--loss`."""
    from ganzoo.plugins.host import default

    host = default()
    for name, loss in host.losses.items():
        plugin = host.providers.get(("losses", name), "ganzoo")
        known = f"{loss.source}, from {plugin}" if loss.source else f"from {plugin}"
        out.print(f"[bold]{name}[/]  {escape(loss.summary)} [dim]({escape(known)})[/]")
        for player, terms in (("D", loss.discriminator), ("G", loss.generator)):
            for index, (term, text) in enumerate(terms.items()):
                head = f"  {player} minimizes  " if not index else " " * 15
                out.print(f"{head}{term}: {text}", markup=False)
        settings = {**loss.numbers, "repeat": loss.repeat, "clip_weights": loss.clip_weights}
        listed = ", ".join(f"{key}={value:g}" for key, value in settings.items() if value)
        out.print(f"  {'settings':<13}{listed}\n", style="dim", markup=False)
    mention_broken(host)
    out.print(
        "ganzoo show NAME --loss LOSS shows the result, ganzoo train NAME --loss LOSS trains it",
        style="dim",
    )


@app.command()
def models() -> None:
    """List the installed models."""
    from ganzoo.hub import entries

    table = columns("model", "what it is", "trained on", "tasks", "size")
    for entry in entries():
        tasks = ", ".join(entry.tasks)
        table.add_row(entry.name, entry.title, entry.data, tasks, f"{entry.size / 1e6:.1f} MB")
    out.print(table)
    out.print("\nganzoo sample NAME -o samples.png draws with one", style="dim")


@app.command()
def data(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show only this one, with its fields and classes; folder:PATH will do, too.",
            autocompletion=completion.data,
        ),
    ] = None,
) -> None:
    """List the data sets."""
    from ganzoo.plugins.host import default

    if name is not None:
        _data_set(name)
        return
    table = columns("data set", "images", "fields", "what it is")
    for name, declared in default().data.items():
        fields = ", ".join(declared.fields.fields)
        table.add_row(name, f"{declared.size:,}", fields, declared.summary)
    table.add_row(
        "folder:PATH", "", "image", "Pictures of your own: png, jpg, webp, gif, bmp, tiff."
    )
    out.print(table)
    out.print("\nganzoo data NAME shows its fields and classes, licence and source", style="dim")


def _data_set(name: str) -> None:
    from ganzoo.data.catalog import find
    from ganzoo.plugins.host import default

    declared = find(name, default().data)
    named = ", ".join(extractor.name for extractor in declared.feature_extractors)
    before = ", before classes are left out" if ",without=" in declared.name else ""
    sections = {
        "fields": [f"{field}: {_field(draw)}" for field, draw in declared.fields.fields.items()],
        "images": [f"{declared.size:,} for training{before}"],
        "splits": [", ".join(declared.splits)],
        "features": [f"{named}, for distances"] if named else [],
        "licence": [declared.licence] if declared.licence else [],
        "source": [declared.source] if declared.source else [],
    }
    out.print(f"[bold]{escape(declared.name)}[/]  {escape(declared.summary)}\n")
    for title, rows in sections.items():
        for index, row in enumerate(rows):
            out.print(f"{'' if index else title:<10}{row}", markup=False)


NAMED = 120
"""The most names of classes that are listed."""


def _field(draw: DataDraw) -> str:
    """The kind, shape and classes of a field."""
    from ganzoo.spec.draws import Image, Label, Text, Vector

    match draw:
        case Image():
            shown = f"image {'x'.join(map(str, draw.shape))}"
        case Label():
            names = ", ".join(draw.names[:NAMED]) + (", ..." if len(draw.names) > NAMED else "")
            shown = f"label, {draw.classes:,} {'class' if draw.classes == 1 else 'classes'}"
            shown += f": {names}" if names else ""
        case Text():
            shown = f"text {draw.size}, through {draw.encoder}"
        case Vector():
            shown = f"vector {draw.size}"
    return shown + (", unpaired" if draw.independent else "")


@app.command()
def functions(
    name: Annotated[
        str | None,
        typer.Argument(help="Show only this one, in full.", autocompletion=completion.functions),
    ] = None,
) -> None:
    """List the functions that losses can call, with their formulas."""
    from ganzoo.plugins.host import default
    from ganzoo.spec.reference import of_function

    found = {word: of_function(function) for word, function in default().functions.items()}
    _words("functions", found, name)


@app.command()
def layers(
    name: Annotated[
        str | None,
        typer.Argument(help="Show only this one, in full.", autocompletion=completion.layers),
    ] = None,
) -> None:
    """List the layers that networks are made of, with their formulas."""
    from ganzoo.plugins.host import default
    from ganzoo.spec.reference import of_layer

    _words("layers", {kind: of_layer(layer) for kind, layer in default().layers.items()}, name)


def _words(what: str, found: dict[str, Word], name: str | None) -> None:
    """All functions or layers in short, or one in full."""
    from ganzoo.plugins.host import default

    host = default()
    if name is not None and name not in found:
        kind = what.removesuffix("s")
        raise UnknownNameError(
            f"no {kind} {name!r}{nearest(name, found)} there is: {choices(found, 60)}"
        )
    for word in found.values() if name is None else [found[name]]:
        kind = f"  [dim]{word.name}[/]" if what == "layers" else ""
        out.print(f"[bold]{escape(word.signature)}[/]{kind}")
        out.print(f"    {word.summary}", markup=False)
        rows = {"formula": word.formula, "source": word.source}
        if name is not None:
            for line in word.more.splitlines():
                out.print(f"    {line}", markup=False)
            rows |= {"example": word.example, **word.notes}
        rows["from"] = host.providers.get((what, word.name), "ganzoo")
        for label, text in rows.items():
            if text:
                out.print(f"    {label}: {text}", style="dim", markup=False)
    if name is None:
        mention_broken(host)
        out.print(f"\nganzoo {what} NAME shows one in full, with an example", style="dim")


@app.command()
def plugins() -> None:
    """List the plugins: what each provides, and why any is broken or slow."""
    from ganzoo.plugins.host import CHOICE, WAY_OUT, default

    host = default()
    table = columns("plugin", "version", "brings")
    for plugin in host.plugins:
        if plugin.problem:
            state = f"[bold red]broken:[/] {escape(plugin.problem)}"
        elif plugin.left_out:
            state = f"[yellow]left out:[/] {CHOICE} does not name it"
        else:
            state = "; ".join(
                f"{word}: {escape(', '.join(names))}" for word, names in plugin.brings.items()
            )
        if plugin.slow:
            state += f" [yellow]({plugin.seconds:.1f} s to import)[/]"
        if plugin.printed:
            state += f" [dim](printed: {escape(plain(plugin.printed, 100))})[/]"
        table.add_row(escape(plugin.distribution), plugin.version, state or "nothing")
    out.print(table)
    if host.broken:
        out.print(f"\n{WAY_OUT}", style="dim", markup=False)


def mention_broken(host: Any) -> None:
    for plugin in host.broken:
        err.print(f"not loaded: {plugin} ({plugin.problem})", style="yellow", markup=False)
    if host.broken:
        from ganzoo.plugins.host import WAY_OUT

        err.print(WAY_OUT, style="dim", markup=False)
