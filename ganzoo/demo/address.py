"""An address for everything: what a page shows stands in the query of its URL.

`?show=generate&model=dcgan-mnist&seed=7` opens that page with these settings. The address is
written by the browser whenever a result changes, and read by the server when somebody comes; it is
checked like any other input, and what does not fit is named and left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganzoo.demo import inputs
from ganzoo.demo.endpoints import on
from ganzoo.errors import GanzooError, TaskError

PAGE = "show"
"""The word of the query that names the page; Gradio keeps `page` and `view` for itself."""
LONGEST = 3000
"""Characters of a value that is looked at."""


@dataclass(frozen=True)
class Field:
    """A setting of a page that stands in its address.

    Args:
        name: its word in the query.
        component: where people set it.
        offered: of a menu whose choices follow from the settings before it: the choices, as
            values or as pairs of a name and a value.
        initial: what it is where the address does not say, from the settings before it; by
            default the first choice of a menu, and otherwise what it is already.
        model: of a menu of models, which of them fit.
    """

    name: str
    component: Any
    offered: Callable[[Mapping[str, Any]], Sequence[Any]] | None = None
    initial: Callable[[Mapping[str, Any]], Any] | None = None
    model: Callable[..., bool] | None = None


def slug(title: str) -> str:
    """What a page is called in an address: `text-to-image`."""
    return "-".join(title.lower().split())


def read(
    fields: Sequence[Field], query: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The settings that a query asks for, checked.

    Returns the properties to change by the name of the field, and what is wrong, a sentence each.
    """
    found: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    known: dict[str, Any] = {field.name: field.component.value for field in fields}
    for field in fields:
        choices = _choices(field, known)
        changes: dict[str, Any] = {}
        if field.offered and found:
            changes |= {"choices": choices}
            if isinstance(field.component, gr.Dropdown):
                changes |= {"visible": len(choices) > 1}
            changes["value"] = _values(choices)[0] if choices else None
        if field.initial and found:
            changes["value"] = field.initial(known)
        if field.name in query:
            try:
                changes["value"] = _value(field, query[field.name][:LONGEST], choices)
            except GanzooError as error:
                wrong.append(str(error))
        if changes:
            found[field.name] = changes
            known[field.name] = changes.get("value", known[field.name])
    return found, wrong


def _choices(field: Field, known: Mapping[str, Any]) -> Sequence[Any]:
    return field.offered(known) if field.offered else getattr(field.component, "choices", [])


def _values(choices: Sequence[Any]) -> list[Any]:
    return [choice[1] if isinstance(choice, tuple) else choice for choice in choices]


def _value(field: Field, text: str, choices: Sequence[Any]) -> Any:
    """The value that a text of the address stands for; a TaskError that says what is allowed."""
    component = field.component
    match component:
        case gr.Slider() | gr.Number():
            try:
                value: Any = float(text)
            except ValueError:
                value = text
            least, most = component.minimum, component.maximum
            least = 0 if least is None else least
            most = inputs.LARGEST_SEED if most is None else most
            step = component.step if isinstance(component, gr.Slider) else None
            if step == 1 or getattr(component, "precision", None) == 0:
                return inputs.whole(field.name, value, round(least), round(most))
            return inputs.number(field.name, value, least, most)
        case gr.Dropdown() | gr.Radio():
            by_name = {str(choice[0]): choice[1] for choice in choices if isinstance(choice, tuple)}
            by_name |= {str(value): value for value in _values(choices)}
            return by_name[inputs.one_of(field.name, text, [*by_name])]
        case _:
            most = getattr(component, "max_length", None) or inputs.MOST_LETTERS
            if len(text) > most:
                raise TaskError(f"{field.name} is a text of at most {most} characters")
            return text


def restoring(
    app: gr.Blocks, tabs: gr.Tabs, pages: Mapping[str, Sequence[Field]], arrived: gr.State
) -> None:
    """When somebody comes, open the page of the address with its settings; then `arrived`.

    Args:
        pages: the fields of each page by its title.
    """
    components = [field.component for fields in pages.values() for field in fields]

    def restore(request: gr.Request) -> list[Any]:
        query = {str(key): str(value) for key, value in dict(request.query_params).items()}
        asked = query.get(PAGE, "")
        title = next((title for title in pages if slug(title) == slug(asked[:LONGEST])), None)
        if asked and title is None:
            there = ", ".join(map(slug, pages))
            gr.Warning(f"The address asks for a page that is not here. There is: {there}.")
        changes: dict[str, dict[str, Any]] = {}
        if title is not None:
            changes, wrong = read(pages[title], query)
            if wrong:
                said = "; ".join(wrong).replace("&", "&amp;").replace("<", "&lt;")
                gr.Warning(f"Left out of the address: {said[:1000]}")
        updates = [
            gr.update(**changes[field.name])
            if name == title and field.name in changes
            else gr.skip()
            for name, fields in pages.items()
            for field in fields
        ]
        opened = gr.Tabs(selected=title) if title else gr.skip()
        return [opened, *updates, 1]

    read_ = on(app.load, restore, [], [tabs, *components, arrived])
    read_.then(None, None, None, js=ARRIVED, api_visibility="private")


# ---------------------------------------------------------------------------------- writing

WRITE = """(...values) => {
  const names = %(names)s, title = %(title)s, slug = %(slug)s;
  const url = new URL(window.location.href);
  for (const key of [...url.searchParams.keys()])
    if (!key.startsWith("__")) url.searchParams.delete(key);
  url.searchParams.set("show", slug);
  names.forEach((name, at) => {
    const value = values[at];
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  });
  if (!%(lab)s) url.hash = "";
  // until the address has been read it stays, and a page in the background does not take it
  const open = [...document.querySelectorAll('[role="tab"][aria-selected="true"]')];
  if (window.ganzooArrived && open.some((tab) => tab.textContent.trim() === title))
    window.history.replaceState(window.history.state, "", url);
  url.searchParams.delete("__theme");
  return [url.href, "Copy link"];
}"""
ARRIVED = "() => { window.ganzooArrived = true; }"
COPY = """async (link) => {
  try {
    await navigator.clipboard.writeText(link);
  } catch {  // a page without TLS has no clipboard of that kind
    const text = document.createElement("textarea");
    text.value = link;
    document.body.append(text);
    text.select();
    document.execCommand("copy");
    text.remove();
  }
  return "Link copied";
}"""


def writing(title: str, fields: Sequence[Field]) -> str:
    """The script that writes the address of a page from the values of its fields."""
    return WRITE % {
        "names": json.dumps([field.name for field in fields]),
        "title": json.dumps(title),
        "slug": json.dumps(slug(title)),
        "lab": json.dumps(title == "Laboratory"),
    }


Recipe = Callable[..., tuple[str, str]]
"""Values of fields -> the Python and the command line that make a result again."""


def sharing(
    title: str,
    fields: Sequence[Field],
    triggers: Sequence[Any],
    *,
    recipe: Recipe | None = None,
    name: str = "",
) -> None:
    """Lay out, under a result, its link, and the Python and the command that make it again.

    Args:
        title: of the page. triggers: when the result has changed.
        recipe: takes the values of the fields; an endpoint of the page alone.
        name: of the group in the page, where there are several.
    """
    word = name or slug(title)
    with gr.Row(elem_classes="share"):
        copy = gr.Button("Copy link", size="sm", min_width=110, scale=0, elem_id=f"{word}-copy")
        with gr.Accordion(
            "Link, Python and command line" if recipe else "Link",
            open=False, elem_id=f"{word}-share",
        ):  # fmt: skip
            link = gr.Textbox(
                label="Link", interactive=False, lines=1, max_lines=4, buttons=["copy"],
                elem_id=f"{word}-link",
            )  # fmt: skip
            code: list[gr.Code] = []
            if recipe:
                shown: dict[str, Any] = {
                    "interactive": False, "lines": 1, "wrap_lines": True,
                    "show_line_numbers": False, "buttons": ["copy"],
                }  # fmt: skip
                code = [
                    gr.Code(label="Python", language="python", elem_id=f"{word}-python", **shown),
                    gr.Code(
                        label="Command line", language="shell", elem_id=f"{word}-shell", **shown
                    ),
                ]
    given = [field.component for field in fields]
    gr.on(
        [*triggers], None, given, [link, copy], js=writing(title, fields),
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    copy.click(None, [link], [copy], js=COPY, api_visibility="private", show_progress="hidden")
    if recipe:
        on([*triggers], recipe, given, code, queue=False, show_progress="hidden")
