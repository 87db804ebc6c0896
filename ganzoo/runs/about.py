"""What the training doctor has to know of a run, beside its log."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ganzoo.engine.averages import decay_of
from ganzoo.errors import SpecError
from ganzoo.spec.losses.roles import Roles
from ganzoo.spec.numbers import Clock
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task


@dataclass(frozen=True)
class About:
    """Facts about a run, beside its log, that the rules need.

    Args:
        steps: rounds in all.
        generator, discriminator: the names of their updates; empty unless a Spec has exactly one
            of each.
        critic: the discriminator's loss is the negative of a distance and has no best value.
        half_life: of the published moving average, in rounds, at the end of the run; 0 without one.
        lower: figures that are better when they are lower.
        begins: the round from which all networks that draw samples are trained: 0, unless the last
            of them begins in a later stage.
    """

    steps: int
    generator: str = ""
    discriminator: str = ""
    critic: bool = False
    half_life: float = 0.0
    lower: frozenset[str] = field(default_factory=lambda: frozenset({"fid", "kid"}))
    begins: int = 0

    @classmethod
    def of(cls, spec: Spec, batch: int | None = None) -> About:
        """The facts of a Spec, trained with batches of this size; only its length and its average
        unless it has one generator and one discriminator."""
        half_life = _half_life(spec, batch or spec.batch)
        begun = begins(spec, [task for task in spec.tasks.values() if task.kind == "generate"])
        try:
            game = Roles.of(spec)
        except SpecError:
            return cls(spec.steps, half_life=half_life, begins=begun)
        by = {update.train[0]: update for update in spec.stages[0].updates}
        update = by[game.discriminator]
        names = by[game.generator].name, update.name
        return cls(spec.steps, *names, bool(update.distance), half_life)


def _half_life(spec: Spec, batch: int) -> float:
    """The longest half-life of its moving averages at the end, in rounds."""
    last = spec.stages[-1].steps
    clock = Clock(last, batch, 1.0)
    try:
        decays = [decay_of(one, spec.let, clock, spec.steps) for one in spec.ema.values()]
    except SpecError:  # it follows a state, which is known during the run alone
        return 0.0
    return max((math.log(0.5) / math.log(decay) for decay in decays if 0 < decay < 1), default=0.0)


def begins(spec: Spec, tasks: Iterable[Task]) -> int:
    """The rounds before all networks of these tasks are trained."""
    drawn = {name for task in tasks for name in spec.networks_in(task.output)}
    done = begins = 0
    for stage in spec.stages:
        new = drawn & {name for update in stage.updates for name in update.train}
        if new:
            begins, drawn = done, drawn - new
        done += stage.steps
    return begins
