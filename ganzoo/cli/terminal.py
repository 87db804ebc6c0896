"""The output streams of the command line, with control characters made visible.

Names and titles come from plugins, hubs and files of unknown origin. A terminal would execute
control characters in them, so these are escaped.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.measure import Measurement
from rich.segment import Segment

_JOINERS = "\u200c\u200d"
"""Format characters that are kept: they join emoji, and are needed in some scripts."""


def harmless(text: str) -> str:
    """Text with control characters and changes of text direction escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" or letter in _JOINERS else _spelt(letter)
        for letter in text
    )


def _spelt(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


class _Harmless:
    """A renderable of rich whose text is escaped; rich's own colours are kept."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.inner, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self.inner)


class _Hook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Harmless(one) for one in renderables]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # called while it is handled; `main` ends quietly


def console(*, stderr: bool = False) -> Console:
    """A console that escapes control characters."""
    made = _Console(stderr=stderr, highlight=False, soft_wrap=True)
    made.push_render_hook(_Hook())
    return made


out, err = console(), console(stderr=True)


def emit(text: str) -> None:
    """Write an answer to standard output unchanged, for programs: code, LaTeX, a path."""
    out.file.write(f"{text}\n")


def emit_json(text: str) -> None:
    """Write JSON to standard output; control characters are escaped as in JSON."""
    emit(re.sub(r"[^\n -~]", lambda match: _json(match[0]), text) if not text.isascii() else text)


def _json(letter: str) -> str:
    if letter.isprintable() or letter in _JOINERS:
        return letter
    units = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


@contextmanager
def answers_alone() -> Iterator[None]:
    """Reserve standard output for ganzoo: output of other code goes to standard error."""
    if sys.stdout is None or sys.stderr is None:
        yield
        return
    out.file = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        stream, out._file = out.file, None
        with suppress(ValueError):
            stream.flush()


def prepare() -> None:
    """Make sure that the streams exist and accept any text."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            with suppress(ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")


def abandon(streams: Iterable[Any]) -> None:
    """Discard all further output, so that Python's last flush does not fail."""
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):
            handle = os.open(os.devnull, os.O_WRONLY)
            os.dup2(handle, stream.fileno())
            os.close(handle)
