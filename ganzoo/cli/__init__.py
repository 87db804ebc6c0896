"""The command line `ganzoo`. Commands import heavy modules only when they need them."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ganzoo.cli.console import app
from ganzoo.cli.failures import failed
from ganzoo.cli.terminal import prepare
from ganzoo.layout import LIMIT

# the commands, in the order of `ganzoo --help`
from ganzoo.cli import listing, inspect, training, differing, draw  # noqa: F401 # isort: skip
from ganzoo.cli import infer, export, evaluate, hub, authoring, demo, lab  # noqa: F401 # isort: skip


def main() -> None:
    """Run the command line. Errors become one clear message, and exit status 1 or 2."""
    # before torch starts its threads: ones that spin while they wait stall each other whenever
    # the machine has anything else to do, several times over
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    prepare()
    try:
        code = app(standalone_mode=False)  # what a typer.Exit or Ctrl-C came to, else None
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        sys.exit(failed(error))
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        from ganzoo.version import version

        print(f"ganzoo {version()}")
        raise typer.Exit


@app.callback()
def ganzoo(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    no_plugins: Annotated[
        bool,
        typer.Option("--no-plugins", help="Load no plugins (GANZOO_PLUGINS=a,b loads only these)."),
    ] = False,
    limit: Annotated[
        float | None,
        typer.Option(help="Multiple of the usual compute and memory limit for loaded models."),
    ] = None,
) -> None:
    """A zoo of GANs in which a model is data: list, explain, train and sample."""
    if no_plugins:
        from ganzoo.plugins.host import CHOICE

        os.environ[CHOICE] = ""  # for processes that this one starts, too
    if limit is not None:
        os.environ[LIMIT] = str(limit)
