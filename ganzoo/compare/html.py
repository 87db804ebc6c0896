"""A comparison as one HTML file."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Sequence
from html import escape

from ganzoo.compare.columns import SEED, Column
from ganzoo.compare.figures import Row, rows
from ganzoo.compare.text import clean, line, number
from ganzoo.runs import SHEET


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
    text = escape(clean(one.mathematics))
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
            cells += f'<td class="best">{number(figure.value)} <span>best</span></td>'
        else:
            cells += f"<td>{number(figure.value)}</td>"
    if referred:
        references = "<br>".join(
            f"{number(value)} <small>{_h(name)}</small>" for name, value in row.references
        )
        cells += f'<td class="reference">{references}</td>'
    words = "".join(f"<small>{_h(text)}</small>" for text in row.words)
    return f'<tr><th scope="row">{_h(row.name)}{words}</th>{cells}</tr>\n'


def _h(text: str) -> str:
    """A line of text of a file, for HTML."""
    return escape(line(text))


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
