"""Trainings that the demo starts: each a run like any other, in a process of its own.

The process has low priority and one thread, so that the pages go on answering. One run trains at
a time; every run is bounded in rounds and in minutes.
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

from ganzoo import runs
from ganzoo.data.catalog import find
from ganzoo.demo import inputs, outputs
from ganzoo.demo.train_worker import STATE
from ganzoo.errors import GanzooError, TrainingError, UnknownNameError, choices, nearest
from ganzoo.nn.build import build, parameter_count
from ganzoo.plugins.host import default
from ganzoo.spec.schedule import updates_of
from ganzoo.spec.spec import Spec

MOST_SECONDS = 600.0
"""Of one training; whatever it learnt until then is kept."""
MOST_PARAMETERS, MOST_BATCH, MOST_FLOPS = 20_000_000, 256, 300e9
"""Of all networks together, of a batch, and of a round."""
REMEMBERED = 6
"""Runs that are over and can still be looked at."""


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
        self._lock = threading.Lock()
        self._number = 0
        self.offered: dict[str, dict[str, Spec]] = {}
        host = default()
        for name in data:
            fields = find(name, host.data).fields
            for variant in host.variants:
                try:
                    small = host.variant(variant).parse(quick_settings(variant)).spec(fields)
                except GanzooError:  # for data of another kind
                    continue
                self.offered.setdefault(name, {})[variant] = small
        atexit.register(self.close)

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
        worker = [sys.executable, "-m", "ganzoo.demo.train_worker"]
        with (folder / "errors.txt").open("wb") as errors:
            return subprocess.Popen(
                [*worker, str(folder), str(self.seconds), self.device],
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


def quick_settings(variant: str) -> dict[str, Any]:
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
