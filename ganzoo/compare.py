"""Models side by side: samples, figures and mathematics, in one file that stands for itself."""

from __future__ import annotations

import base64
import io
import math
import shlex
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo import pictures
from ganzoo.atomic import write_text
from ganzoo.errors import TaskError, choices
from ganzoo.hub import resolve
from ganzoo.metrics.report import Figure, Report, read
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import parameter_count
from ganzoo.runs import SHEET, samples
from ganzoo.spec import latex

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from PIL.Image import Image as Picture

SUFFIXES = (".html", ".png")
SEED = 0
"""Of the noise of all the sheets."""


@dataclass(frozen=True)
class Column:
    """One model, as a comparison shows it.

    Args:
        asked: what the caller called it, which is what commands want.
        data: what it learnt from. parameters: by published network. size: bytes of weights.
        mathematics: its Spec for people.
        sheet: its samples; None where it draws none, and `reason` says why.
        report: its figures; None where it has none, or where they are `stale`: those of
            other weights.
    """

    asked: str
    name: str
    title: str
    data: str
    parameters: dict[str, int]
    size: int
    mathematics: str
    sheet: Picture | None
    reason: str
    report: Report | None
    stale: bool

    @property
    def command(self) -> str:
        """What measures it."""
        return f"ganzoo eval {shlex.quote(self.asked)}"

    @property
    def measured(self) -> str:
        """By which protocol its figures came about, or why it has none."""
        if self.stale:
            return f"stale: its figures are those of other weights. Again: {self.command}"
        if self.report is None:
            return f"not measured: {self.command}"
        extractor = self.report.feature_extractor
        by = f", features of {extractor['name']} {extractor['sha256'][:8]}" if extractor else ""
        return f"{self.report.data} {self.report.split}, seed {self.report.seed}{by}"

    @property
    def words(self) -> str:
        """What stands below its name: what the caller called it, where that differs; its title."""
        asked = self.asked if self.asked != self.name else ""
        return ", ".join(filter(None, (asked, self.title)))

    @property
    def facts(self) -> dict[str, str]:
        """What else is to say of it, a line each."""
        networks = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        total = f"{sum(self.parameters.values()):,}"
        several = len(self.parameters) > 1
        return {
            "trained on": self.data or "not said",
            "parameters": f"{total} ({networks})" if several else total,
            "size on disk": f"{self.size / 1e6:.1f} MB",
        }


@dataclass(frozen=True)
class Row:
    """One figure of all the models.

    Args:
        about: how it is measured.
        figures: one a column, None where a model lacks it. best: which of them are the best.
        numbers: on how many images they rest. order: which way is good, or why they cannot be
            compared. references: what else the protocol gives, with its name.
    """

    name: str
    about: str
    numbers: str
    figures: tuple[Figure | None, ...]
    best: tuple[bool, ...]
    references: tuple[tuple[str, float], ...]
    order: str

    @property
    def words(self) -> tuple[str, ...]:
        """What is to say beside its name, a line each."""
        return tuple(filter(None, (self.about, self.numbers, self.order)))


def column(name: str) -> Column:
    """The model of that name, its samples and its figures.

    Raises:
        UnknownNameError, StoreError: as `ganzoo.from_pretrained`.
        MetricError: its metrics.json is broken.
    """
    folder = resolve(name)
    model = store.load(folder)
    report = read(folder)
    stale = report is not None and report.weights != model.weights_sha256
    sheet, reason = _sheet(model)
    return Column(
        asked=name,
        name=model.config.name or folder.name,
        title=model.spec.title,
        data=model.config.data.name,
        parameters={key: parameter_count(net) for key, net in model.networks.items()},
        size=(folder / store.WEIGHTS).stat().st_size,
        mathematics=latex.text(model.spec),
        sheet=sheet,
        reason=reason,
        report=None if stale else report,
        stale=stale,
    )


def rows(columns: Sequence[Column]) -> list[Row]:
    """The figures of all columns, in the order in which they first appear."""
    names = {name: None for one in columns if one.report for name in one.report.figures}
    return [_row(name, columns) for name in names]


def save(columns: Sequence[Column], path: str | Path) -> Path:
    """Write a comparison: a page where `path` ends in .html, else a picture."""
    path = Path(path)
    if path.suffix.lower() == ".html":
        write_text(path, page(columns))
        return path
    with warnings.catch_warnings():
        # of characters that the font lacks, which become boxes
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        picture(columns).savefig(path)
    return path


def _sheet(model: Model) -> tuple[Picture | None, str]:
    """Samples of a model; where it draws none, why."""
    if not model.tasks("generate"):
        can = choices({task.kind for task in model.spec.tasks.values()})
        return None, f"It draws no samples; it can: {can}."
    try:
        return pictures.sheet(samples(model, SHEET, SEED)), ""
    except (TaskError, ValueError) as error:  # needs a text; images of two channels
        return None, f"No samples here: {error}"


def _row(name: str, columns: Sequence[Column]) -> Row:
    figures = tuple(one.report.figures.get(name) if one.report else None for one in columns)
    there = [
        (one, one.report, figure)
        for one, figure in zip(columns, figures, strict=True)
        if one.report and figure
    ]
    protocol: dict[str, set[str]] = {
        "data": {f"{report.data} {report.split}" for _, report, _ in there},
        "feature extractor": {
            report.feature_extractor["sha256"] if report.feature_extractor else ""
            for _, report, _ in there
        },
        "number of real images": {str(figure.real) for _, _, figure in there},
        "number of samples": {str(figure.generated) for _, _, figure in there},
        "order": {figure.better for _, _, figure in there},
    }
    differing = [word for word, values in protocol.items() if len(values) > 1]
    first = there[0][2]
    better = first.better
    values = [figure.value for _, _, figure in there]
    best: float | None = None
    # equals have no best among them
    if better and not differing and all(map(math.isfinite, values)) and len(set(values)) > 1:
        # past what real images get, more is not better
        within = [figure.value for _, _, figure in there if not figure.beyond]
        if within:
            best = min(within) if better == "lower" else max(within)
    if differing:
        order = f"not comparable: they differ in {', '.join(differing)}"
    else:
        order = first.way
    return Row(
        name=name,
        about=first.about,
        numbers="" if differing else _numbers(first),
        figures=figures,
        best=tuple(figure is not None and figure.value == best for figure in figures),
        references=_references([(one.name, figure) for one, _, figure in there]),
        order=order,
    )


def _numbers(figure: Figure) -> str:
    numbers = ((figure.generated, "samples"), (figure.real, "real images"))
    return ", ".join(f"{number:,} {word}" for number, word in numbers if number)


def _references(figures: Sequence[tuple[str, Figure]]) -> tuple[tuple[str, float], ...]:
    """Each reference once; with the models' names where theirs differ."""
    found: dict[str, dict[float, list[str]]] = {}
    for model, figure in figures:
        for name, value in figure.references.items():
            found.setdefault(name, {}).setdefault(value, []).append(model)
    return tuple(
        (name if len(values) == 1 else f"{name}, for {' and '.join(models)}", value)
        for name, values in found.items()
        for value, models in values.items()
    )


def _number(value: float) -> str:
    """Four digits of a figure, all that stand before its point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def _clean(text: str) -> str:
    """Text of a file without what cannot be shown: controls, lone surrogates, turned lines."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def _line(text: str) -> str:
    """Text of a file as one line."""
    return _clean(" ".join(text.split()))


# ------------------------------------------------------------------------------ the page


def page(columns: Sequence[Column]) -> str:
    """A comparison as one HTML file: no scripts, and nothing is fetched from anywhere."""
    *others, last = (one.name for one in columns)
    title = _h(" and ".join(filter(None, (", ".join(others), last))))
    figures = rows(columns)
    command = " ".join(shlex.quote(one.asked) for one in columns)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<section class="models">
{"".join(map(_article, columns))}</section>
<h2>Figures</h2>
{_table(columns, figures)}
<h2>Mathematics</h2>
<section class="models">
{"".join(map(_mathematics, columns))}</section>
<footer>Made by <code>ganzoo compare {_h(command)}</code></footer>
</body>
</html>
"""


def _article(one: Column) -> str:
    if one.sheet is None:
        sheet = f'<p class="none">{_h(one.reason)}</p>'
    else:
        buffer = io.BytesIO()
        one.sheet.save(buffer, "png", optimize=True)
        content = base64.b64encode(buffer.getvalue()).decode()
        words = f"{SHEET} samples of seed {SEED}, none picked"
        sheet = (
            f'<figure><img src="data:image/png;base64,{content}" width="{one.sheet.width}" '
            f'height="{one.sheet.height}" alt="{_h(one.name)}: {words}">'
            f"<figcaption>{words}</figcaption></figure>"
        )
    facts = "".join(f"<dt>{word}</dt><dd>{_h(text)}</dd>" for word, text in one.facts.items())
    words = f'<p class="title">{_h(one.words)}&nbsp;</p>'  # a line even if empty: sheets align
    return f"<article><h2>{_h(one.name)}</h2>{words}{sheet}<dl>{facts}</dl></article>\n"


def _mathematics(one: Column) -> str:
    text = escape(_clean(one.mathematics))
    return f'<article><h3>{_h(one.name)}</h3><pre tabindex="0">{text}</pre></article>\n'


def _table(columns: Sequence[Column], figures: Sequence[Row]) -> str:
    referred = any(row.references for row in figures)
    last = "<th scope='col'>reference</th>" if referred else ""
    head = "".join(
        f"<th scope='col'>{_h(one.name)}"
        + (f"<small>{_h(one.asked)}</small>" if one.asked != one.name else "")
        + "</th>"
        for one in columns
    )
    states = "".join(
        f'<td class="state{"" if one.report else " none"}">{_h(one.measured)}</td>'
        for one in columns
    )
    body = "".join(_figures(row, referred) for row in figures)
    legend = (
        '<p class="legend">A best is named where all models of a row were measured in the same '
        "way: same data, same feature extractor, as many images.</p>"
        if body
        else ""
    )
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table>
<thead><tr><th></th>{head}{last}</tr></thead>
<tbody>
<tr><th scope="row">measured on</th>{states}{"<td></td>" if referred else ""}</tr>
{body}</tbody>
</table></div>
{legend}"""


def _figures(row: Row, referred: bool) -> str:
    cells = ""
    for figure, best in zip(row.figures, row.best, strict=True):
        if figure is None:
            cells += '<td class="none">–</td>'
        elif best:
            cells += f'<td class="best">{_number(figure.value)} <span>best</span></td>'
        else:
            cells += f"<td>{_number(figure.value)}</td>"
    if referred:
        references = "<br>".join(
            f"{_number(value)} <small>{_h(name)}</small>" for name, value in row.references
        )
        cells += f'<td class="reference">{references}</td>'
    words = "".join(f"<small>{_h(text)}</small>" for text in row.words)
    return f'<tr><th scope="row">{_h(row.name)}{words}</th>{cells}</tr>\n'


def _h(text: str) -> str:
    """A line of text of a file, for HTML."""
    return escape(_line(text))


_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --pale: #59636e; --page: #fff; --line: #d1d9e0;
  --soft: #f6f8fa; --good: #116329; --best: #dafbe1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --pale: #9198a1; --page: #0d1117;
  --line: #3d444d; --soft: #151b23; --good: #7ee787; --best: #12261e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem); max-width: 90rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
h1, h2, h3 { line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin-bottom: 1.25rem; }
body > h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
article h2 { font-size: 1.15rem; }
article h3 { font-size: 1rem; margin-bottom: .4rem; }
.models { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
article { min-width: 0; }
article p { margin: 0; overflow-wrap: anywhere; }
.title, figcaption, small, .legend, footer, .none { color: var(--pale); }
figcaption, .legend, footer { font-size: .875rem; }
article p.none { margin: .75rem 0; padding: 1rem; background: var(--soft); }
figure { margin: .75rem 0; }
img { display: block; width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--pale); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .9rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; min-width: 8rem; max-width: 22rem; overflow-wrap: anywhere; }
th:first-child { position: sticky; left: 0; text-align: left; background: var(--page);
  min-width: 7.5rem; padding-left: 0; }
th small { display: block; font-weight: normal; line-height: 1.35; }
td.state, td.reference small { font-size: .8125rem; }
td.reference { min-width: 12rem; }
th[scope=col] { vertical-align: bottom; }
td.best { font-weight: 700; color: var(--good); background: var(--best); }
td.best span { font-size: .75rem; font-weight: 600; }
pre { margin: 0; padding: .9rem; overflow-x: auto; background: var(--soft);
  border: 1px solid var(--line); font: .8125rem/1.5 ui-monospace, monospace; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; }
@media (max-width: 40rem) { th:first-child { max-width: 9.5rem; padding-right: .5rem; }
  th, td { padding-inline: .5rem; min-width: 6.5rem; } td.reference { min-width: 8rem; } }
"""


# --------------------------------------------------------------------------- the picture

_MARGIN, _LABELS, _WIDE, _GAP, _REFERENCES = 0.4, 3.0, 3.6, 0.3, 2.0
"""Inches: around all, the names of figures, a model, between models, the references."""
_INK, _PALE, _RULE, _GOOD = "#1f2328", "#59636e", "#d1d9e0", "#116329"
_BOLD = 0.72
"""How wide bold letters are for their size, about."""
_LARGEST = 30_000
"""Pixels of a picture's side; what draws it takes some more."""


def picture(columns: Sequence[Column]) -> Canvas:
    """A comparison as a figure: sheets in a row, and what was measured as a table below them."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

    figures = rows(columns)
    referred = any(row.references for row in figures)
    lefts = [_MARGIN + _LABELS + i * (_WIDE + _GAP) for i in range(len(columns))]
    end = lefts[-1] + _WIDE
    width = end + (_GAP + _REFERENCES if referred else 0) + _MARGIN
    sheets = [one.sheet for one in columns if one.sheet]
    tall = max((_WIDE * sheet.height / sheet.width for sheet in sheets), default=0.6)
    labels = [_label(row) for row in figures]
    references = [_beside(row) for row in figures]
    states = [_wrapped(one.measured, _WIDE, 8.5) for one in columns]
    head = max(map(len, states)) * 0.16 + 0.24
    heights = [
        max(0.38 + 0.15 * len(label), 0.2 + 0.16 * len(words))
        for label, words in zip(labels, references, strict=True)
    ]
    height = 2 * _MARGIN + 0.9 + tall + 0.2 + head + sum(heights)
    dpi = min(200, _LARGEST / max(width, height))
    canvas = Canvas(figsize=(width, height), dpi=dpi, facecolor="white")

    def write(x: float, y: float, text: str, size: float, **style: Any) -> None:
        """Text at inches from the left and from the top; dollars in it are dollars."""
        style = {"color": _INK, "va": "top", "parse_math": False, **style}
        canvas.text(x / width, 1 - y / height, text, fontsize=size, **style)

    def rule(y: float) -> None:
        ends = [_MARGIN / width, 1 - _MARGIN / width]
        canvas.add_artist(Line2D(ends, [1 - y / height] * 2, color=_RULE, linewidth=0.8))

    for one, left in zip(columns, lefts, strict=True):
        y = _MARGIN
        write(left, y, _short(one.name, _WIDE, 14, _BOLD), 14, fontweight="bold")
        facts = one.facts
        first = ", ".join(filter(None, (one.words, f"trained on {facts['trained on']}")))
        write(left, y + 0.32, _short(first, _WIDE, 9), 9, color=_PALE)
        second = f"{facts['parameters']} parameters, {facts['size on disk']}"
        write(left, y + 0.52, _short(second, _WIDE, 9), 9, color=_PALE)
        y += 0.9
        if one.sheet is None:
            reason = "\n".join(_wrapped(one.reason, _WIDE, 9))
            write(left, y, reason, 9, color=_PALE)
            continue
        deep = _WIDE * one.sheet.height / one.sheet.width
        place = (left / width, 1 - (y + deep) / height, _WIDE / width, deep / height)
        axes = canvas.add_axes(place)
        axes.imshow(one.sheet.convert("RGB"), aspect="auto")
        axes.set_axis_off()
    words = f"{SHEET} samples\nof seed {SEED},\nnone picked"
    write(_MARGIN, _MARGIN + 0.9, words, 9, color=_PALE)

    y = _MARGIN + 0.9 + tall + 0.2
    write(_MARGIN, y + 0.07, "measured on", 10, fontweight="bold")
    for lines, left in zip(states, lefts, strict=True):
        write(left, y + 0.08, "\n".join(lines), 8.5, color=_PALE)
    if referred:
        write(end + _GAP, y + 0.07, "reference", 10, fontweight="bold")
    y += head
    for row, label, beside, deep in zip(figures, labels, references, heights, strict=True):
        rule(y)
        write(_MARGIN, y + 0.08, _short(row.name, _LABELS - _GAP, 11, _BOLD), 11, fontweight="bold")
        write(_MARGIN, y + 0.31, "\n".join(label), 8, color=_PALE)
        for figure, best, left in zip(row.figures, row.best, lefts, strict=True):
            text = "–" if figure is None else _number(figure.value) + ("  best" if best else "")
            style = {"color": _GOOD, "fontweight": "bold"} if best else {}
            write(left, y + 0.08, text, 12, **style)
        write(end + _GAP, y + 0.1, "\n".join(beside), 9, color=_PALE)
        y += deep
    rule(y)
    return canvas


def _label(row: Row) -> list[str]:
    """The small print of a row."""
    return [line for text in row.words for line in _wrapped(text, _LABELS - _GAP, 8)]


def _beside(row: Row) -> list[str]:
    """The references of a row."""
    texts = [f"{_number(value)} {name}" for name, value in row.references]
    return [line for text in texts for line in _wrapped(text, _REFERENCES, 9)]


def _letters(inches: float, size: float, wide: float = 0.58) -> int:
    """How many letters of a size in points fit, about; they are `wide` for their size."""
    return int(inches * 72 / (wide * size))


def _short(text: str, inches: float, size: float, wide: float = 0.58) -> str:
    """The text, or as much of it as fits."""
    text, room = _line(text), _letters(inches, size, wide)
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def _wrapped(text: str, inches: float, size: float) -> list[str]:
    """Lines of a text; at most four, as more is not readable in a picture."""
    room = _letters(inches, size)
    return textwrap.wrap(_line(text), room, max_lines=4, placeholder=" …")
