"""Commands for authors of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import DATA_HELP, Setting, app, columns, err, escape, given, out
from ganzoo.errors import PluginError, UnknownNameError, choices, nearest

if TYPE_CHECKING:
    from ganzoo.plugins.host import Host, Plugin


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(help="Name of the variant and its package, such as my-gan.")
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Target folder; by default, one of that name.")
    ] = None,
) -> None:
    """Write a plugin: a variant that trains, its test, and what pip needs."""
    from ganzoo.plugins.scaffold import create

    made = create(name, folder)
    for path in sorted(made.iterdir()):
        out.print(f"  {path}", markup=False)
    out.print(
        f"\nNext: pip install -e {made}, then ganzoo check-plugin {name}",
        style="dim", markup=False,
    )  # fmt: skip


@app.command(name="check-plugin")
def check_plugin(
    name: Annotated[str, typer.Argument(help="A variant, a package, a plugin, or its folder.")],
    data: Annotated[
        str | None,
        typer.Option(help=f"{DATA_HELP} By default noise.", autocompletion=completion.data),
    ] = None,
    set: Setting = None,
) -> None:
    """Check everything a plugin provides: it is valid, trains, resumes and saves.

    The checks are those of ganzoo.testing. The exit status is 1 if one fails.
    """
    from ganzoo.plugins.host import CHOICE, default

    host = default()
    plugin = _plugin(name, host)
    if plugin.left_out:
        raise PluginError(f"{plugin} is left out: {CHOICE} does not name it")
    if problem := plugin.problem or ("" if plugin.brings else "it provides nothing"):
        err.print(f"{plugin} fails: {problem}", style="bold red", markup=False)
        raise typer.Exit(1)
    settings = given(set)
    from ganzoo import testing
    from ganzoo.data import load

    source = None if data is None else load(data)
    failed = 0
    table = columns("of", "check", "", "requirement, or problem")
    with err.status("checking"):
        for finding in testing.check_plugin(plugin, host, source, settings):
            failed += bool(finding.problem)
            state = "[bold red]fails[/]" if finding.problem else "[green]ok[/]"
            text = finding.problem or finding.about
            table.add_row(finding.of, finding.check.replace("_", " "), state, escape(text))
    out.print(table)
    number = table.row_count
    checks = "1 check" if number == 1 else f"{number} checks"
    if failed:
        out.print(f"\n{failed} of {checks} failed", style="bold red")
        raise typer.Exit(1)
    out.print(f"\n{plugin} conforms: {checks}", style="green", markup=False)


def _plugin(name: str, host: Host) -> Plugin:
    """The plugin of that name, or the one that provides the variant of that name."""
    wanted = {_plain(name), _plain(_project(Path(name))), *_providers(name, host)}
    for plugin in host.plugins:
        if {_plain(plugin.name), _plain(plugin.distribution)} & wanted:
            return plugin
    known = {*host.variants, *(plugin.distribution for plugin in host.plugins)}
    folder = Path(name)
    hint = f"pip install -e {folder}" if folder.is_dir() else "see `ganzoo plugins`"
    raise UnknownNameError(
        f"no plugin {name!r}{nearest(name, known)} installed: {choices(known)}; {hint}"
    )


def _providers(name: str, host: Host) -> set[str]:
    provider = host.providers.get(("variants", name))
    return {_plain(provider)} if provider else set()


def _project(folder: Path) -> str:
    """The name of the project in a folder, else that of the folder."""
    import tomllib

    try:
        facts: Any = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        return str(facts["project"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.resolve().name


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()
