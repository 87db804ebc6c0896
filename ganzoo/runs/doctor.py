"""The training doctor: reads the log of a run, and reports what it sees in plain words.

It is pure: lines of a log go in (`ganzoo.runs.log`, or any such mappings), findings come out. A
line has `step` and `losses` ({"D.real": 0.6}); it may have

    gradients   {"D": 0.4, "G": 0.1}       the norm of the gradient of each update
    verdicts    {"separation": 0.93}       how often D ranks an image of the data above a sample
    samples     {"spread": 0.9, "duplicates": 0.0, "grain": 1.1, "classes": 1.0}
                                           spread: mean distance of samples over that of images;
                                           duplicates: share of samples with a twin among them;
                                           grain: difference of neighbouring pixels over that of
                                           images;
                                           classes: share of the data's classes among samples
    figures     {"fid": 23.1}              measured during the run

A rule whose evidence is not in the log reports nothing. A healthy run is noisy: each rule waits for
EARLY rounds, and requires what it sees to last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ganzoo.runs.about import About

Lines = Sequence[Mapping[str, Any]]

EVIDENCE = ("gradients", "verdicts", "samples", "figures")
"""What lines may have beside losses."""
MOMENTS = 40
"""About how often a run is checked."""
EARLY = 200
"""Rounds before which only diverging numbers are reported."""
LARGEST = 3e38
"""Roughly the largest number of float32 and of bfloat16."""
RUNAWAY, TIMES = 1e4, 100.0
"""A loss of this size, and this many times its usual one, diverges if it still grows."""
HUGE, GROWN = 1e6, 1e4
"""A loss of this size, and this many times its first one, has no bound if it still grows: that of a
critic which nothing limits grows as a power of the rounds, which is too slow for RUNAWAY."""
WON = 0.002
"""The share of its loss at the first round below which a discriminator has won. One of large images
is often far ahead, at a hundredth of its first loss, while the generator goes on learning."""
MOST_FIRST = 10.0
"""A larger first loss is a spike: an untrained discriminator loses a few units."""
SEPARATED = 0.99
GONE = 3e-3
"""The share of its first gradient below which an update learns nothing."""
NARROW, TWINS, CLASSES = 1 / 3, 0.5, 0.5
"""Samples have collapsed at less spread, more duplicates, or fewer classes than these. Of thirty
runs of ten variants on portraits and digits, those that drew many pictures ended at a spread of
0.56 to 1.05, and those that drew one, or noise, at 0.08 to 0.28."""
SHRUNK = 0.5
"""They are collapsing if their spread has fallen below this share of the largest there was, and
below this share of the data's."""
GRAIN, GROWN_GRAIN = 2.5, 1.3
"""Samples dissolve into noise at this much grain, and so many times the least there was."""
LAGS = 0.2
"""The share of the run that the half-life of a moving average may be."""
CHANCE = 0.1
"""The discriminator is guessing if the separation is within this distance of a half."""
FLAT = 0.02
"""How much the losses of a run that has converged still move, as a share."""


@dataclass(frozen=True)
class Finding:
    """A finding of the doctor.

    Args:
        rule: its name. step: the round at which it was seen. says: the diagnosis.
        evidence: the numbers behind it. suggestion: what to try.
    """

    rule: str
    step: int
    says: str
    evidence: str
    suggestion: str

    def __str__(self) -> str:
        return f"{self.says} ({self.evidence}). {self.suggestion}"


def diagnose(lines: Lines, about: About) -> list[Finding]:
    """The findings at the last of these lines; none if all is well."""
    if not lines:
        return []
    early = lines[-1]["step"] < EARLY
    rules = RULES[:1] if early else RULES
    found = [finding for rule in rules if (finding := rule(lines, about))]
    if found and found[0].rule == "not finite soon":  # everything else follows from that
        return found[:1]
    # who has collapsed or won has also stopped moving
    return [f for f in found if f.rule != "nothing left to learn" or len(found) == 1]


def course(lines: Lines, about: About, moments: int = MOMENTS) -> list[tuple[Finding, bool]]:
    """The findings during the run, each rule once, and whether it still holds at the end."""
    if not lines:
        return []
    at_end = {finding.rule: finding for finding in diagnose(lines, about)}
    first: dict[str, Finding] = {}
    for end in sorted({max(1, round(len(lines) * (i + 1) / moments)) for i in range(moments)}):
        for finding in diagnose(lines[:end], about):
            first.setdefault(finding.rule, finding)
    return [(at_end.get(rule, finding), rule in at_end) for rule, finding in first.items()]


# ---------------------------------------------------------------------------------- the rules


def runs_away(lines: Lines, about: About) -> Finding | None:
    """A loss that grows without end: it will not be finite soon."""
    for term in _terms(lines):
        points = _series(lines, "losses", term)
        if len(points) < 6:
            continue
        values = [abs(value) for _, value in points]
        usual = max(median(values[: max(3, len(values) // 2)]), 1e-3)
        recent = points[-max(3, len(points) // 10) :]
        (begin, low), (end, high) = recent[0], recent[-1]
        low, high = abs(low), abs(high)
        if high < RUNAWAY or high < TIMES * usual or high < 2 * low:
            continue
        tenfold = (end - begin) / max(math.log10(high / max(low, 1e-30)), 1e-9)
        left = math.log10(LARGEST / high) * tenfold
        return Finding(
            "not finite soon", end,
            f"the loss {term} runs away and will not be finite soon",
            f"{high:.2g} at round {end:,}, where {usual:.2g} was usual; ten times as much every "
            f"{tenfold:,.0f} rounds, past all numbers at about round {end + left:,.0f}",
            "Lower the learning rate, limit gradients (clip_norm on the update), or add a penalty "
            "such as --loss rpgan's",
        )  # fmt: skip
    return None


def grows_without_bound(lines: Lines, about: About) -> Finding | None:
    """A loss that has become huge step by step, as that of a critic does which nothing limits."""
    for term in _terms(lines):
        points = [(step, abs(value)) for step, value in _series(lines, "losses", term)]
        part = len(points) // 5
        if part < 3:
            continue
        middle, recent = (
            median(value for _, value in some)
            for some in (points[2 * part : 3 * part], points[-part:])
        )
        first = max(points[0][1], 1e-3)  # of a round that every run logs
        if recent < HUGE or recent < GROWN * first or recent < 1.5 * middle:
            continue
        return Finding(
            "loss without bound", points[-1][0],
            f"the loss {term} has no bound: it grows on and on",
            f"about {recent:.2g} by now, {middle:.2g} half way, {first:.2g} at first",
            "Limit the critic: a penalty (--loss wgan-gp), clip_weights, or spectral norm; "
            "or lower the learning rate",
        )  # fmt: skip
    return None


def discriminator_wins(lines: Lines, about: About) -> Finding | None:
    """A discriminator whose loss has gone to zero: it tells all samples from data."""
    if not about.discriminator or about.critic:
        return None
    loss = _totals(lines, about.discriminator)
    if len(loss) < 10 or min(value for _, value in loss) < 0:  # it has no best value
        return None
    # of a round that every run logs, however often it does
    first = min(loss[0][1], MOST_FIRST)
    tail = [value for _, value in loss[-max(5, len(loss) // 5) :]]
    now = median(tail)
    lost = sum(value < WON * first for value in tail) / len(tail)
    if first <= 0 or lost < 0.8:
        return None
    looks = [value for _, value in _series(lines, "verdicts", "separation")][-2:]
    if looks and min(looks) < SEPARATED:
        return None
    against, risen = _totals(lines, about.generator), ""
    if against:
        before = against[0][1]
        after = median(value for _, value in against[-max(5, len(against) // 5) :])
        risen = f"; the generator's went from {before:.3g} to {after:.3g}"
    seen = f"; it ranks {looks[-1]:.1%} of images above samples" if looks else ""
    return Finding(
        "discriminator wins", lines[-1]["step"],
        "the discriminator wins: it tells every sample from the data",
        f"its loss is {now:.2g}, of {first:.2g} at first{risen}{seen}",
        "Give the generator a chance: a lower learning rate or a penalty for the discriminator "
        "(--loss rpgan, wgan-gp), augmentation where the data are few, or a larger generator",
    )  # fmt: skip


def gradient_vanishes(lines: Lines, about: About) -> Finding | None:
    """An update that receives almost no gradient any more, while another one does."""
    updates = _names(lines, "gradients")
    shares: dict[str, tuple[float, float]] = {}
    for name in updates:
        norms = [value for _, value in _series(lines, "gradients", name)]
        if len(norms) < 10:
            continue
        first = max(norms[: max(3, len(norms) // 5)])
        shares[name] = (median(norms[-max(5, len(norms) // 5) :]), first)
    wanted = [about.generator] if about.generator else list(shares)
    for name in wanted:
        if name not in shares:
            continue
        now, first = shares[name]
        if first > 0 and now >= GONE * first:
            continue
        who = "the generator's gradient" if about.generator else f"the gradient of update {name}"
        return Finding(
            "gradient vanishes", lines[-1]["step"],
            f"{who} vanishes: it learns next to nothing",
            f"its norm is {now:.2g}, and was {first:.2g} early on",
            "Use the non-saturating loss (bce(D(fake), 1) for the generator), or one whose "
            "gradient does not saturate: --loss wgan-gp, --loss hinge, --loss rpgan",
        )  # fmt: skip
    return None


def _looks(lines: Lines, about: About) -> list[tuple[int, Mapping[str, float]]]:
    """Looks at samples after a quarter of the rounds that train all of their networks, by round;
    none before there are two."""
    first = about.begins + max(EARLY, (about.steps - about.begins) // 4)
    looks = [
        (line["step"], line["samples"])
        for line in lines
        if isinstance(line.get("samples"), Mapping) and line["step"] >= first
    ]
    return looks if len(looks) > 1 or lines[-1]["step"] >= about.steps else []


def mode_collapse(lines: Lines, about: About) -> Finding | None:
    """Samples that are all alike, duplicates, or of a few classes."""
    looks = _looks(lines, about)
    if not looks:
        return None
    recent = [seen for _, seen in looks[-2:]]
    said: list[str] = []
    if max(seen.get("duplicates", 0.0) for seen in recent) > 0 and all(
        seen.get("duplicates", 0.0) >= TWINS for seen in recent
    ):
        said.append(f"{recent[-1]['duplicates']:.0%} of the samples have a twin among them")
    if all(seen.get("spread", 1.0) < NARROW for seen in recent):
        said.append(f"they lie within {recent[-1]['spread']:.0%} of the distances of the data")
    else:
        round_, most = max(
            ((step, seen.get("spread", 1.0)) for step, seen in looks), key=lambda look: look[1]
        )
        if all(seen.get("spread", 1.0) < SHRUNK * min(most, 1.0) for seen in recent):
            said.append(
                f"their distances are {recent[-1]['spread']:.0%} of those of the data, and were "
                f"{most:.0%} at round {round_:,}"
            )
    if all(seen.get("classes", 1.0) <= CLASSES for seen in recent):
        said.append(f"they show {recent[-1]['classes']:.0%} of the data's classes")
    if not said:
        return None
    return Finding(
        "mode collapse", looks[-1][0],
        "the generator has collapsed: it draws a few pictures again and again",
        "; ".join(said),
        "Take an earlier checkpoint, a lower learning rate for the generator, minibatch_std at the "
        "end of the discriminator, or a loss that asks for diversity (--loss rpgan, wgan-gp)",
    )  # fmt: skip


def samples_dissolve(lines: Lines, about: About) -> Finding | None:
    """Samples that turn into noise, after they had less of it."""
    looks = [(step, seen["grain"]) for step, seen in _looks(lines, about) if "grain" in seen]
    if len(looks) < 3:
        return None
    round_, least = min(looks, key=lambda look: look[1])
    if min(grain for _, grain in looks[-2:]) < max(GRAIN, GROWN_GRAIN * least):
        return None
    return Finding(
        "noise", looks[-1][0],
        "the samples turn into noise",
        f"neighbouring pixels differ {looks[-1][1]:.1f} times as much as in the data, and "
        f"{least:.1f} times at round {round_:,}",
        "Take an earlier checkpoint or fewer rounds, lower learning rates, a penalty on the "
        "discriminator (--loss rpgan, wgan-gp) or --augment diffaugment",
    )  # fmt: skip


BLOCKS = 32


def oscillates(lines: Lines, about: About) -> Finding | None:
    """Two players that chase each other: their losses swing slowly, widely and in turn."""
    if not about.discriminator:
        return None
    one, other = (dict(_totals(lines, name)) for name in (about.discriminator, about.generator))
    if not one or min(one.values()) < 0:  # shares are meaningless if values pass zero
        return None
    steps = sorted(one.keys() & other.keys())
    steps = steps[len(steps) * 2 // 5 :]
    size = len(steps) // BLOCKS
    if size < 3:
        return None
    steps = steps[-size * BLOCKS :]
    swings = [_swing([values[step] for step in steps], size) for values in (one, other)]
    first, second = swings
    if min(first.over_noise, second.over_noise) < 4 or max(first.share, second.share) < 0.6:
        return None
    turns = min(first.turns, second.turns)
    if not 5 <= turns <= 24 or min(first.rhythm, second.rhythm) < 0.4:
        return None
    together = _correlation(first.blocks, second.blocks)
    if abs(together) < 0.5:
        return None
    return Finding(
        "oscillation", lines[-1]["step"],
        "the two networks chase each other in circles: their losses swing and do not settle",
        f"{turns // 2} swings in the last {steps[-1] - steps[0]:,} rounds, of "
        f"{max(first.share, second.share):.0%} of the loss; generator and discriminator swing "
        f"together (correlation {together:.2f})",
        "Lower the learning rates or the momentum (betas: [0, 0.99]), add a penalty "
        "(--loss rpgan, wgan-gp), and publish a moving average (ema)",
    )  # fmt: skip


def average_lags(lines: Lines, about: About) -> Finding | None:
    """A moving average over so much of the run that it shows how the weights were long ago."""
    if about.half_life <= LAGS * about.steps:
        return None
    return Finding(
        "average lags", lines[-1]["step"],
        "the moving average, which is what is published and what draws samples, lags behind",
        f"its half-life is {about.half_life:,.0f} of {about.steps:,} rounds at the end",
        "Shorten the half-life (ema), to a twentieth of the run, say; until then samples are "
        "blurred, whatever the weights have learnt",
    )  # fmt: skip


def nothing_left(lines: Lines, about: About) -> Finding | None:
    """Nothing changes any more, by the figure, or because the discriminator guesses."""
    done = lines[-1]["step"]
    for name in _names(lines, "figures"):
        if not (points := _series(lines, "figures", name)):
            continue
        sign = 1 if name in about.lower else -1
        best, at = min((sign * value, step) for step, value in points)
        later = [value for step, value in points if step > at]
        if len(later) >= 8 and at < 0.5 * done:
            return Finding(
                "nothing left to learn", done,
                f"nothing has become better for {done - at:,} rounds",
                f"{name} was best at round {at:,} ({sign * best:.4g}), and is "
                f"{later[-1]:.4g} now; {len(later)} measurements since",
                "Stop here and keep the best (--figure does, --patience stops by itself), or lower "
                "the learning rate",
            )  # fmt: skip
    points = _series(lines, "verdicts", "separation")
    looks = [value for step, value in points if step >= EARLY][-3:]
    enough = len(looks) == 3 or (looks and done >= about.steps)
    if about.critic or not enough or any(abs(value - 0.5) > CHANCE for value in looks):
        return None
    still = [name for name in _terms(lines) if _moves(_series(lines, "losses", name)) > FLAT]
    if still:
        return None
    return Finding(
        "nothing left to learn", done,
        "the discriminator guesses, so that the generator has nothing left to learn from it",
        f"it ranks {looks[-1]:.0%} of images above samples, as a coin would, and no loss has "
        f"moved by more than {FLAT:.0%} in the last third",
        "If the samples are good, stop here. If they are poor, the discriminator is too weak: a "
        "larger one, or a higher learning rate for it",
    )  # fmt: skip


RULES: tuple[Callable[[Lines, About], Finding | None], ...] = (
    runs_away, grows_without_bound, discriminator_wins, gradient_vanishes, mode_collapse,
    samples_dissolve, oscillates, average_lags, nothing_left,
)  # fmt: skip


# ---------------------------------------------------------------------------- reading the log


def _terms(lines: Lines) -> list[str]:
    """The terms of updates; states may have any values."""
    terms = dict.fromkeys(term for line in lines for term in line["losses"])
    return [term for term in terms if not term.startswith("state.")]


def _names(lines: Lines, word: str) -> list[str]:
    """A named part of those lines that have it."""
    parts = (line.get(word) for line in lines)
    return list(dict.fromkeys(n for part in parts if isinstance(part, Mapping) for n in part))


def _series(lines: Lines, word: str, name: str) -> list[tuple[int, float]]:
    """Step and value of each line that has one."""
    return [
        (line["step"], value)
        for line in lines
        if isinstance(part := line.get(word), Mapping)
        and isinstance(value := part.get(name), int | float)
        and math.isfinite(value)
    ]


def _totals(lines: Lines, update: str) -> list[tuple[int, float]]:
    """The sum of an update's terms at each line that has all of them."""
    terms = [term for term in _terms(lines) if term.rpartition(".")[0] == update]
    found: list[tuple[int, float]] = []
    for line in lines:
        values = [line["losses"][term] for term in terms if term in line["losses"]]
        if terms and len(values) == len(terms) and all(map(math.isfinite, values)):
            found.append((line["step"], sum(values)))
    return found


def _moves(points: Sequence[tuple[int, float]]) -> float:
    """The trend of a series in its last third, as a share of its size; spikes do not count."""
    tail = sorted(value for _, value in points[-max(5, len(points) // 3) :])
    if not tail:
        return 0.0
    low, high = tail[len(tail) // 10], tail[-1 - len(tail) // 10]
    return (high - low) / max(abs(median(tail)), 0.05)


@dataclass(frozen=True)
class _Swing:
    """Means of blocks without their trend; turns: how often they cross it; share: amplitude
    relative to the loss; over_noise: relative to pure noise; rhythm: regularity, 0 to 1."""

    blocks: list[float]
    turns: int
    share: float
    over_noise: float
    rhythm: float


def _swing(values: Sequence[float], size: int) -> _Swing:
    parts = list(_parts(values, size))
    means = [fmean(part) for part in parts]
    noise = fmean(_deviation(part) for part in parts) / math.sqrt(size)
    trend = _line(means)
    rest = [mean - line for mean, line in zip(means, trend, strict=True)]
    turns = sum((a < 0) != (b < 0) for a, b in itertools.pairwise(rest))
    ordered = sorted(rest)
    width = ordered[-1 - len(rest) // 10] - ordered[len(rest) // 10]
    level = max(abs(fmean(means)), 1e-9)
    # the largest autocorrelation, one period later
    lags = range(2, len(rest) // 2)
    rhythm = max((_correlation(rest[lag:], rest[:-lag]) for lag in lags), default=0.0)
    return _Swing(rest, turns, width / level, _deviation(rest) / max(noise, 1e-12), rhythm)


def _parts(values: Sequence[float], size: int) -> Iterator[Sequence[float]]:
    for begin in range(0, len(values) - size + 1, size):
        yield values[begin : begin + size]


def _line(values: Sequence[float]) -> list[float]:
    """The straight line through values, by least squares."""
    n = len(values)
    middle, mean = (n - 1) / 2, fmean(values)
    slope = sum((i - middle) * (v - mean) for i, v in enumerate(values)) / max(
        sum((i - middle) ** 2 for i in range(n)), 1e-12
    )
    return [mean + slope * (i - middle) for i in range(n)]


def _deviation(values: Sequence[float]) -> float:
    mean = fmean(values)
    return math.sqrt(fmean((value - mean) ** 2 for value in values))


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    a, b = fmean(one), fmean(other)
    scale = _deviation(one) * _deviation(other)
    shared = fmean((x - a) * (y - b) for x, y in zip(one, other, strict=True))
    return shared / scale if scale > 1e-24 else 0.0
