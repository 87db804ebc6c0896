"""Between Gradio and the functions of the pages: what may be asked, and how errors are said.

A function of a page raises ganzoo's errors; people and programs get their text. Whatever else
goes wrong inside is written to the log of the server, and said in one plain sentence.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio_client import utils as client_utils

from ganzoo.errors import GanzooError

log = logging.getLogger("ganzoo.demo")

AT_ONCE = 2
"""Requests that compute at the same time; the others wait in the queue."""
WAITING = 200
"""Requests that may wait; the next ones are told that the queue is full."""
MODELS = "models"
"""The queue of all that computes with models."""
SELECTED = (gr.SelectData, "gr.SelectData")
"""The annotation of a parameter that is the event of a selection, also as it is postponed."""
MENU: dict[str, Any] = {"filterable": False}
"""Menus are chosen from, not typed into: no keyboard comes up on a phone."""


def endpoint(function: Callable[..., Any], *first: Any) -> Callable[..., Any]:
    """The function with its first arguments given, as Gradio may call it.

    Its errors reach the caller as text; its docstring and the names of its other parameters
    are the documentation of the endpoint. A generator function gives what it yields, one after
    the other.
    """

    @contextmanager
    def said() -> Iterator[None]:
        try:
            yield
        except gr.Error:
            raise
        except GanzooError as error:
            raise gr.Error(_plain(error), print_exception=False) from None
        except Exception:
            log.exception("%s failed", function.__name__)
            raise gr.Error(
                "something went wrong inside; the server's log says what. The app goes on",
                print_exception=False,
            ) from None

    @functools.wraps(function)
    def safe(*arguments: Any) -> Any:
        with said():
            return function(*first, *arguments)

    @functools.wraps(function)
    def stream(*arguments: Any) -> Any:
        with said():
            yield from function(*first, *arguments)

    if inspect.isgeneratorfunction(function):
        safe = stream
    given = list(inspect.signature(function).parameters.values())[len(first) :]
    # by this type alone Gradio knows that it is to give the event
    events = {one.name: gr.SelectData for one in given if one.annotation in SELECTED}
    bare = [
        one.replace(annotation=events.get(one.name, inspect.Parameter.empty)) for one in given
    ]  # fmt: skip
    safe.__signature__ = inspect.Signature(bare)  # type: ignore[attr-defined]
    safe.__annotations__ = events
    return safe


def _plain(error: GanzooError) -> str:
    text = str(error)
    # Gradio shows messages as HTML
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if len(text) <= 1000 else f"{text[:1000]}..."


def checked_inside(*components: Any) -> Any:
    """Let values through as they come: `ganzoo.demo.inputs` checks them, and says it better.

    It is the class that lets them through, since a component that is updated, or skipped, is made
    anew for its session.
    """
    for component in components:
        component.__class__ = _unchecked(type(component))
    return components[0] if len(components) == 1 else components


@functools.cache
def _unchecked(kind: type[Any]) -> type[Any]:
    """The class without checks of its own, which a page takes for the same."""
    same = {"__module__": kind.__module__, "__doc__": kind.__doc__, "preprocess": _as_it_is}
    return type.__new__(type(kind), kind.__name__, (kind,), same)


def _as_it_is(self: Any, payload: Any) -> Any:
    return payload


def guard(app: gr.Blocks) -> gr.Blocks:
    """Make inputs that Gradio itself cannot read an error that says so, and fetch nothing.

    Gradio downloads a picture that is given by its address; this app asks no other host.
    """
    read = app.preprocess_data

    @functools.wraps(read)
    async def preprocess_data(
        block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> Any:
        try:
            client_utils.traverse(inputs, _refuse, _is_elsewhere)
            return await read(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.info("%s: %r", block_fn.api_name, error)
            raise gr.Error(
                f"/{block_fn.api_name} cannot read what was sent; files must be uploaded "
                "pictures (png, jpg, webp, ...), and values as the API page says",
                print_exception=False,
            ) from None

    app.preprocess_data = preprocess_data  # type: ignore[method-assign]
    return app


def _is_elsewhere(value: Any) -> bool:
    path = value.get("path") if isinstance(value, dict) else None
    return isinstance(path, str) and "://" in path


def _refuse(value: Any) -> Any:
    raise gr.Error(
        "pictures are not fetched from addresses; upload the file", print_exception=False
    )


def on(
    triggers: Any,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    name: str = "",
    **options: Any,
) -> Any:
    """Call `function` on any of `triggers`; with a `name` it is an endpoint of the API.

    What has no name is for the page alone.
    """
    listeners = triggers if isinstance(triggers, list) else [triggers]
    return gr.on(listeners, function, [*inputs], [*outputs], **_options(name, options))


def then(
    event: Any,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    succeeded: bool = False,
    **options: Any,
) -> Any:
    """Call `function` once an event of `on` is over; for the page alone.

    Args:
        succeeded: only where it ended without an error.
    """
    after = event.success if succeeded else event.then
    return after(function, [*inputs], [*outputs], **_options("", options))


def once(
    opened: Any, function: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    """Fill a page when it is first opened, and leave it as it is when somebody comes back.

    Meanwhile its empty places say that something comes.
    """
    filled = gr.State(False)

    def fill(*values: Any) -> Any:
        *given, done = values
        if done:
            return [*(gr.skip() for _ in outputs), True]
        found = function(*given)
        return [*(found if isinstance(found, tuple) else (found,)), True]

    return on(opened, fill, [*inputs, filled], [*outputs, filled], show_progress="full")


def _options(name: str, given: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = (
        {"api_name": name, "api_visibility": "public"}
        if name
        else {"api_visibility": "private", "show_progress": "hidden"}
    )
    return {"concurrency_id": MODELS, "concurrency_limit": AT_ONCE, **shown, **given}
