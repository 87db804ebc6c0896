"""Download one file from the hub, with limits on its size, on time and on waiting.

The client of huggingface_hub waits as long as a server likes and takes as much as it sends. Here a
download without progress is given up, a body longer than its record is cut off, and `Retry-After`
is obeyed up to a limit. A broken connection is resumed where it broke.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ganzoo.errors import IntegrityError, UnreachableError, plain

T = TypeVar("T")

WINDOW, LEAST = 30.0, 30_000
"""This many bytes must arrive in this many seconds."""
LONGEST_WAIT = 60.0
"""The most seconds that are waited in total at the hub's request."""
LONGEST_ANSWER = 10_000_000
"""The most bytes of a hub's answer about a repository."""
TRIES = 4
"""How often a connection that breaks without further bytes is resumed."""


class Patience:
    """The remaining seconds that a hub may ask to wait, for all files of a model."""

    def __init__(self, where: str, what: str, say: Callable[[str], None]) -> None:
        self.where, self.what, self.say = where, what, say
        self.left = LONGEST_WAIT

    def ask(self, call: Callable[[], T]) -> T:
        """The result of a call; repeated when the hub says when to come back."""
        while True:
            try:
                return call()
            except Exception as error:
                seconds = _retry_after(error)
                if seconds is None:
                    raise
                self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Wait as the hub requests.

        Raises:
            UnreachableError: that would be too long.
        """
        if seconds > self.left:
            raise UnreachableError(
                f"{self.where} asks to come back for {self.what} in {seconds:,.0f} seconds, and "
                f"at most {LONGEST_WAIT:.0f} are waited; try again then"
            )
        self.left -= seconds
        self.say(f"{self.where} is busy and asks to wait {seconds:.0f} seconds")
        time.sleep(seconds)


def _retry_after(error: Exception) -> float | None:
    """Seconds to wait if a server is too busy and says for how long; None for all else."""
    response = getattr(error, "response", None)
    if getattr(response, "status_code", None) not in (429, 503):
        return None
    said = str(getattr(response, "headers", {}).get("Retry-After", "")).strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    with suppress(TypeError, ValueError):
        at = parsedate_to_datetime(said)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    return None


def download(
    url: str,
    folder: Path,
    *,
    size: int | None,
    most: int,
    headers: dict[str, str],
    timeout: Any,
    patience: Patience,
) -> Path:
    """Fetch a file into a new, temporary one in `folder`; the caller moves or removes it.

    Args:
        size: bytes by the hub's record, if it says. most: bytes in any case.

    Raises:
        IntegrityError: more came, or was announced, than the record or the limit says.
        UnreachableError: it is too slow, breaks off repeatedly, or asks for too long a wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file:
            _fill(file, url, size, most if size is None else size, headers, timeout, patience)
        return Path(name)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _fill(
    file: BinaryIO,
    url: str,
    size: int | None,
    most: int,
    headers: dict[str, str],
    timeout: Any,
    patience: Patience,
) -> None:
    import httpx2

    failures, pace = 0, _Pace(patience.what)
    while True:
        before = file.tell()
        try:
            patience.ask(lambda: _stream(file, url, most, headers, timeout, pace))
        except (httpx2.TransportError, httpx2.StreamError):
            failures = 0 if file.tell() > before else failures + 1
            if failures >= TRIES:
                raise
            time.sleep(min(2.0**failures / 2, 4.0))
            continue
        if size is not None and file.tell() < size:  # it ended too early
            failures = 0 if file.tell() > before else failures + 1
            if failures < TRIES:
                continue
            raise UnreachableError(
                f"{patience.what}: the download broke off at {file.tell():,} of {size:,} bytes; "
                "try again"
            )
        return


def _stream(
    file: BinaryIO, url: str, most: int, headers: dict[str, str], timeout: Any, pace: _Pace
) -> None:
    """Write one response of the server to the file, from where the last one ended."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    start = file.tell()
    asked = {**headers, "Accept-Encoding": "identity"}  # compressed data could have any length
    if start:
        asked["Range"] = f"bytes={start}-"
    with get_session().stream("GET", url, headers=asked, timeout=timeout) as response:
        if response.status_code == 416 and start:  # nothing is left
            return
        if response.status_code >= 400:
            hf_raise_for_status(bounded(response))
        if start and response.status_code != 206:
            file.seek(0)
            file.truncate()
            start = 0
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and start + int(announced[:18]) > most:
            raise _too_long(url, start + int(announced[:18]), most)
        for part in response.iter_raw():
            if file.tell() + len(part) > most:
                raise _too_long(url, file.tell() + len(part), most)
            file.write(part)
            pace.came(len(part))


def bounded(response: Any) -> Any:
    """The body of a streamed response, up to the limit for a hub's answers."""
    import httpx2

    content = b""
    for part in response.iter_bytes():
        content += part
        if len(content) > LONGEST_ANSWER:
            raise IntegrityError(
                f"{response.url.host} answers with more than {LONGEST_ANSWER:,} bytes; no hub does"
            )
    headers = {
        key: value
        for key, value in response.headers.items()
        if key.lower() not in ("content-encoding", "transfer-encoding", "content-length")
    }
    return httpx2.Response(
        response.status_code, headers=headers, content=content, request=response.request
    )


def _too_long(url: str, size: int, most: int) -> IntegrityError:
    name = plain(url.rpartition("/")[2], 100)
    return IntegrityError(f"{name}: {size:,} bytes or more are sent, and {most:,} were expected")


class _Pace:
    """Gives up on a transfer that is too slow."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.since, self.bytes = time.monotonic(), 0

    def came(self, count: int) -> None:
        self.bytes += count
        passed = time.monotonic() - self.since
        if passed >= WINDOW:
            if self.bytes < LEAST:
                raise UnreachableError(
                    f"{self.what}: only {self.bytes:,} bytes came in {passed:.0f} seconds; the "
                    "download is given up. Try again later, or on another network"
                )
            self.since, self.bytes = time.monotonic(), 0
