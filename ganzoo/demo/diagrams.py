"""Networks and losses of a Spec as HTML: layers with their shapes, and what each term touches.

A diagram is a list for readers of screens, and a row of slabs for the eye: as high as what leaves
a layer is wide in space, and as thick as it has channels. All text of a Spec is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ganzoo.nn.build import Networks, parameter_count
from ganzoo.nn.modules import Net
from ganzoo.spec import expression as ex
from ganzoo.spec.latex import layer_text
from ganzoo.spec.layers import Layer
from ganzoo.spec.layers.layer import Shape
from ganzoo.spec.network import Network
from ganzoo.spec.spec import Spec

MOST_CARDS = 60
"""Of one row of a network."""
LONGEST = 300
"""Characters of an expression that are shown."""


@dataclass(frozen=True)
class Card:
    """Layers in a row of which only the first changes the shape.

    Args:
        texts: what each layer says. shape: what leaves them.
    """

    texts: tuple[str, ...]
    shape: Shape


def cards(layers: Sequence[Layer], net: Net, path: str) -> list[Card]:
    """The layers of a row in groups, a new one wherever the shape changes or weights are."""
    found: list[Card] = []
    for index, layer in enumerate(layers):
        here = f"{path}.{index}"
        shape, said = net.along[here], layer_text(layer)
        weighs = any(
            value.numel() and value.ndim > 1 for value in net.get_submodule(here).parameters()
        )
        if found and found[-1].shape == shape and not weighs:
            found[-1] = Card((*found[-1].texts, said), shape)
        else:
            found.append(Card((said,), shape))
    return found


def networks(spec: Spec, nets: Networks) -> str:
    """All networks, each a section with its rows of cards."""
    return f'<div class="nets">{"".join(_network(spec, name, nets[name]) for name in nets)}</div>'


def _network(spec: Spec, name: str, net: Net) -> str:
    network: Network = spec.networks[name]
    said = f"{parameter_count(net):,} parameters"
    if name not in spec.published:
        said += ", left behind after training"
    if network.frozen:
        said += ", frozen"
    rows: list[str] = []
    for word, shape in zip(network.inputs, net.shapes, strict=True):
        branch = cards(network.inputs[word], net, f"inputs.{word}")
        to = "" if word in network.joined else ", which layers of the body read"
        rows.append(_row(f"input {word}{to}", [Card((word,), shape), *branch]))
    if len(network.joined) > 1:
        rows.append(
            f'<p class="joined">{" and ".join(map(html.escape, network.joined))}: '
            f"{html.escape(network.join)}, then</p>"
        )
    body = cards(network.layers, net, "layers")
    if len(rows) == 1 and len(network.inputs) == 1:
        word = next(iter(network.inputs))
        first = [Card((word,), net.shapes[0]), *cards(network.inputs[word], net, f"inputs.{word}")]
        rows = [_row("layers", [*first, *body])]
    else:
        rows.append(_row("body", body))
    title = html.escape(name)
    return (
        f'<section class="net" aria-label="Network {title}"><h2>{title} <span>{said}</span></h2>'
        f"{''.join(rows)}</section>"
    )


def _row(title: str, row: list[Card]) -> str:
    left_out = len(row) - MOST_CARDS
    items = "".join(map(_item, row[:MOST_CARDS]))
    if left_out > 0:
        items += f"<li>and {left_out} more</li>"
    return f'<ol aria-label="{html.escape(title)}">{items}</ol>'


def _item(card: Card) -> str:
    first, *others = (html.escape(_cut(text, 90)) for text in card.texts)
    more = f'<span class="more">{", ".join(others)}</span>' if others else ""
    size = " × ".join(map(str, card.shape)) or "1"
    return f"<li>{_slab(card.shape)}<b>{first}</b>{more}<code>{size}</code></li>"


def _slab(shape: Shape) -> str:
    """What leaves a layer, as a picture that says nothing that the text does not."""
    channels = shape[0] if shape else 1
    space = max(shape[1:], default=0)
    if space:
        side = 10 + 7 * math.log2(space + 1)
        thick = 4 + 3.5 * math.log2(channels + 1)
        slant = side / 3
        width, height = thick + slant + 2, side + slant / 2 + 2
        faces = [
            f"M1 {1 + slant / 2:.1f}h{thick:.1f}v{side:.1f}h-{thick:.1f}z",
            f"M1 {1 + slant / 2:.1f}l{slant:.1f} -{slant / 2:.1f}h{thick:.1f}"
            f"l-{slant:.1f} {slant / 2:.1f}z",
            f"M{1 + thick:.1f} {1 + slant / 2:.1f}l{slant:.1f} -{slant / 2:.1f}v{side:.1f}"
            f"l-{slant:.1f} {slant / 2:.1f}z",
        ]
    else:
        side = 10 + 6 * math.log2(channels + 1)
        width, height = 12, side + 2
        faces = [f"M2 1h8v{side:.1f}h-8z"]
    paths = "".join(f'<path d="{face}"/>' for face in faces)
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}" '
        f'aria-hidden="true">{paths}</svg>'
    )


# ---------------------------------------------------------------------------------- losses


@dataclass(frozen=True)
class Term:
    """A term of a loss, and what it touches.

    Args:
        name: of the term. text: its expression. trains: the networks that step on it.
        reads: networks and draws that its value depends on. through: networks that its gradient
            passes on the way to those that step, and that stay as they are.
    """

    name: str
    text: str
    trains: tuple[str, ...]
    reads: tuple[str, ...]
    through: tuple[str, ...]

    @property
    def said(self) -> str:
        """In words."""
        parts = [f"reads {_listed(self.reads)}", f"trains {_listed(self.trains)}"]
        if self.through:
            it = "it" if len(self.through) == 1 else "them"
            parts.append(
                f"its gradient passes through {_listed(self.through)} without training {it}"
            )
        return f"The term {self.name} {'; '.join(parts)}."


def terms(spec: Spec) -> Iterator[tuple[str, list[Term]]]:
    """The updates of a round by their titles, each with its terms."""
    for stage in spec.stages:
        for update in stage.updates:
            found: list[Term] = []
            for name, text in update.minimize.items():
                names = spec.names_in(text)
                reached = spec.flows_in(text) & set(spec.networks)
                reads = [word for word in (*spec.draws, *spec.networks) if word in names]
                trains = [word for word in update.train if word in reached]
                through = [
                    word
                    for word in spec.networks
                    if word in reached and word not in update.train
                    and _before_trained(spec, text, word, update.train)
                ]  # fmt: skip
                found.append(Term(name, text, tuple(trains), tuple(reads), tuple(through)))
            where = f"{stage.name}: " if len(spec.stages) > 1 else ""
            yield f"{where}update {', '.join(update.train)}", found


def _before_trained(spec: Spec, text: str, name: str, trained: Sequence[str]) -> bool:
    """Whether a network that stays as it is is called with what a trained one made."""

    def holds(node: ex.Expression) -> bool:
        """Whether a gradient flows from the node into a trained network."""
        return bool(spec.flows_in(str(node)) & set(trained))

    pending = [text]
    seen: set[str] = set()
    while pending:
        for node in ex.walk(ex.parse(pending.pop())):
            if isinstance(node, ex.Call) and node.name == name and any(map(holds, node.arguments)):
                return True
            if isinstance(node, ex.Name) and node.name in spec.let and node.name not in seen:
                seen.add(node.name)
                pending.append(spec.let[node.name])
    return False


def losses(spec: Spec) -> str:
    """Draws and networks as chips, and terms as buttons that light up what they touch."""

    def chip(name: str, kind: str) -> str:
        return (
            f'<li class="{kind}" data-name="{html.escape(name)}"><b>{html.escape(name)}</b> '
            f"<span>{kind}</span><em></em></li>"
        )  # fmt: skip

    chips = [chip(name, f"{draw.kind}".replace("_", " ")) for name, draw in spec.draws.items()]
    chips += [chip(name, "network") for name in spec.networks]
    rows: list[str] = []
    for title, found in terms(spec):
        buttons = "".join(
            f'<button type="button" aria-pressed="false" data-reads="{_names(term.reads)}" '
            f'data-trains="{_names(term.trains)}" data-through="{_names(term.through)}" '
            f'data-said="{html.escape(term.said)}"><b>{html.escape(term.name)}</b> '
            f"<code>{html.escape(_cut(term.text, LONGEST))}</code></button>"
            for term in found
        )
        rows.append(f'<div role="group" aria-label="{html.escape(title)}">'
                    f"<h2>{html.escape(title)}</h2>{buttons}</div>")  # fmt: skip
    return (
        f'<div class="losses"><ul class="touched" aria-label="Draws and networks">'
        f"{''.join(chips)}</ul>"
        '<p class="said" aria-live="polite">Choose a term: what it reads and what it trains '
        f"lights up.</p>{''.join(rows)}</div>"
    )


def _names(names: Sequence[str]) -> str:
    return html.escape(" ".join(names))


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "nothing"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


STYLE = """
.nets, .losses { color: var(--body-text-color); }
.net { margin: 0 0 1.4rem; }
h2 { font-size: 1.02rem; margin: 0.2rem 0 0.5rem; color: var(--body-text-color); }
h2 span { font-weight: 400; font-size: 0.88rem; opacity: 0.85; }
.net ol { list-style: none; margin: 0 0 0.6rem; padding: 0; display: flex; flex-wrap: wrap;
  gap: 6px 20px; }
.net li { position: relative; display: grid; grid-template-rows: 86px auto auto auto;
  align-content: start; justify-items: center; width: 112px; margin: 0; padding: 6px 4px;
  border: 1px solid var(--border-color-primary); border-radius: 8px; text-align: center;
  font-size: 0.8rem; line-height: 1.25; background: var(--background-fill-primary); }
.net li:not(:last-child)::after { content: "→"; position: absolute; right: -18px; top: 38px;
  opacity: 0.8; }
.net svg { align-self: center; max-width: 100%; }
.net path { fill: #14b8a6; fill-opacity: 0.28; stroke: #0f9488; stroke-linejoin: round; }
.net b { overflow-wrap: anywhere; font-weight: 600; }
.net .more { opacity: 0.85; overflow-wrap: anywhere; }
.net code { margin-top: 3px; font-size: 0.78rem; background: none; border: 0; padding: 0;
  color: inherit; }
.joined { margin: 0 0 0.5rem; font-size: 0.9rem; }
.touched { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 0.5rem;
  padding: 0.4rem 0; position: sticky; top: 0; background: var(--block-background-fill);
  z-index: 1; }
.touched li { border: 2px solid var(--border-color-primary); border-radius: 8px; margin: 0;
  padding: 5px 10px; min-width: 84px; font-size: 0.92rem; line-height: 1.3; }
.touched li.network { border-radius: 999px; padding: 5px 16px; }
.touched span { opacity: 0.85; font-size: 0.8rem; }
.touched em { display: block; min-height: 1.1em; font-style: normal; font-size: 0.8rem;
  font-weight: 600; }
.touched li.reads { border-color: #0f9488; background: rgba(20, 184, 166, 0.16); }
.touched li.trains { border-color: #c2410c; background: rgba(251, 146, 60, 0.26);
  box-shadow: 0 0 0 2px #c2410c; }
.touched li.through { border-style: dashed; }
.losses button { display: block; width: 100%; text-align: left; margin: 0 0 6px; padding: 7px 10px;
  border: 1px solid var(--border-color-primary); border-radius: 8px; color: inherit;
  background: var(--background-fill-primary); font-size: 0.92rem; cursor: pointer; }
.losses button code { overflow-wrap: anywhere; white-space: pre-wrap; background: none; border: 0;
  padding: 0; color: inherit; }
.losses button:hover { border-color: #0f9488; }
.losses button[aria-pressed="true"] { border-color: #0f9488; box-shadow: 0 0 0 1px #0f9488;
  background: rgba(20, 184, 166, 0.12); }
.losses .said { min-height: 2.6em; margin: 0 0 0.6rem; }
"""
"""For the components of both."""

LIGHT = """
const waits = 'Choose a term: what it reads and what it trains lights up.';
let kept = null;
const light = (term) => {
  const of = (word) => new Set(term ? term.dataset[word].split(' ') : []);
  const reads = of('reads'), trains = of('trains'), through = of('through');
  for (const chip of element.querySelectorAll('.touched li')) {
    const { name } = chip.dataset;
    chip.classList.toggle('reads', reads.has(name));
    chip.classList.toggle('trains', trains.has(name));
    chip.classList.toggle('through', through.has(name));
    chip.querySelector('em').textContent = trains.has(name) ? 'trained'
      : through.has(name) ? 'gradient passes' : reads.has(name) ? 'read' : '';
  }
  element.querySelector('.said').textContent = term ? term.dataset.said : waits;
};
const choose = (term) => {
  kept = term;
  for (const other of element.querySelectorAll('.losses button'))
    other.setAttribute('aria-pressed', String(other === term));
  light(term);
};
const found = (event) => event.target.closest && event.target.closest('.losses button');
element.addEventListener('click', (event) => {
  const term = found(event);
  if (term) choose(term === kept ? null : term);
});
element.addEventListener('pointerover', (event) => {
  const term = found(event);
  if (term && event.pointerType === 'mouse') light(term);
});
element.addEventListener('pointerout', (event) => {
  if (found(event) && event.pointerType === 'mouse') light(kept && kept.isConnected ? kept : null);
});
element.addEventListener('focusin', (event) => { if (found(event)) light(found(event)); });
element.addEventListener('focusout', (event) => {
  if (found(event)) light(kept && kept.isConnected ? kept : null);
});
"""
"""Hovering or focusing a term shows what it touches; choosing it keeps that."""
