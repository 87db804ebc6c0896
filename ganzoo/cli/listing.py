"""Commands that list what there is."""

from __future__ import annotations

from typing import Any

from ganzoo.cli.console import app, columns, err, escape, out


@app.command()
def variants() -> None:
    """List the variants that the installed plugins bring."""
    from ganzoo.host import default

    host = default()
    table = columns("variant", "what it is", "from")
    for name, variant in sorted(host.variants.items()):
        table.add_row(name, variant.summary(), host.providers["variants", name])
    out.print(table)
    mention_broken(host)
    out.print("\nganzoo show NAME for its mathematics, ganzoo train NAME to train it", style="dim")


@app.command()
def losses() -> None:
    """List the losses that `--loss` takes, for one generator and one discriminator."""
    from ganzoo.host import default

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
        "ganzoo show NAME --loss LOSS for the mathematics, ganzoo train NAME --loss LOSS to "
        "train it",
        style="dim",
    )


@app.command()
def models() -> None:
    """List the models that come with ganzoo, ready to use."""
    from ganzoo.hub import entries

    table = columns("model", "what it is", "trained on", "it can", "size")
    for entry in entries():
        tasks = ", ".join(entry.tasks)
        table.add_row(entry.name, entry.title, entry.data, tasks, f"{entry.size / 1e6:.1f} MB")
    out.print(table)
    out.print("\nganzoo sample NAME -o samples.png draws with one", style="dim")


@app.command()
def data() -> None:
    """List the data sets that can be trained on."""
    from ganzoo.host import default

    table = columns("data set", "images", "fields", "what it is")
    for name, declared in default().data.items():
        fields = ", ".join(declared.fields.fields)
        table.add_row(name, f"{declared.size:,}", fields, declared.summary)
    table.add_row("folder:PATH", "", "image", "Pictures of your own: jpg, png, webp, bmp, gif.")
    out.print(table)


@app.command()
def plugins() -> None:
    """List the plugins: what each brings, and what is broken."""
    from ganzoo.host import default

    table = columns("plugin", "version", "brings")
    for plugin in default().plugins:
        brings = "; ".join(f"{word}: {', '.join(names)}" for word, names in plugin.brings.items())
        state = (
            f"[bold red]broken:[/] {escape(plugin.problem)}" if plugin.problem else escape(brings)
        )
        table.add_row(plugin.distribution, plugin.version, state or "nothing")
    out.print(table)


def mention_broken(host: Any) -> None:
    for plugin in host.broken:
        err.print(
            f"not loaded: {plugin.distribution} ({plugin.problem})", style="yellow", markup=False
        )
