"""The page Train live: a variant is trained while the page shows it; the model can be kept."""

from __future__ import annotations

import re
import secrets
import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import pandas as pd

from ganzoo import runs
from ganzoo.demo import inputs, outputs
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, then
from ganzoo.demo.live_training import FAIR_SECONDS, LiveTraining, Run, quick_settings
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.train_worker import MODEL
from ganzoo.errors import TrainingError
from ganzoo.plugins.host import default

TITLE = "Train live"
ROUNDS, MOST_ROUNDS = 600, 5000
IDLE = "Press **Start**: samples appear here within seconds, and the losses below them."
POINTS = 150
"""The most points of a line of the plot."""
WATCH = "watch"
"""The queue of status requests, which do not wait for models."""


# ------------------------------------------------------------------------------- functions


def train_start(
    live: LiveTraining,
    variant: Any,
    data: Any,
    rounds: Any = ROUNDS,
    settings: Any = "",
    seed: Any = 0,
) -> str:
    """Start a training. One runs at a time, and up to five wait in a queue.

    variant, data: names of /models under "trains". rounds: 10 to 5000. settings: hyper-parameters
    such as "width=16, lr=0.001", or "". seed: 0 to 2147483647. Returns the secret word of the
    run, which the other endpoints need. A run ends after 90 seconds without a call of
    /train_status.
    """
    data = inputs.one_of("data", data, [*live.offered])
    variant = inputs.one_of("variant", variant, live.variants(data))
    number = inputs.whole("rounds", rounds, 10, MOST_ROUNDS)
    return live.start(variant, data, number, _settings(settings), inputs.seed(seed))


def train_status(live: LiveTraining, run: Any) -> tuple[dict[str, Any], str | None, pd.DataFrame]:
    """The status of a training. run: its secret word.

    Returns, as JSON, its state (waiting, starting, running, saving, done or failed), step, steps,
    seconds, while it waits the number of runs ahead, and if it failed or ended early the message;
    a PNG with samples, null before the first; and a table of losses: round, loss, term.
    """
    found = live.run(run)
    said, sheet, losses = _seen(found)
    if said["state"] == "waiting":
        said["ahead"] = live.ahead(found)
    return said, sheet, losses


def train_watch(live: LiveTraining) -> tuple[dict[str, Any], str | None, pd.DataFrame]:
    """The status of the current training, whoever started it.

    Returns the same as /train_status, and its name in the JSON; the state is idle without one.
    """
    found = live.learning
    if found is None:
        return {"state": "idle"}, None, _losses([])
    said, sheet, losses = _seen(found)
    return {"name": found.name, **said}, sheet, losses


def _seen(found: Run) -> tuple[dict[str, Any], str | None, pd.DataFrame]:
    said = found.state
    if said["state"] == "failed":
        said.setdefault("message", "it failed")
    if "seconds" in said:
        said["seconds"] = round(said["seconds"], 1)
    sheets = sorted((found.folder / "progress").glob("[0-9]*.png"))
    sheet = outputs.keep(sheets[-1].read_bytes(), ".png") if sheets else None
    return said, sheet, _losses(runs.log(found.folder))


def train_stop(live: LiveTraining, run: Any) -> dict[str, Any]:
    """Stop a training after the current round and save its model. run: its secret word.

    Returns its state as JSON.
    """
    found = live.run(run)
    found.stop()
    return found.state


def train_keep(registry: ModelRegistry, live: LiveTraining, run: Any) -> tuple[str, str]:
    """Keep the model of a finished training, so that all pages can use it.

    run: its secret word. Returns the model's name, and its folder as a ZIP file for
    `ganzoo.from_pretrained`.
    """
    found = live.run(run)
    said = found.state
    if said["state"] != "done":
        reason = said.get("message", "")
        raise TrainingError(
            f"{found.name} is {said['state']}{': ' if reason else ''}{reason}; it can be kept once "
            "it is done. Stop it, or wait"
        )
    if not found.kept:
        found.kept = registry.keep(found.folder / MODEL).name
    archive = outputs.folder() / "kept" / secrets.token_hex(8) / found.kept
    archive.parent.mkdir(parents=True, exist_ok=True)
    return found.kept, shutil.make_archive(str(archive), "zip", found.folder / MODEL)


def again_of(live: LiveTraining, *given: Any) -> tuple[str, str]:
    """The Python and the command that repeat the training."""
    data, variant, rounds, settings, seed = given
    data = inputs.one_of("data", data, [*live.offered])
    variant = inputs.one_of("variant", variant, live.variants(data))
    steps, number = inputs.whole("rounds", rounds, 10, MOST_ROUNDS), inputs.seed(seed)
    made = _settings(settings)
    values = default().variant(variant).parse(dict(made))
    said = {name: getattr(values, name) for name in made}
    words = [word for name, value in made.items() for word in ("--set", f"{name}={value}")]
    chosen = ", ".join([repr(variant), *(f"{name}={value!r}" for name, value in said.items())])
    python = "\n".join([
        "import ganzoo",
        "",
        f"variant = ganzoo.variant({chosen})",
        f"for step in ganzoo.train(variant, {data!r}, steps={steps}, seed={number}):",
        "    print(step.number, step.losses())",
        "model = step.model()",
    ])  # fmt: skip
    parts = ["ganzoo", "train", variant, "--data", data, "--steps", str(steps)]
    return python, " ".join(map(shlex.quote, [*parts, "--seed", str(number), *words]))


def _settings(text: Any) -> dict[str, str]:
    """`width=16, lr=0.001` as a dict."""
    if not isinstance(text, str) or len(text) > 500:
        raise TrainingError("settings are a short text such as: width=16, lr=0.001")
    found: dict[str, str] = {}
    for part in re.split(r"[,;\s]+", text.strip()):
        name, equals, value = part.partition("=")
        if part and not (equals and name and value):
            raise TrainingError(f"settings: write name=value, such as width=16, not {part[:40]!r}")
        if part:
            found[name] = value
    return found


def _losses(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each term of each record, evenly thinned."""
    some = records[:: -(-len(records) // POINTS)] if records else []
    if some and some[-1] is not records[-1]:
        some = [*some, records[-1]]
    rows = [
        (record["step"], value, term) for record in some for term, value in record["losses"].items()
    ]
    return pd.DataFrame(rows, columns=["round", "loss", "term"])


# ------------------------------------------------------------------------------------ page


def page(
    registry: ModelRegistry,
    app: gr.Blocks,
    live: LiveTraining,
    menus: Sequence[tuple[Any, Any]],
    opened: Any,
    word: gr.BrowserState,
) -> list[Field]:
    """Lay out the page; the settings of its address.

    `menus`: the menus of models of all pages, with their filters. `opened`: the page is shown.
    `word`: the secret word of the training that this browser started.
    """
    sets = [*live.offered]
    variants = live.variants(sets[0])
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "Trains a small network on one core of this machine, at low priority. One "
                f"training runs at a time, for at most {round(live.seconds / 60)} minutes "
                f"({round(FAIR_SECONDS / 60)} if others are waiting), and ends when you leave the "
                "page.",
                elem_classes="note",
            )
            variant = gr.Dropdown(variants, value=variants[0], label="Variant", **MENU)
            data = gr.Dropdown(sets, value=sets[0], label="Data", visible=len(sets) > 1, **MENU)
            about = gr.Markdown(_about(variants[0]), elem_classes="note")
            rounds = gr.Slider(10, MOST_ROUNDS, ROUNDS, step=10, label="Rounds", elem_id="rounds")
            settings = gr.Textbox(
                _said(quick_settings(variants[0])), label="Settings", elem_id="settings",
                info="Small and fast, for a first look. Leave empty for the published settings.",
            )  # fmt: skip
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED)
            with gr.Row():
                stop = gr.Button("Stop", interactive=False, min_width=90, elem_id="train-stop")
                go = gr.Button("Start", variant="primary", min_width=90, elem_id="train-start")
        with gr.Column(scale=2, min_width=320):
            said = gr.Markdown(IDLE, elem_id="train-said")
            with gr.Column(visible=False) as shown:
                sheet = gr.Image(
                    label="Samples", interactive=False, format="png", elem_classes="picture",
                    elem_id="train-sheet", buttons=["download", "fullscreen"],
                )  # fmt: skip
            with gr.Column(visible=False) as drawn:
                plot = gr.LinePlot(
                    x="round", y="loss", color="term", height=340, label="Losses",
                    elem_id="train-plot", buttons=[],
                )  # fmt: skip
            with gr.Column(visible=False) as own:
                keep = gr.Button("Keep the model", interactive=False, elem_id="train-keep")
            kept = gr.Markdown(elem_id="train-kept")
            shared = gr.Column(min_width=0)
            model = gr.Textbox(label="Model", visible=False)
            archive = gr.File(label="The model's folder", interactive=False, visible=False)
    state = gr.JSON(label="State", visible=False)
    given = gr.Textbox(label="Run", visible=False)
    api_alone = gr.Button(visible=False)
    timer = gr.Timer(1.2, active=False)
    checked_inside(variant, data, rounds, settings, seed, given)

    watching: dict[str, Any] = {"concurrency_id": WATCH, "concurrency_limit": 8}
    hidden: dict[str, Any] = {"show_progress": "hidden", **watching}
    view = [said, sheet, plot, timer, stop, go, keep, shown, drawn, own]

    def look(mine: Any, request: gr.Request) -> Any:
        """The content of the page: its own training, or another visitor's."""
        own_run = isinstance(mine, str) and mine in live.runs
        if not own_run:
            facts, picture, losses = train_watch(live)
        else:
            live.shown(mine, request.session_hash)
            facts, picture, losses = train_status(live, mine)
            if facts["state"] == "waiting":
                _, picture, losses = train_watch(live)
        return _view(facts, picture, losses, own=own_run)

    # the endpoints, which pages do not call
    on(
        api_alone.click, endpoint(train_status, live), [given], [state, sheet, plot],
        name="train_status", **hidden,
    )  # fmt: skip
    on(
        api_alone.click, endpoint(train_watch, live), [], [state, sheet, plot],
        name="train_watch", **hidden,
    )  # fmt: skip
    on(api_alone.click, endpoint(train_stop, live), [given], [state], name="train_stop", **hidden)
    on(
        api_alone.click, endpoint(train_keep, registry, live), [given], [model, archive],
        name="train_keep", **hidden,
    )  # fmt: skip

    started = on(
        go.click, endpoint(train_start, live), [variant, data, rounds, settings, seed], [given],
        name="train_start", **hidden,
    )  # fmt: skip
    begun = started.success(
        lambda found: (found, "", gr.File(visible=False)), [given], [word, kept, archive],
        api_visibility="private", **hidden,
    )  # fmt: skip
    then(begun, look, [word], view, **watching)
    on(timer.tick, look, [word], view, **watching)
    on([app.load, opened], look, [word], view, **watching)
    stopped = on(stop.click, endpoint(train_stop, live), [word], [state], **watching)
    then(stopped, look, [word], view, **watching)
    app.unload(_left(live))
    taken = on(
        keep.click, endpoint(train_keep, registry, live), [word], [model, archive], **watching
    )  # fmt: skip

    def offered() -> Any:
        """The updated menus of all pages, with all models kept here."""
        menus_ = [gr.Dropdown(choices=registry.names(fits)) for _, fits in menus]
        return menus_[0] if len(menus_) == 1 else menus_

    fresh = [menu for menu, _ in menus]
    taken.success(
        lambda name: (
            f"**{name}** is kept, and listed on every page that supports it.",
            gr.File(visible=True),
        ),
        [model], [kept, archive], api_visibility="private", show_progress="hidden", **watching,
    )  # fmt: skip
    then(taken, offered, [], fresh, **watching)
    on(app.load, offered, [], fresh, **watching)

    # what is asked for may be anything; only what there is has settings
    def told(name: Any) -> str:
        return _about(name) if name in default().variants else ""

    def chosen(name: Any) -> str:
        return _said(quick_settings(name)) if name in default().variants else ""

    def other(name: Any) -> Any:
        can = live.variants(name) if isinstance(name, str) else []
        return gr.Dropdown(can, value=can[0] if can else None)

    on(variant.change, endpoint(told), [variant], [about], **watching)
    on(variant.input, endpoint(chosen), [variant], [settings], **watching)
    another = on(data.input, endpoint(other), [data], [variant], **watching)
    then(another, endpoint(chosen), [variant], [settings], **watching)
    fields = [
        Field("data", data),
        Field("variant", variant, offered=lambda known: live.variants(known["data"])),
        Field("rounds", rounds),
        Field(
            "settings", settings, initial=lambda known: _said(quick_settings(known["variant"]))
        ),
        Field("seed", seed),
    ]  # fmt: skip
    with shared:
        sharing(TITLE, fields, [sheet.change], recipe=endpoint(again_of, live), name="train")
    return fields


def _left(live: LiveTraining) -> Any:
    """The function to call when a page is closed or reloaded."""

    def left(request: gr.Request) -> None:
        live.session_left(request.session_hash)

    return left


def _view(facts: dict[str, Any], picture: Any, losses: Any, *, own: bool) -> Any:
    """The status of a run as text, its picture and plot, and which buttons are enabled."""
    state = facts["state"]
    over = state in ("done", "failed", "idle")
    return (
        _words(facts, own),
        picture if picture else gr.skip(),
        losses,
        gr.Timer(active=not over),
        gr.Button(interactive=own and state in ("waiting", "starting", "running")),
        gr.Button(interactive=over or not own),
        gr.Button(interactive=own and state == "done"),
        gr.Column(visible=bool(picture)),
        gr.Column(visible=bool(len(losses) and losses["round"].iloc[-1] > 1)),
        gr.Column(visible=own),
    )


def _words(facts: dict[str, Any], own: bool) -> str:
    """The status of a run in one line."""
    state, name = facts["state"], facts.get("name", "")
    if state == "idle":
        return IDLE
    if state == "waiting":
        ahead = facts["ahead"]
        theirs = "; the current one is shown below" if ahead else ""
        return f"**Waiting** · {ahead} ahead of yours{theirs}"
    words = {
        "starting": "Starting ...",
        "running": "Training",
        "saving": "Saving ...",
        "done": "Done",
        "failed": "Failed",
    }[state]
    if facts.get("steps"):
        rate = facts["step"] / max(facts.get("seconds", 0), 1e-9)
        words = (
            f"**{words}** · round {facts['step']:,} of {facts['steps']:,} · "
            f"{facts.get('seconds', 0):.0f} s · {rate:.1f} rounds a second"
        )
    if facts.get("message"):
        words += f": {_plain(str(facts['message']))}"
    if not own:
        words = f"Another visitor is training **{name}**. Yours would wait in the queue. {words}"
    return words


def _plain(text: str) -> str:
    """Text escaped for Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|$#])", r"\\\1", text)


def _about(variant: str) -> str:
    return default().variant(variant).summary()


def _said(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in settings.items())
