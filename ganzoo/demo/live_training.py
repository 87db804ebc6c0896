"""Live training: ordinary runs that the demo starts in separate processes.

A training process has low priority and one thread, so that the pages stay responsive. One run
trains at a time and the others wait in a queue. Runs are limited in rounds and minutes, and shorter
while others wait. A run belongs to the holder of its secret word, and ends when it is no longer
polled.
"""

from __future__ import annotations

import atexit
import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from ganzoo import runs
from ganzoo.data.catalog import DATASETS, DataSet, find
from ganzoo.data.loading import mnist_is_here
from ganzoo.demo import inputs, outputs
from ganzoo.demo.train_process import Process, Processes
from ganzoo.demo.train_worker import STATE, STOP
from ganzoo.errors import GanzooError, TrainingError, UnknownNameError, choices, nearest
from ganzoo.nn.build import build, parameter_count
from ganzoo.plugins.host import default
from ganzoo.spec.draws import Image
from ganzoo.spec.schedule import updates_of
from ganzoo.spec.spec import Spec

MOST_SECONDS = 600.0
"""The time limit of a training; its model at that time is kept."""
FAIR_SECONDS = 180.0
"""The time limit of a training while another one waits."""
ABSENT_SECONDS = 90.0
"""Time without polling after which a run ends; browsers poll once a minute in hidden tabs."""
LEFT_SECONDS = 10.0
"""The same after the browser reported that its page was closed; a reloaded page polls again."""
STOP_SECONDS = 120.0
"""Time after which a process that should have ended is killed."""
MOST_WAITING = 5
MOST_PARAMETERS, MOST_BATCH, MOST_FLOPS = 20_000_000, 256, 300e9
"""The limits on the parameters of all networks, the batch, and the FLOPs of a round."""
REMEMBERED = 6
"""The number of finished runs that are kept for display."""
READ_AHEAD = 2**28
"""The largest data set, in bytes, that a waiting process loads in advance."""


@dataclass(eq=False)
class Run:
    """A training: its folder, its process (once it has one), and its owner's activity.

    Args:
        asked: the time of the last poll with its word. left: the time when its page was closed.
        sessions: of the pages that show it as their own.
    """

    name: str
    folder: Path
    asked: float
    process: Process | None = None
    began: float = 0.0
    left: float | None = None
    stopping: float | None = None
    reason: str = ""
    kept: str = ""
    sessions: set[str] = field(default_factory=set[str])

    @property
    def state(self) -> dict[str, Any]:
        """The status that the process reports: state, step, steps, seconds, message."""
        if self.process is None:
            over = {"state": "failed", "message": self.reason}
            return over if self.reason else {"state": "waiting"}
        gone = self.process.poll() is not None  # before its last word is read
        try:
            said = json.loads((self.folder / STATE).read_text("utf-8"))
        except (OSError, ValueError):
            said = {"state": "starting"}
        if gone and said["state"] not in ("done", "failed"):
            said |= {"state": "failed", "message": "the training ended without a word"}
        if self.reason:
            said.setdefault("message", self.reason)
        return said

    @property
    def learns(self) -> bool:
        """Whether it is running; a process that has reported its end counts as ended."""
        return self.process is not None and self.state["state"] not in ("done", "failed")

    @property
    def waits(self) -> bool:
        return self.process is None and not self.reason

    @property
    def absent(self) -> bool:
        """Whether its owner has gone."""
        now = time.monotonic()
        if self.left is not None and self.left > self.asked and now - self.left > LEFT_SECONDS:
            return True
        return now - self.asked > ABSENT_SECONDS

    def stop(self, reason: str = "") -> None:
        """Stop it after the current round and save its model; a waiting run does not start."""
        if self.process is None:
            self.reason = self.reason or reason or "it was stopped before it began"
        elif self.stopping is None:
            self.stopping, self.reason = time.monotonic(), reason
            (self.folder / STOP).touch()


class LiveTraining:
    """The training manager of an app. A run is stopped, and its model kept, with its secret word.

    Args:
        data: names of the data sets that are offered.
        seconds: the time limit of a training. device: the device of training.
    """

    def __init__(
        self, data: Sequence[str], seconds: float = MOST_SECONDS, device: str = "cpu"
    ) -> None:
        self.seconds, self.device = seconds, device
        self.runs: dict[str, Run] = {}
        self._lock = threading.RLock()
        self._number = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.offered: dict[str, dict[str, Spec]] = {}
        host = default()
        ahead: list[str] = []
        for name in data:
            declared = find(name, host.data)
            for variant in host.variants:
                try:
                    small = host.variant(variant).parse(quick_settings(variant))
                    spec = small.spec(declared.fields)
                except GanzooError:  # for data of another kind
                    continue
                self.offered.setdefault(name, {})[variant] = spec
            if name in self.offered and 0 < _bytes(declared) <= READ_AHEAD:
                ahead.append(name)
        self._processes = Processes(ahead, device)
        atexit.register(self.close)

    def prepare(self) -> None:
        """Start a process in advance, so that the first training begins at once."""
        if self.offered and not self._closed.is_set():
            self._processes.prepare()

    def warm(self) -> None:
        """Examine the training that the page offers first, which imports what later ones need."""
        for data in [*self.offered][:1]:
            _bounded(self.offered[data][self.variants(data)[0]])

    def variants(self, data: str) -> list[str]:
        """The variants that can be trained on the data, the simplest first.

        These have the fewest networks, states and inputs; generators of noise come before others,
        and convolutional networks before others, since they give results soonest; then those with
        the fewest updates in a round.
        """

        def plain(item: tuple[str, Spec]) -> tuple[Any, ...]:
            name, spec = item
            layers = [layer.kind for net in spec.networks.values() for _, layer in net.walk()]
            updates = [u for stage in spec.stages for one in stage.round for u in updates_of(one)]
            repeats = sum(getattr(one, "repeat", 1) for st in spec.stages for one in st.round)
            draws = len(spec.draws)
            parts = len(spec.networks) + len(spec.state)
            draws_anew = any(task.kind == "generate" for task in spec.tasks.values())
            sees = (not draws_anew, "conv" not in layers)
            return parts, draws, *sees, repeats, len(updates), len(spec.tasks), name

        return [name for name, _ in sorted(self.offered.get(data, {}).items(), key=plain)]

    def start(
        self, variant: str, data: str, rounds: int, settings: Mapping[str, str], seed: int
    ) -> str:
        """Start a training, or put it in the queue; returns its secret word.

        Raises:
            TrainingError: the queue is full, or this training is too large.
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
            waiting = sum(run.waits for run in self.runs.values())
            if waiting >= MOST_WAITING:
                raise TrainingError(
                    f"{waiting} trainings are waiting already; one runs at a time, for at most "
                    f"{FAIR_SECONDS / 60:.0f} minutes while others wait. Try again in a few minutes"
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
            self.runs[word] = Run(f"{variant} on {data}", folder, time.monotonic())
            over = [w for w, run in self.runs.items() if not run.learns and not run.waits]
            for old in over[: max(0, len(over) - REMEMBERED)]:
                gone = self.runs.pop(old)
                if not gone.kept:
                    shutil.rmtree(gone.folder, ignore_errors=True)
        self._look_after()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return word

    def _watch(self) -> None:
        while not self._closed.wait(0.5):
            self._look_after()

    def _look_after(self) -> None:
        """Stop runs whose time is over or whose owner has gone; start the next in the queue."""
        with self._lock:
            if self._closed.is_set():
                return
            now = time.monotonic()
            for run in self.runs.values():
                if (run.learns or run.waits) and run.absent:
                    run.stop("it ended, as its status was no longer requested")
            busy, waiting = self.learning, [run for run in self.runs.values() if run.waits]
            if busy is not None and busy.process is not None:
                if now - busy.began > self.seconds + STOP_SECONDS:
                    busy.process.kill()  # it should have ended by itself
                elif busy.stopping is not None and now - busy.stopping > STOP_SECONDS:
                    busy.process.kill()
                elif waiting and now - busy.began > FAIR_SECONDS:
                    busy.stop("others wait, so it ended after its share of the time")
            elif waiting:
                first = waiting[0]
                first.process = self._processes.take(first.folder, self.seconds)
                first.began = now
            elif self._thread is not None:
                self._processes.prepare()

    @property
    def learning(self) -> Run | None:
        """The run that trains now."""
        return next((run for run in self.runs.values() if run.learns), None)

    def ahead(self, run: Run) -> int:
        """How many runs are ahead of a waiting run, including the one that trains."""
        with self._lock:
            waiting = [other for other in self.runs.values() if other.waits]
            place = waiting.index(run) if run in waiting else 0
            return place + (self.learning is not None)

    def run(self, word: Any) -> Run:
        """The run of a secret word; counts as a poll. UnknownNameError if there is none."""
        if not isinstance(word, str) or word not in self.runs:
            raise UnknownNameError("no such training; start one, and use the word that it returns")
        run = self.runs[word]
        run.asked = time.monotonic()
        return run

    def shown(self, word: Any, session: str | None) -> None:
        """Record that a page shows a run as its own; `session_left` undoes it."""
        if session and isinstance(word, str) and word in self.runs:
            self.runs[word].sessions.add(session)

    def session_left(self, session: str | None) -> None:
        """Record that a page was closed or reloaded: runs that only this page showed end soon."""
        for run in [*self.runs.values()]:
            if session in run.sessions:
                run.sessions.discard(session)
                if not run.sessions:
                    run.left = time.monotonic()

    def close(self) -> None:
        """Stop all runs, and the waiting process."""
        self._closed.set()
        with self._lock:
            self._processes.close()
            for run in self.runs.values():
                if run.process is not None and run.process.poll() is None:
                    run.process.kill()
                    run.process.wait()


def at_hand() -> list[str]:
    """The data sets that are declared for live training and need no download."""
    declared = {**DATASETS, **default().data}.values()
    # stacked-mnist is made of MNIST, which may not be here
    return [
        one.name
        for one in declared
        if one.live and (one.name != "stacked-mnist" or mnist_is_here())
    ]


def _bytes(declared: DataSet) -> int:
    """The size of all images of a data set in memory."""
    images = [d for d in declared.fields.fields.values() if isinstance(d, Image)]
    return declared.size * sum(prod(image.shape) for image in images)


SMALLER = {
    "width": lambda width: max(8, width // 4),
    "discriminator_width": lambda width: max(8, width // 4),
    "batch": lambda batch: min(batch, 64),
    "blocks": lambda blocks: 1,
    "mapping": lambda layers: min(layers, 2),
    "lr": lambda lr: float(f"{3 * lr:.2g}"),
    "lr_generator": lambda lr: float(f"{3 * lr:.2g}"),
    "average_from": lambda rounds: min(rounds, 100),
    "average": lambda decay: min(decay, 0.99),
    "half_life": lambda images: min(images, 1000.0),
}
"""Changes to the defaults for a quick training: a quarter of the width, small batches, few layers,
higher learning rates, and moving averages that are not longer than the training."""


def quick_settings(variant: str) -> dict[str, Any]:
    """The settings of a quick training: the defaults as changed by `SMALLER`.

    A variant without settings of these names is not changed.
    """
    fields = default().variant(variant).model_fields
    found: dict[str, Any] = {}
    for name, smaller in SMALLER.items():
        value = fields[name].default if name in fields else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if (less := smaller(value)) != value:
            found[name] = less
    return found


@lru_cache(maxsize=64)
def _bounded(spec: Spec) -> None:
    """Raise TrainingError if a round costs too much for a demo; a Spec that passed is known."""
    from ganzoo.engine.explain import explain

    if spec.batch > MOST_BATCH:
        raise TrainingError(f"a batch of {spec.batch:,}; at most {MOST_BATCH} here")
    size = sum(map(parameter_count, build(spec).values()))
    if size > MOST_PARAMETERS:
        raise TrainingError(
            f"networks of {size:,} parameters; at most {MOST_PARAMETERS:,} here. Choose a smaller "
            "width, or train it with `ganzoo train`"
        )
    cost = max(item.flops for item in explain(spec))
    if cost > MOST_FLOPS:
        raise TrainingError(
            f"{cost / 1e9:,.0f} GFLOP per round; at most {MOST_FLOPS / 1e9:,.0f} here. Choose a "
            "smaller width or batch, or train it with `ganzoo train`"
        )
