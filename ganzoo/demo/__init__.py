"""The web demo: see, try and understand every model in the zoo.

    ganzoo demo --model folder_or_name --port 7860

Its pages follow from the tasks that models declare, and no page knows a model by name: a model
from a plugin or a folder that nobody here has seen gets its page like all others.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

# before Gradio is imported, which asks other hosts otherwise
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from ganzoo.demo import generate, look
from ganzoo.demo.endpoints import WAITING, guard
from ganzoo.demo.shelf import Shelf

HEAD = (
    "# ganzoo\nA zoo of GANs in which **a model is data**. Draw with every model, look inside, "
    "and train one of your own."
)
MAX_FILE = "5mb"
HOUR = 3600
"""Seconds after which files of the app are removed."""


def build(models: Iterable[str] = (), *, bundled: bool = True) -> gr.Blocks:
    """The app, not yet started.

    Args:
        models: names or folders of models that come first on their pages.
        bundled: all models that come with ganzoo are there, too.

    Raises:
        UnknownNameError, StoreError, SpecError: one of the models is none.
    """
    _own_folder()
    shelf = Shelf(models, bundled=bundled)
    with gr.Blocks(
        title="ganzoo", analytics_enabled=False, delete_cache=(HOUR, HOUR), fill_width=True
    ) as app:
        gr.Markdown(HEAD, elem_id="title")
        with gr.Tabs():
            for module in (generate,):
                with gr.Tab(module.TITLE, id=module.TITLE):
                    module.page(shelf, app)
    app.queue(max_size=WAITING, default_concurrency_limit=2)
    return guard(app)


def launch(
    app: gr.Blocks, *, host: str = "127.0.0.1", port: int | None = None, **options: Any
) -> Any:
    """Start the app; what `gradio.Blocks.launch` takes may be given, too."""
    return app.launch(
        server_name=host,
        server_port=port,
        share=False,
        theme=look.theme(),
        css=look.CSS,
        max_file_size=MAX_FILE,
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        **options,
    )


def _own_folder() -> None:
    """A fresh folder for the files of this process, which other apps of Gradio cannot reach."""
    if "GANZOO_DEMO_FOLDER" not in os.environ:
        place = tempfile.mkdtemp(prefix="ganzoo-demo-")
        os.environ["GANZOO_DEMO_FOLDER"] = os.environ["GRADIO_TEMP_DIR"] = place
        atexit.register(shutil.rmtree, place, ignore_errors=True)
