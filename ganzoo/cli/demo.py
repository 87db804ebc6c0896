"""The command that opens the web demo."""

from __future__ import annotations

from typing import Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import Device, app, err, out
from ganzoo.errors import GanzooError


@app.command()
def demo(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model to list first, by name or folder; can be repeated.",
            autocompletion=completion.models,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A data set for live training, besides digits; can be repeated.",
            autocompletion=completion.data,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from any host.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="By default, the first free port from 7860."),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Start the web demo."""
    from ganzoo import demo as demo_

    _check_place(host, port)
    build = demo_.build  # fails early without gradio
    with err.status("starting the demo"):
        made = build(model or (), data=data or (), device=device)
        try:
            _, url, _ = demo_.launch(
                made, host=host, port=port, quiet=True, prevent_thread_lock=True
            )
        except OSError as error:
            raise GanzooError(f"the demo cannot listen on {host}: {error}") from None
    out.print(f"the demo is at {url} (Ctrl-C stops it)", markup=False)
    made.block_thread()


def _check_place(host: str, port: int | None) -> None:
    """Raise GanzooError if the address cannot be listened on, before any slow work."""
    import socket

    try:
        # a port of 0 is any; whether one from 7860 on is free is found out later
        [*_, (family, kind, _, _, address)] = socket.getaddrinfo(
            host, port or 0, type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, ValueError) as error:
        where = host if port is None else f"{host}, port {port}"
        raise GanzooError(f"the demo cannot listen on {where}: {error}") from None
