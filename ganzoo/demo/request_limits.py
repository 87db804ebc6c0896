"""Limits on request bodies and on uploads per hour, counted as they arrive."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

MOST_BODY = 1_000_000
"""The most bytes of a request that is not an upload; the largest, a drawing, has 400,000."""
MOST_UPLOAD = 64_000_000
"""The most bytes of an upload, which may have several files."""
MOST_UPLOADED = 2_000_000_000
"""The most bytes of all uploads within `HOUR`, after which uploaded files are removed."""
HOUR = 3600.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _TooMuchError(Exception):
    """A request body exceeded its limit while it was read."""


class RequestLimits:
    """ASGI middleware: status 413 for bodies over the limit, 429 for too many uploads.

    If a request declares a length over the limit, it is refused before anything is read. A body
    without a declared length is counted and cut off at the limit.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        *,
        body: int = MOST_BODY,
        upload: int = MOST_UPLOAD,
        uploaded: int = MOST_UPLOADED,
    ) -> None:
        self.app, self.body, self.upload, self.uploaded = app, body, upload, uploaded
        self._recent: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        uploads = scope["path"].rstrip("/").endswith("/upload")
        most = self.upload if uploads else self.body
        announced = _announced(scope)
        if announced is not None and announced > most:
            await _refuse(send, 413, f"{announced:,} bytes; at most {most:,} are read here")
            return
        if uploads and self._recently() > self.uploaded:
            await _refuse(
                send, 429, f"more than {self.uploaded:,} bytes were uploaded within an hour; "
                "try again later",
            )  # fmt: skip
            return
        taken, answered = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise _TooMuchError
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooMuchError:
            if not answered:
                await _refuse(send, 413, f"more than {most:,} bytes; no more are read here")
        finally:
            if uploads:
                self._count(taken)

    def _recently(self) -> int:
        """Bytes uploaded within the last hour."""
        with self._lock:
            while self._recent and self._recent[0][0] < time.monotonic() - HOUR:
                self._sum -= self._recent.popleft()[1]
            return self._sum

    def _count(self, taken: int) -> None:
        with self._lock:
            self._recent.append((time.monotonic(), taken))
            self._sum += taken


def _announced(scope: MutableMapping[str, Any]) -> int | None:
    """The Content-Length of a request, or None."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return None


async def _refuse(send: Send, status: int, words: str) -> None:
    body = json.dumps({"detail": words, "error": words}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
