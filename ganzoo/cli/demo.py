"""The command that opens the web demo."""

from __future__ import annotations

from typing import Annotated

import typer

from ganzoo.cli.console import app, err, out


@app.command()
def demo(
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model to put first, by name or folder; may be given again."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="A data set to train on live, beside digits; may be given again."),
    ] = None,
    host: Annotated[str, typer.Option(help="Who may come: 0.0.0.0 is everybody.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="By default the first free one from 7860 on."),
    ] = None,
) -> None:
    """Open the web demo: see, try and understand every model."""
    from ganzoo import demo as demo_

    build = demo_.build  # says so where gradio is missing, before anything takes time
    with err.status("opening the demo"):
        made = build(model or (), data=data or ())
        try:
            _, url, _ = demo_.launch(
                made, host=host, port=port, quiet=True, prevent_thread_lock=True
            )
        except OSError as error:
            from ganzoo.errors import GanzooError

            raise GanzooError(f"the demo cannot listen on {host}: {error}") from None
    out.print(f"the demo is at {url} (Ctrl-C ends it)", markup=False)
    made.block_thread()
