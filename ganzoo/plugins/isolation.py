"""Isolation: a plugin, or any other installed package, can harm only itself.

Packages are other people's code and metadata. Whatever they raise becomes the reason why they are
not loaded, and whatever they print at import is kept apart from ganzoo's own output.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ganzoo.errors import PluginError, plain

KEPT = 2000
"""The most characters that are kept of a plugin's output."""


@dataclass(frozen=True)
class Found:
    """An entry point and its distribution, or why it cannot be read.

    Args:
        entry_point: None if the metadata cannot be read, with the reason in `problem`.
        distribution: None for one that was named by hand.
    """

    name: str
    version: str
    entry_point: EntryPoint | None
    distribution: Distribution | None = None
    problem: str = ""


def installed(group: str) -> list[Found]:
    """All entry points of a group, in the order of distribution and name.

    A distribution whose metadata cannot be read is listed if they mention the group, and skipped if
    they do not.
    """
    found: dict[tuple[str, str, str], Found] = {}
    for distribution in _distributions():
        name, version = "", ""
        try:
            points = [point for point in distribution.entry_points if point.group == group]
            if not points:
                continue
            name, version = _named(distribution)
            for point in points:
                one = Found(name, version, point, distribution)
                found.setdefault((name.lower(), str(point.name), str(point.value)), one)
        except BaseException as error:
            if not raised_by_stranger(error):
                raise
            if _mentions(distribution, group):
                name = name or _place(distribution)
                problem = f"its metadata cannot be read: {reason(error)}"
                found.setdefault((name.lower(), "", ""), Found(name, version, None, None, problem))
    return [found[key] for key in sorted(found)]


def _distributions() -> Iterator[Distribution]:
    """All distributions, until one of the package finders fails."""
    with suppress(Exception):
        yield from distributions()


def _named(distribution: Distribution) -> tuple[str, str]:
    """Name and version; the path for one without a name."""
    facts: Any = distribution.metadata
    name, version = facts["Name"], facts["Version"]
    return str(name) if name else _place(distribution), str(version or "")


def _place(distribution: Distribution) -> str:
    try:
        folder = str(getattr(distribution, "_path", None) or distribution.locate_file(""))
        return f"a distribution without a name ({plain(folder)})"
    except Exception:
        return "a distribution without a name"


def _mentions(distribution: Distribution, group: str) -> bool:
    try:
        return f"[{group}]" in (distribution.read_text("entry_points.txt") or "")
    except Exception:
        return False


# ------------------------------------------------------------------------------ what it raises


def reason(error: BaseException) -> str:
    """The message of an error, on one line; its own `__str__` may fail."""
    try:
        text = plain("".join(str(error)), 500)
    except BaseException:
        text = "(its message cannot be shown)"
    if isinstance(error, PluginError):
        return text
    return f"{plain(type(error).__name__, 80)}: {text or 'no message'}"


_interrupted = threading.local()


def raised_by_stranger(error: BaseException) -> bool:
    """Whether an error is caused by the code that raised it: all but a real Ctrl-C."""
    return not (isinstance(error, KeyboardInterrupt) and getattr(_interrupted, "yes", True))


@contextmanager
def telling_interrupts() -> Iterator[None]:
    """Distinguish Ctrl-C from a KeyboardInterrupt that code raises.

    Outside the main thread there is no Ctrl-C.
    """
    _interrupted.yes = False
    if threading.current_thread() is not threading.main_thread():
        try:
            yield
        finally:
            del _interrupted.yes
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: Any) -> None:
        _interrupted.yes = True
        if callable(before):
            before(number, frame)
        else:
            raise KeyboardInterrupt

    watched = callable(before)  # else it is ignored, or not Python's
    if watched:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if watched:
            signal.signal(signal.SIGINT, before)
        del _interrupted.yes


# ------------------------------------------------------------------------------ what it prints


@dataclass
class Printed:
    """What was written to standard output, once the context is left."""

    text: str = field(default="")


@contextmanager
def captured() -> Iterator[Printed]:
    """Capture standard output: Python's, and what programs and C code write to it.

    The working directory of the process is restored, too.
    """
    printed = Printed()
    file = _kept()
    if file is None:
        yield printed
        return
    with file, os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8", errors="replace") as text:
        place, saved = _folder(), _redirected(file)
        try:
            with redirect_stdout(text):
                yield printed
        finally:
            with suppress(OSError, ValueError):  # the plugin may have closed it
                text.flush()
            if saved is not None:
                os.dup2(saved, 1)
                os.close(saved)
            if place:
                with suppress(OSError):
                    os.chdir(place)
            with suppress(OSError, ValueError):
                file.seek(0)
                printed.text = file.read(4 * KEPT).decode("utf-8", "replace")[:KEPT].strip()


def _kept() -> BinaryIO | None:
    for make in (tempfile.TemporaryFile, lambda: Path(os.devnull).open("r+b")):  # noqa: SIM115
        with suppress(OSError):
            return make()
    return None


def _redirected(file: BinaryIO) -> int | None:
    """Redirect the system's standard output to a file; returns the old one."""
    with suppress(OSError, ValueError):
        stream: TextIO | None = sys.__stdout__
        if stream is not None:
            stream.flush()
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        return saved
    return None


def _folder() -> str:
    with suppress(OSError):
        return str(Path.cwd())
    return ""
