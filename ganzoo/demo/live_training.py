"""Trainings that the demo starts: each a run like any other, in a process of its own.

The process has low priority and one thread, so that the pages go on answering. One run trains at
a time, the others wait their turn; every run is bounded in rounds and in minutes, and shorter where
somebody waits. A run belongs to who holds its word, and ends when nobody asks for it any more.
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
"""Of one training; whatever it learnt until then is kept."""
FAIR_SECONDS = 180.0
"""Of one training while another waits."""
ABSENT_SECONDS = 90.0
"""After which a run that nobody asked for ends. Browsers ask once a minute in hidden tabs."""
LEFT_SECONDS = 10.0
"""The same once its browser said that the page is closed; a page that is loaded anew asks."""
STOP_SECONDS = 120.0
"""Until a process that should end is ended."""
MOST_WAITING = 5
MOST_PARAMETERS, MOST_BATCH, MOST_FLOPS = 20_000_000, 256, 300e9
"""Of all networks together, of a batch, and of a round."""
REMEMBERED = 6
"""Runs that are over and can still be looked at."""
READ_AHEAD = 2**28
"""Bytes of a data set that a waiting process reads ahead."""


@dataclass(eq=False)
class Run:
    """A training: its folder, its process once it has one, and who asks for it.

    Args:
        asked: when somebody with its word asked for it last. left: when its browser went.
        sessions: of the pages that show it as theirs.
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
        """What the process says: state, step, steps, seconds, message."""
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
        """Whether it goes on; a process that has said how it ended is only taking its leave."""
        return self.process is not None and self.state["state"] not in ("done", "failed")

    @property
    def waits(self) -> bool:
        return self.process is None and not self.reason

    @property
    def absent(self) -> bool:
        """Whether who started it is gone."""
        now = time.monotonic()
        if self.left is not None and self.left > self.asked and now - self.left > LEFT_SECONDS:
            return True
        return now - self.asked > ABSENT_SECONDS

    def stop(self, reason: str = "") -> None:
        """Let it end after its round, and save what it learnt; one that waits does not begin."""
        if self.process is None:
            self.reason = self.reason or reason or "it was stopped before it began"
        elif self.stopping is None:
            self.stopping, self.reason = time.monotonic(), reason
            (self.folder / STOP).touch()


class LiveTraining:
    """The trainings of an app. Who holds the secret word of a run may stop and keep it.

    Args:
        data: names of data sets that may be trained on.
        seconds: how long a training may last. device: where it computes.
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
        """Start a process ahead, so that the first training begins at once."""
        if self.offered and not self._closed.is_set():
            self._processes.prepare()

    def variants(self, data: str) -> list[str]:
        """The variants that can learn from the data, the plainest first.

        That is the fewest networks, states and inputs; what draws from noise before what does not,
        and with convolutions before without, since these show something soonest; and the fewest
        updates in a round.
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
        """Begin a training, or put it in the queue; its secret word.

        Raises:
            TrainingError: too many wait already, or this one is too large.
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
                    f"{waiting} trainings wait already; one learns at a time, for at most "
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
        """Whose time is over or whose owner is gone ends; who waits longest begins."""
        with self._lock:
            if self._closed.is_set():
                return
            now = time.monotonic()
            for run in self.runs.values():
                if (run.learns or run.waits) and run.absent:
                    run.stop("nobody asked for it any more, so it ended")
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
        """The run that learns now."""
        return next((run for run in self.runs.values() if run.learns), None)

    def ahead(self, run: Run) -> int:
        """How many come before a run that waits, with the one that learns."""
        with self._lock:
            waiting = [other for other in self.runs.values() if other.waits]
            place = waiting.index(run) if run in waiting else 0
            return place + (self.learning is not None)

    def run(self, word: Any) -> Run:
        """The run of a secret word, which is asked for with that; UnknownNameError without one."""
        if not isinstance(word, str) or word not in self.runs:
            raise UnknownNameError("no such training; start one, and use the word that it gives")
        run = self.runs[word]
        run.asked = time.monotonic()
        return run

    def shown(self, word: Any, session: str | None) -> None:
        """A page shows a run as its own; it is `session_left` when the page is closed."""
        if session and isinstance(word, str) and word in self.runs:
            self.runs[word].sessions.add(session)

    def session_left(self, session: str | None) -> None:
        """A page was closed or loaded anew: the runs that it alone showed end soon."""
        for run in [*self.runs.values()]:
            if session in run.sessions:
                run.sessions.discard(session)
                if not run.sessions:
                    run.left = time.monotonic()

    def close(self) -> None:
        """End all that still learns, and what waits for a training."""
        self._closed.set()
        with self._lock:
            self._processes.close()
            for run in self.runs.values():
                if run.process is not None and run.process.poll() is None:
                    run.process.kill()
                    run.process.wait()


def at_hand() -> list[str]:
    """The data sets that are declared for live training and load without a download."""
    declared = {**DATASETS, **default().data}.values()
    # stacked-mnist is made of MNIST, which may not be here
    return [
        one.name
        for one in declared
        if one.live and (one.name != "stacked-mnist" or mnist_is_here())
    ]


def _bytes(declared: DataSet) -> int:
    """Of all images of a data set, as they are kept."""
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
"""What a quick training has less of, and faster: a quarter of the width, small batches, few layers,
larger steps, and averages of the generator that are not longer than the training."""


def quick_settings(variant: str) -> dict[str, Any]:
    """Settings for a first look, as `SMALLER` makes them of the defaults.

    A variant without settings of these names is trained as it is.
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
