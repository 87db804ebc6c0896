"""The page Train live: a variant learns in front of one's eyes, and stays if it may.

Training runs in a process of its own, at low priority and with one thread, so that the other
pages go on answering. One run learns at a time; every run is bounded in rounds and in minutes.
"""

from __future__ import annotations

import atexit
import json
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import environ, pathsep
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from ganzoo import runs
from ganzoo.data.catalog import find
from ganzoo.demo import inputs, outputs
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, then
from ganzoo.demo.model_registry import Shelf
from ganzoo.demo.train_worker import MODEL, STATE, STOP
from ganzoo.errors import GanzooError, TrainingError, UnknownNameError, choices, nearest
from ganzoo.nn.build import build, parameter_count
from ganzoo.plugins.host import default
from ganzoo.spec.schedule import updates_of
from ganzoo.spec.spec import Spec

TITLE = "Train live"
ROUNDS, MOST_ROUNDS = 600, 5000
MOST_SECONDS = 600.0
"""Of one training; whatever it learnt until then is kept."""
MOST_PARAMETERS, MOST_BATCH, MOST_FLOPS = 20_000_000, 256, 300e9
"""Of all networks together, of a batch, and of a round."""
REMEMBERED = 6
"""Runs that are over and can still be looked at."""
POINTS = 150
"""Points of a line of the plot."""
WATCH = "watch"
"""The queue of those who look on; it does not wait for models."""


@dataclass(eq=False)
class Run:
    """A training: its folder, its process, and since when it runs."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]
    began: float
    kept: str = ""

    @property
    def state(self) -> dict[str, Any]:
        """What the process says: state, step, steps, seconds, message."""
        try:
            said = json.loads((self.folder / STATE).read_text("utf-8"))
        except (OSError, ValueError):
            said = {"state": "starting"}
        over = self.process.poll() is not None
        if over and said["state"] not in ("done", "failed"):
            said |= {"state": "failed", "message": "the training ended without a word"}
        return said

    @property
    def learns(self) -> bool:
        """Whether it goes on; a process that has said how it ended is only taking its leave."""
        return self.state["state"] not in ("done", "failed")


class Studio:
    """The trainings of an app. Who holds the secret word of a run may stop and keep it.

    Args:
        data: names of data sets that may be trained on.
    """

    def __init__(self, data: Sequence[str], seconds: float = MOST_SECONDS) -> None:
        self.seconds = seconds
        self.runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._number = 0
        self.offered: dict[str, dict[str, Spec]] = {}
        host = default()
        for name in data:
            fields = find(name, host.data).fields
            for variant in host.variants:
                try:
                    small = host.variant(variant).parse(hasty(variant)).spec(fields)
                except GanzooError:  # for data of another kind
                    continue
                self.offered.setdefault(name, {})[variant] = small
        atexit.register(self.close)

    def variants(self, data: str) -> list[str]:
        """The variants that can learn from the data, the plainest first.

        That is the fewest networks and inputs; with convolutions before without, since these
        show something soonest; and the fewest updates in a round.
        """

        def plain(item: tuple[str, Spec]) -> tuple[Any, ...]:
            name, spec = item
            layers = [layer.kind for net in spec.networks.values() for _, layer in net.walk()]
            updates = [u for stage in spec.stages for one in stage.round for u in updates_of(one)]
            repeats = sum(getattr(one, "repeat", 1) for st in spec.stages for one in st.round)
            draws = len(spec.draws)
            return len(spec.networks), draws, "conv" not in layers, repeats, len(updates), name

        return [name for name, _ in sorted(self.offered.get(data, {}).items(), key=plain)]

    def start(
        self, variant: str, data: str, rounds: int, settings: Mapping[str, str], seed: int
    ) -> str:
        """Begin a training; its secret word.

        Raises:
            TrainingError: another one is going on, or this one is too large.
        """
        host = default()
        inputs.one_of("data", data, [*self.offered])
        if variant not in self.offered[data]:
            can = self.variants(data)
            raise UnknownNameError(
                f"no variant {variant[:100]!r} for {data}{nearest(variant[:100], can)} there is: "
                f"{choices(can)}"
            )
        made = host.variant(variant).parse(dict(settings))
        spec = made.spec(find(data, host.data).fields)
        _bounded(spec)
        with self._lock:
            busy = next((run for run in self.runs.values() if run.learns), None)
            if busy:
                done = busy.state
                raise TrainingError(
                    f"{busy.name} is learning, round {done.get('step', 0):,} of "
                    f"{done.get('steps', 0):,}; one learns at a time. Try again when it is done, "
                    f"in {max(1, round((self.seconds - time.monotonic() + busy.began) / 60))} "
                    "minutes at the latest"
                )
            self._number += 1
            folder = outputs.folder() / "trainings" / secrets.token_hex(8)
            plugin = host.providers["variants", variant]
            runs.start(folder, runs.Settings(
                name=f"{variant}-{re.sub(r'[^a-z0-9]+', '-', data)}-live-{self._number}",
                spec=spec, data=data, steps=rounds, batch=spec.batch, seed=seed,
                made_by={
                    "variant": variant, "settings": made.model_dump(mode="json"), "plugin": plugin,
                },
            ))  # fmt: skip
            word = secrets.token_urlsafe(12)
            self.runs[word] = Run(
                f"{variant} on {data}", folder, self._process(folder), time.monotonic()
            )
            over = [w for w, run in self.runs.items() if not run.learns and w != word]
            for old in over[: max(0, len(over) - REMEMBERED)]:
                gone = self.runs.pop(old)
                if not gone.kept:
                    shutil.rmtree(gone.folder, ignore_errors=True)
        return word

    def _process(self, folder: Path) -> subprocess.Popen[bytes]:
        environment = {
            **environ,
            "PYTHONPATH": pathsep.join(filter(None, sys.path)),
            "OMP_NUM_THREADS": "1",
        }
        with (folder / "errors.txt").open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "ganzoo.demo.train_worker", str(folder), str(self.seconds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
            )

    def run(self, word: Any) -> Run:
        """The run of a secret word; UnknownNameError where there is none."""
        if not isinstance(word, str) or word not in self.runs:
            raise UnknownNameError("no such training; start one, and use the word that it gives")
        run = self.runs[word]
        if run.learns and time.monotonic() - run.began > self.seconds + 120:
            run.process.kill()  # it should have ended by itself
        return run

    def close(self) -> None:
        """End all that still learns."""
        for run in self.runs.values():
            if run.learns:
                run.process.kill()
                run.process.wait()


def hasty(variant: str) -> dict[str, Any]:
    """Settings for a first look: a quarter of the width, small batches, faster steps.

    A variant without settings of these names is trained as it is.
    """
    fields = default().variant(variant).model_fields
    found: dict[str, Any] = {}
    for name, smaller in (
        ("width", lambda width: max(8, width // 4)),
        ("batch", lambda batch: min(batch, 64)),
        ("lr", lambda lr: float(f"{3 * lr:.2g}")),
    ):
        value = fields[name].default if name in fields else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = smaller(value)
    return found


def _bounded(spec: Spec) -> None:
    """TrainingError where a round of it would be too much for a demo."""
    from ganzoo.engine.explain import explain

    if spec.batch > MOST_BATCH:
        raise TrainingError(f"a batch of {spec.batch:,}; at most {MOST_BATCH} here")
    size = sum(map(parameter_count, build(spec).values()))
    if size > MOST_PARAMETERS:
        raise TrainingError(
            f"networks of {size:,} parameters; at most {MOST_PARAMETERS:,} here. Take a smaller "
            "width, or train it with `ganzoo train`"
        )
    cost = max(item.flops for item in explain(spec))
    if cost > MOST_FLOPS:
        raise TrainingError(
            f"{cost / 1e9:,.0f} GFLOP a round; at most {MOST_FLOPS / 1e9:,.0f} here. Take a "
            "smaller width or batch, or train it with `ganzoo train`"
        )


# ------------------------------------------------------------------------------- functions


def train_start(
    studio: Studio, variant: Any, data: Any, rounds: Any = ROUNDS, settings: Any = "", seed: Any = 0
) -> str:
    """Begin a training. One learns at a time.

    variant, data: names of /models under "trains". rounds: 10 to 5000. settings: hyper-parameters
    such as "width=16, lr=0.001", or "". seed: 0 to 2147483647. Returns the secret word of the
    run, which the other endpoints ask for.
    """
    data = inputs.one_of("data", data, [*studio.offered])
    variant = inputs.one_of("variant", variant, studio.variants(data))
    number = inputs.whole("rounds", rounds, 10, MOST_ROUNDS)
    return studio.start(variant, data, number, _settings(settings), inputs.seed(seed))


def train_status(studio: Studio, run: Any) -> tuple[dict[str, Any], str | None, pd.DataFrame]:
    """How a training goes. run: its secret word.

    Returns as JSON its state (starting, running, saving, done or failed), step, steps, seconds
    and, where it failed, the message; a PNG with samples, null before the first; and a table of
    losses: round, loss, term.
    """
    found = studio.run(run)
    said = found.state
    if said["state"] == "failed":
        said.setdefault("message", "it failed")
    if "seconds" in said:
        said["seconds"] = round(said["seconds"], 1)
    sheets = sorted((found.folder / "progress").glob("[0-9]*.png"))
    sheet = outputs.keep(sheets[-1].read_bytes(), ".png") if sheets else None
    return said, sheet, _losses(runs.log(found.folder))


def train_stop(studio: Studio, run: Any) -> dict[str, Any]:
    """Let a training end after this round, and save what it learnt. run: its secret word.

    Returns its state as JSON.
    """
    found = studio.run(run)
    (found.folder / STOP).touch()
    return found.state


def train_keep(shelf: Shelf, studio: Studio, run: Any) -> tuple[str, str]:
    """Put the model of a training that is over on the shelf; every page can use it at once.

    run: its secret word. Returns the model's name, and its folder as a ZIP file for
    `ganzoo.from_pretrained`.
    """
    found = studio.run(run)
    said = found.state
    if said["state"] != "done":
        reason = said.get("message", "")
        raise TrainingError(
            f"{found.name} is {said['state']}{': ' if reason else ''}{reason}; it can be kept once "
            "it is done. Stop it, or wait"
        )
    if not found.kept:
        found.kept = shelf.keep(found.folder / MODEL).name
    archive = outputs.folder() / "kept" / secrets.token_hex(8) / found.kept
    archive.parent.mkdir(parents=True, exist_ok=True)
    return found.kept, shutil.make_archive(str(archive), "zip", found.folder / MODEL)


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


def page(shelf: Shelf, app: gr.Blocks, studio: Studio, menus: Sequence[tuple[Any, Any]]) -> None:
    """Lay out the page. `menus`: the menus of models of all pages, with what fits them."""
    sets = [*studio.offered]
    variants = studio.variants(sets[0])
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "A small network learns here and now, on one core of this machine, in the "
                "background of everything else. One learns at a time, for at most "
                f"{round(studio.seconds / 60)} minutes.",
                elem_classes="note",
            )
            variant = gr.Dropdown(variants, value=variants[0], label="Variant", **MENU)
            data = gr.Dropdown(sets, value=sets[0], label="Data", visible=len(sets) > 1, **MENU)
            about = gr.Markdown(_about(variants[0]), elem_classes="note")
            rounds = gr.Slider(10, MOST_ROUNDS, ROUNDS, step=10, label="Rounds", elem_id="rounds")
            settings = gr.Textbox(
                _said(hasty(variants[0])), label="Settings", elem_id="settings",
                info="Small and hasty, for a first look; empty is as published.",
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
            model = gr.Textbox(label="Model", visible=False)
            archive = gr.File(label="The model's folder", interactive=False, visible=False)
    word = gr.Textbox(label="Run", visible=False)
    state = gr.JSON(label="State", visible=False)
    timer = gr.Timer(1.2, active=False)
    checked_inside(variant, data, rounds, settings, seed, word)

    watching: dict[str, Any] = {"concurrency_id": WATCH, "concurrency_limit": 8}
    status = endpoint(train_status, studio)
    started = on(
        go.click, endpoint(train_start, studio), [variant, data, rounds, settings, seed], [word],
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
        stop.click, endpoint(train_stop, studio), [word], [state], name="train_stop",
        show_progress="hidden", **watching,
    )  # fmt: skip
    taken = on(
        keep.click, endpoint(train_keep, shelf, studio), [word], [model, archive],
        name="train_keep", show_progress="hidden", **watching,
    )  # fmt: skip

    def offered() -> Any:
        """The menus of all pages anew, with what was kept here by anybody."""
        menus_ = [gr.Dropdown(choices=shelf.names(fits)) for _, fits in menus]
        return menus_[0] if len(menus_) == 1 else menus_

    fresh = [menu for menu, _ in menus]
    taken.success(
        lambda name: (
            f"**{name}** is on the shelf: every page that fits it has it in its menu.",
            gr.File(visible=True),
        ),
        [model], [kept, archive], api_visibility="private", show_progress="hidden", **watching,
    )  # fmt: skip
    then(taken, offered, [], fresh, **watching)
    on(app.load, offered, [], fresh, **watching)

    def chosen(name: Any) -> Any:
        # what is asked for may be anything; only what there is has settings
        known = name in default().variants
        return (_about(name), _said(hasty(name))) if known else ("", "")

    def other(name: Any) -> Any:
        can = studio.variants(name) if isinstance(name, str) else []
        return gr.Dropdown(can, value=can[0] if can else None)

    on(variant.change, endpoint(chosen), [variant], [about, settings], **watching)
    on(data.change, endpoint(other), [data], [variant], **watching)


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
