"""Commands about models on a hub: list, download, publish, verify."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import App, Device, app, columns, err, escape, out
from ganzoo.cli.terminal import emit
from ganzoo.errors import UnknownNameError
from ganzoo.layout import CONFIG

hub = App(
    name="hub",
    help="Models on the Hugging Face Hub: list, download, publish, verify.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(hub)

Name = Annotated[
    str,
    typer.Argument(
        help="org/name or org/name@revision; also an installed model or a folder.",
        autocompletion=completion.models,
    ),
]
Endpoint = Annotated[str | None, typer.Option(help="URL of another hub.")]
Revision = Annotated[str | None, typer.Option(help="A branch, a tag or a commit.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use only local files.")]


@hub.command("list")
def list_(
    remote: Annotated[bool, typer.Option("--remote", help="List models on the hub.")] = False,
    author: Annotated[
        str | None, typer.Option(help="Only models by this author on the hub.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Only models on the hub with this in their name.")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """List installed and cached models, or those on the hub."""
    from ganzoo.hub import local

    if remote or author or search:
        from ganzoo.hub import remote as remote_

        remote_.say(f"asking {remote_.scrubbed(remote_.address(endpoint))} for its models")
        found = remote_.listed(author, search, endpoint=endpoint, token=None)
        table = columns("repository", "it can", "downloads", "changed")
        for one in found:
            table.add_row(escape(one.id), escape(one.pipeline), f"{one.downloads:,}", one.changed)
        out.print(table if found else "no models of ganzoo found there")
        return
    table = columns("model", "what it is", "trained on", "where", "size")
    table.columns[0].no_wrap = table.columns[3].no_wrap = True  # what other commands take
    cached = local.cached_entries(local.cache_of(endpoint, None))
    for entry in [*local.entries(), *cached]:
        where = f"cached at {entry.commit[:12]}" if entry.commit else "installed"
        size = f"{entry.size / 1e6:.1f} MB"
        table.add_row(escape(entry.name), escape(entry.title), escape(entry.data), where, size)
    out.print(table)
    out.print("\nganzoo hub list --remote lists the models on the hub", style="dim")


@hub.command()
def info(
    name: Name, revision: Revision = None, endpoint: Endpoint = None, offline: Offline = False
) -> None:
    """Show information about a model, without downloading it."""
    from ganzoo.errors import UnreachableError
    from ganzoo.hub import local, resolve
    from ganzoo.hub import remote as remote_
    from ganzoo.hub.names import repository

    try:
        folder = resolve(name, revision=revision, endpoint=endpoint, local_files_only=True)
    except UnreachableError:
        wanted = repository(name, revision)
        if offline or wanted is None:
            raise
    else:
        _described(local.entry(name, folder))
        return
    remote_.say(f"asking {remote_.scrubbed(remote_.address(endpoint))} for {wanted}")
    found = remote_.info(wanted, endpoint=endpoint, token=None)
    rows = {
        "repository": f"{remote_.scrubbed(remote_.address(endpoint))}/{wanted.id}",
        "commit": found.commit,
        "private": "yes" if found.private else "no",
        "licence": found.card.get("license", ""),
        "it can": found.card.get("pipeline_tag", ""),
        "fetched": ", ".join(f"{file.name} ({_size(file.size)})" for file in found.files),
        "left there": ", ".join(found.others[:20]),
    }
    _rows(rows)
    if not any(file.name == CONFIG for file in found.files):
        err.print(f"{wanted} is not a model of ganzoo", style="yellow", markup=False)


@hub.command()
def pull(name: Name, revision: Revision = None, endpoint: Endpoint = None) -> None:
    """Download or update a model; every file is checked."""
    from ganzoo.hub import fetch, local
    from ganzoo.hub.names import FORMS, repository

    wanted = repository(name, revision)
    if wanted is None:
        hint = "is an installed model" if name in local.installed() else "is not a repository"
        raise UnknownNameError(f"{name!r} {hint}; write repositories as {FORMS}")
    folder = fetch.pull(wanted, endpoint=endpoint)
    out.print(f"{wanted} at {folder.name[:12]}: {folder}", markup=False)


@hub.command()
def push(
    folder: Annotated[str, typer.Argument(help="A model folder or a run folder.")],
    repo: Annotated[str, typer.Argument(help="org/name.")],
    private: Annotated[
        bool, typer.Option("--private", help="Create the repository as private.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="Branch to push to; main by default.")
    ] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request.")] = False,
    parent: Annotated[
        str | None, typer.Option(help="Push only if the repository is at this commit.")
    ] = None,
    licence: Annotated[
        str, typer.Option(help="License of the weights, for a new card: apache-2.0, ...")
    ] = "",
    message: Annotated[str, typer.Option("-m", help="Commit message.")] = "",
    endpoint: Endpoint = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, upload nothing.")
    ] = False,
) -> None:
    """Publish a model: reload it, compare its outputs, then upload it in one commit."""
    from ganzoo.hub import resolve
    from ganzoo.publish import push

    done = push.push(
        resolve(folder, local_files_only=True), repo,
        private=private or None, revision=revision, create_pr=create_pr, parent=parent,
        licence=licence, message=message, endpoint=endpoint, dry_run=dry_run,
    )  # fmt: skip
    said(done)


def said(done: Any) -> None:
    """Print what was published, or would be."""
    for name, size in done.files:
        out.print(f"  {name:<24}{_size(size):>10}", markup=False)
    if done.pull_request:
        out.print(f"proposed: {done.pull_request}", markup=False)
    elif done.unchanged:
        out.print(f"already up to date: {done.url} at {done.commit}", markup=False)
    elif done.commit:
        out.print(f"published: {done.url}\ncommit: {done.commit}", markup=False)
    else:
        out.print(f"checked; nothing was uploaded. The target is {done.url}", markup=False)


@hub.command()
def verify(
    name: Name,
    revision: Revision = None,
    endpoint: Endpoint = None,
    offline: Offline = False,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Recompute the metrics; takes minutes.")
    ] = True,
    device: Device = "cpu",
) -> None:
    """Verify a model: check hashes, then recompute every metric on its card."""
    from ganzoo.publish.verify import verify as verify_

    with err.status(f"verifying {name}") as status:
        found = verify_(
            name, revision=revision, endpoint=endpoint, local_files_only=offline, figures=figures,
            device=device, note=lambda text: status.update(f"verifying {name}: {text}"),
        )  # fmt: skip
    for file, word in found.hashed.items():
        out.print(f"{file}: matches {word}", style="green", markup=False)
    if found.said is None:
        out.print("it has no metrics; ganzoo eval measures them", markup=False)
    elif found.found is not None:
        _figures(found)
    if not found.holds:
        raise typer.Exit(1)


def _figures(verdict: Any) -> None:
    table = columns("figure", "card", "here", "")
    for name, figure in verdict.said.figures.items():
        again = verdict.found.figures.get(name)
        here = f"{again.value:.6g}" if again else ""
        state = (
            "[bold red]drifted[/]" if name in verdict.drifted
            else "[yellow]not measured here[/]" if name in verdict.missing
            else "[green]as said[/]"
        )  # fmt: skip
        table.add_row(escape(name.replace("_", " ")), f"{figure.value:.6g}", here, state)
    out.print(table)


@hub.command()
def path(
    name: Name, revision: Revision = None, endpoint: Endpoint = None, offline: Offline = False
) -> None:
    """Print the folder of a model, for scripts; download it if needed."""
    from ganzoo.hub import resolve

    emit(str(resolve(name, revision=revision, endpoint=endpoint, local_files_only=offline)))


def _described(entry: Any) -> None:
    from ganzoo.hub import local
    from ganzoo.metrics import report

    config = local.read_json(entry.folder / CONFIG)
    said = config.get("weights")
    sha256 = said.get("sha256", "") if isinstance(said, dict) else ""
    rows = {
        "model": entry.name,
        "what it is": entry.title,
        "trained on": entry.data,
        "it can": ", ".join(entry.tasks),
        "weights": f"{_size(entry.size)}, sha256 {sha256}",
        "folder": str(entry.folder),
        "commit": entry.folder.name if entry.folder.parent.name == "snapshots" else "",
        "command": config.get("command", ""),
    }
    measured = report.read(entry.folder)
    if measured:
        figures = (f"{name} {figure.value:.4g}" for name, figure in measured.figures.items())
        rows["figures"] = ", ".join(figures)
    _rows(rows)


def _rows(rows: dict[str, Any]) -> None:
    from ganzoo.errors import plain

    for key, value in rows.items():
        if value:
            out.print(f"{key:<12}{plain(value, 2000)}", markup=False)


def _size(size: int | None) -> str:
    if size is None:
        return "of unknown size"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
