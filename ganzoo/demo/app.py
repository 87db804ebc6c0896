"""The app: the models, a tab for each kind of page, and how it is served."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

# before Gradio is imported, which asks other hosts otherwise
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
import torch
from gradio.events import api

from ganzoo.demo import accessible, starting, temporary_files, theme
from ganzoo.demo.address import Field, restoring, writing
from ganzoo.demo.endpoints import WAITING, guard
from ganzoo.demo.examples import Examples
from ganzoo.demo.live_training import MOST_SECONDS, LiveTraining, at_hand
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.pages import (
    anomalies,
    beside,
    encode,
    generate,
    inspect,
    laboratory,
    latent,
    text,
    train,
    translate,
)
from ganzoo.demo.request_limits import HOUR, RequestLimits
from ganzoo.nn.devices import find

PAGES: tuple[ModuleType, ...] = (
    generate, latent, beside, text, anomalies, encode, translate, inspect,
)  # fmt: skip
"""The pages of models. A page that fits no model is left out."""
WITH_EXAMPLES = (latent, anomalies, encode, translate)
HEAD = (
    "# ganzoo\nA zoo of GANs in which **a model is data**. Generate samples, look inside the "
    "models, and train your own."
)
MAX_FILE = "5mb"
KEPT = int(HOUR)
"""Seconds after which files that the app wrote are removed."""


def build(
    models: Iterable[str] = (),
    *,
    data: Iterable[str] = (),
    bundled: bool = True,
    seconds: float = MOST_SECONDS,
    device: str = "cpu",
) -> gr.Blocks:
    """The app, not yet started.

    Args:
        models: names or folders of models that come first on their pages.
        data: names of data sets that may be trained on, beside those at hand.
        bundled: all models that come with ganzoo are there, too.
        seconds: how long a training may last.
        device: where models compute, and live training.

    Raises:
        UnknownNameError, StoreError, SpecError: one of the models is none.
        TrainingError: there is no such device.
    """
    find(device)
    temporary_files.claim()
    registry = ModelRegistry(models, bundled=bundled, device=device)
    examples = Examples(registry)
    live = LiveTraining([*dict.fromkeys([*data, *at_hand()])], seconds, device)
    menus: list[tuple[gr.Dropdown, Callable[..., bool]]] = []
    with gr.Blocks(
        title="ganzoo", analytics_enabled=False, delete_cache=(KEPT, KEPT), fill_width=True
    ) as app:
        gr.Markdown(HEAD, elem_id="title")
        # outside of the tabs, whose contents come to be only when they are opened
        mine = gr.BrowserState("")
        """The word of the training that this browser started; a page loaded anew has it, too."""
        arrived = gr.State(0)
        """Changes once, when the settings of the address are in place."""
        addresses: dict[str, list[Field]] = {}
        with gr.Tabs() as tabs:
            for module in (page for page in PAGES if registry.names(page.fits)):
                more = [examples] if module in WITH_EXAMPLES else []
                with gr.Tab(module.TITLE, id=module.TITLE) as tab:
                    # the first page is open when somebody comes, the others are filled on demand
                    made = module.page(registry, tab.select if menus else arrived.change, *more)
                addresses[module.TITLE] = made
                menus += [(field.component, field.model) for field in made if field.model]
                _addressed(tab, module.TITLE, made)
            with gr.Tab(laboratory.TITLE, id=laboratory.TITLE) as tab:
                laboratory.page(tab.select, app)
            addresses[laboratory.TITLE] = []
            _addressed(tab, laboratory.TITLE, [])
            if live.offered:
                with gr.Tab(train.TITLE, id=train.TITLE) as tab:
                    addresses[train.TITLE] = train.page(
                        registry, app, live, menus, tab.select, mine
                    )
                _addressed(tab, train.TITLE, addresses[train.TITLE])
        restoring(app, tabs, addresses, arrived)

        def known() -> dict[str, Any]:
            """The models by what they can do, and what may be trained on what."""
            return listing(registry, live)

        api(known, api_name="models", concurrency_id=train.WATCH, concurrency_limit=8)
    starting.once_served(app, live.prepare)
    starting.once_served(app, live.warm)
    starting.once_served(app, laboratory.frame)
    app.queue(max_size=WAITING, default_concurrency_limit=2)
    return guard(app)


def _addressed(tab: gr.Tab, title: str, fields: Sequence[Field]) -> None:
    """Whoever goes to a page has its address."""
    tab.select(
        None, [field.component for field in fields], None, js=writing(title, fields),
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip


def listing(registry: ModelRegistry, live: LiveTraining) -> dict[str, Any]:
    """The names that endpoints take: under the title of each page, and under "trains" by data."""
    pages = {module.TITLE: registry.names(module.fits) for module in PAGES}
    trains = {data: live.variants(data) for data in live.offered}
    return {**{title: names for title, names in pages.items() if names}, "trains": trains}


def launch(
    app: gr.Blocks, *, host: str = "127.0.0.1", port: int | None = None, **options: Any
) -> Any:
    """Start the app, which asks no other host for anything from then on.

    Args:
        host: of which network; by default only this machine reaches it.
        port: by default the first free one from 7860 on.
        options: what else `gradio.Blocks.launch` takes.

    Raises:
        OSError: the port is not free. GanzooError: the server does not come up; says why.
    """
    temporary_files.end_on_signals()
    os.environ.setdefault("GANZOO_OFFLINE", "1")
    # two requests at once, and something left for who trains
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    return starting.launched(
        app,
        host=host,
        port=port,
        share=False,
        # as starlette.middleware.Middleware unpacks itself: class, arguments, keywords
        app_kwargs={"middleware": [(RequestLimits, (), {})]},
        theme=theme.theme(),
        css=theme.CSS,
        head=accessible.HEAD,
        max_file_size=MAX_FILE,
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        **options,
    )
