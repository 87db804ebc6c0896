"""The page Train live: a variant trains while one looks on; the model can be kept."""

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
from ganzoo.demo.live_training import LiveTraining, quick_settings
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.train_worker import MODEL, STOP
from ganzoo.errors import TrainingError
from ganzoo.plugins.host import default

TITLE = "Train live"
ROUNDS, MOST_ROUNDS = 600, 5000
POINTS = 150
"""Points of a line of the plot."""
WATCH = "watch"
"""The queue of those who look on; it does not wait for models."""


# ------------------------------------------------------------------------------- functions


def train_start(
    live: LiveTraining,
    variant: Any,
    data: Any,
    rounds: Any = ROUNDS,
    settings: Any = "",
    seed: Any = 0,
) -> str:
    """Begin a training. One learns at a time.

    variant, data: names of /models under "trains". rounds: 10 to 5000. settings: hyper-parameters
    such as "width=16, lr=0.001", or "". seed: 0 to 2147483647. Returns the secret word of the
    run, which the other endpoints ask for.
    """
    data = inputs.one_of("data", data, [*live.offered])
    variant = inputs.one_of("variant", variant, live.variants(data))
    number = inputs.whole("rounds", rounds, 10, MOST_ROUNDS)
    return live.start(variant, data, number, _settings(settings), inputs.seed(seed))


def train_status(live: LiveTraining, run: Any) -> tuple[dict[str, Any], str | None, pd.DataFrame]:
    """How a training goes. run: its secret word.

    Returns as JSON its state (starting, running, saving, done or failed), step, steps, seconds
    and, where it failed, the message; a PNG with samples, null before the first; and a table of
    losses: round, loss, term.
    """
    found = live.run(run)
    said = found.state
    if said["state"] == "failed":
        said.setdefault("message", "it failed")
    if "seconds" in said:
        said["seconds"] = round(said["seconds"], 1)
    sheets = sorted((found.folder / "progress").glob("[0-9]*.png"))
    sheet = outputs.keep(sheets[-1].read_bytes(), ".png") if sheets else None
    return said, sheet, _losses(runs.log(found.folder))


def train_stop(live: LiveTraining, run: Any) -> dict[str, Any]:
    """Let a training end after this round, and save what it learnt. run: its secret word.

    Returns its state as JSON.
    """
    found = live.run(run)
    (found.folder / STOP).touch()
    return found.state


def train_keep(registry: ModelRegistry, live: LiveTraining, run: Any) -> tuple[str, str]:
    """Keep the model of a finished training; all pages can use it at once.

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
    """The Python and the command that train the same again."""
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
    """A row for each term of each record, thinned evenly."""
    some = records[:: -(-len(records) // POINTS)] if records else []
    if some and some[-1] is not records[-1]:
        some = [*some, records[-1]]
    rows = [
        (record["step"], value, term) for record in some for term, value in record["losses"].items()
    ]
    return pd.DataFrame(rows, columns=["round", "loss", "term"])


# ------------------------------------------------------------------------------------ page


def page(
    registry: ModelRegistry, app: gr.Blocks, live: LiveTraining, menus: Sequence[tuple[Any, Any]]
) -> list[Field]:
    """Lay out the page; the settings of its address.

    `menus`: the menus of models of all pages, with what fits them.
    """
    sets = [*live.offered]
    variants = live.variants(sets[0])
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "A small network learns here and now, on one core of this machine, in the "
                "background of everything else. One learns at a time, for at most "
                f"{round(live.seconds / 60)} minutes.",
                elem_classes="note",
            )
            variant = gr.Dropdown(variants, value=variants[0], label="Variant", **MENU)
            data = gr.Dropdown(sets, value=sets[0], label="Data", visible=len(sets) > 1, **MENU)
            about = gr.Markdown(_about(variants[0]), elem_classes="note")
            rounds = gr.Slider(10, MOST_ROUNDS, ROUNDS, step=10, label="Rounds", elem_id="rounds")
            settings = gr.Textbox(
                _said(quick_settings(variants[0])), label="Settings", elem_id="settings",
                info="Small and fast, for a first look; empty is as published.",
            )  # fmt: skip
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED)
            with gr.Row():
                stop = gr.Button("Stop", interactive=False, min_width=90, elem_id="train-stop")
                go = gr.Button("Start", variant="primary", min_width=90, elem_id="train-start")
        with gr.Column(scale=2, min_width=320):
            said = gr.Markdown("Nothing learns yet: press **Start**.", elem_id="train-said")
            sheet = gr.Image(
                label="Samples", interactive=False, format="png", elem_classes="picture",
                elem_id="train-sheet", buttons=["download", "fullscreen"],
            )  # fmt: skip
            with gr.Column(visible=False) as drawn:
                plot = gr.LinePlot(
                    x="round", y="loss", color="term", height=340, label="Losses",
                    elem_id="train-plot", buttons=[],
                )  # fmt: skip
            keep = gr.Button("Keep it as a model", interactive=False, elem_id="train-keep")
            kept = gr.Markdown(elem_id="train-kept")
            shared = gr.Column(min_width=0)
            model = gr.Textbox(label="Model", visible=False)
            archive = gr.File(label="The model's folder", interactive=False, visible=False)
    word = gr.Textbox(label="Run", visible=False)
    state = gr.JSON(label="State", visible=False)
    timer = gr.Timer(1.2, active=False)
    checked_inside(variant, data, rounds, settings, seed, word)

    watching: dict[str, Any] = {"concurrency_id": WATCH, "concurrency_limit": 8}
    status = endpoint(train_status, live)
    started = on(
        go.click, endpoint(train_start, live), [variant, data, rounds, settings, seed], [word],
        name="train_start", show_progress="hidden", **watching,
    )  # fmt: skip
    begun = [sheet, plot, said, kept, archive, timer, stop, go, keep]
    started.success(
        lambda: [
            None, None, "Starting ...", "", gr.File(visible=False), gr.Timer(active=True),
            gr.Button(interactive=True), gr.Button(interactive=False), gr.Button(interactive=False),
        ],
        [], begun, api_visibility="private", show_progress="hidden", **watching,
    )  # fmt: skip
    seen = on(
        timer.tick, status, [word], [state, sheet, plot], name="train_status",
        show_progress="hidden", **watching,
    )  # fmt: skip
    then(seen, _told, [state], [said, timer, stop, go, keep, drawn], **watching)
    on(
        stop.click, endpoint(train_stop, live), [word], [state], name="train_stop",
        show_progress="hidden", **watching,
    )  # fmt: skip
    taken = on(
        keep.click, endpoint(train_keep, registry, live), [word], [model, archive],
        name="train_keep", show_progress="hidden", **watching,
    )  # fmt: skip

    def offered() -> Any:
        """The menus of all pages anew, with what was kept here by anybody."""
        menus_ = [gr.Dropdown(choices=registry.names(fits)) for _, fits in menus]
        return menus_[0] if len(menus_) == 1 else menus_

    fresh = [menu for menu, _ in menus]
    taken.success(
        lambda name: (
            f"**{name}** is kept: it is in the menu of every page that fits it.",
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


def _told(said: Any) -> Any:
    """The state of a run in words, and which buttons may be pressed."""
    name = said.get("state", "") if isinstance(said, dict) else ""
    over = name in ("done", "failed")
    words = {
        "starting": "Starting ...",
        "running": "Learning",
        "saving": "Saving ...",
        "done": "Done",
        "failed": "It failed",
    }.get(name, "")
    if isinstance(said, dict) and said.get("steps"):
        rate = said["step"] / max(said.get("seconds", 0), 1e-9)
        words = (
            f"**{words}** · round {said['step']:,} of {said['steps']:,} · "
            f"{said.get('seconds', 0):.0f} s · {rate:.1f} rounds a second"
        )
    if name == "failed":
        words += f": {said.get('message', '')}"
    return (
        words,
        gr.Timer(active=not over),
        gr.Button(interactive=name in ("starting", "running")),
        gr.Button(interactive=over),
        gr.Button(interactive=name == "done"),
        gr.Column(visible=isinstance(said, dict) and said.get("step", 0) > 1),
    )


def _about(variant: str) -> str:
    return default().variant(variant).summary()


def _said(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in settings.items())
