"""Starts the server behind proxies and on slow machines, or reports why it cannot.

Before Gradio reports that it runs, it requests its own address, through the proxy of the
environment and with a timeout of seconds. Here requests to loopback and to the demo's own host
never use a proxy, and the timeout is minutes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
from gradio import http_server
from gradio.exceptions import ServerFailedToStartError

from ganzoo.demo import sessions
from ganzoo.errors import GanzooError

PATIENCE = 180.0
"""The timeout, in seconds, until the server responds."""
_afterwards: WeakKeyDictionary[Any, list[Callable[[], Any]]] = WeakKeyDictionary()
"""Functions to call once an app is served."""
ANYWHERE = ("0.0.0.0", "::", "")
"""Hosts that stand for all addresses of the machine; requests go to localhost."""


def once_served(app: Any, function: Callable[[], Any]) -> None:
    """Call `function` in a thread when the app is served."""
    _afterwards.setdefault(app, []).append(function)


def launched(app: Any, *, host: str, port: int | None, **options: Any) -> Any:
    """Launch an app; returns the result of `app.launch` once the server responds.

    Raises:
        OSError: no such port is free.
        GanzooError: the server does not start, or does not respond.
    """
    _no_proxy("localhost", "127.0.0.1", "::1", *([] if host in ANYWHERE else [host]))
    try:
        with _patient():
            # without _frontend Gradio does not ask its address for seconds, and we do for minutes
            found = app.launch(server_name=host, server_port=port, _frontend=False, **options)
    except (OSError, GanzooError):
        raise
    except Exception as error:
        raise GanzooError(
            f"the demo did not start on {host}: {type(error).__name__}: {error}. {_advice()}"
        ) from error
    sessions.lighten(app)
    _answers(app.local_url)
    threading.Thread(target=_prepare, args=(_afterwards.get(app, []),), daemon=True).start()
    return found


def _prepare(functions: Sequence[Callable[[], Any]]) -> None:
    """Call the functions one after the other, behind all requests where the system can do that."""
    with suppress(OSError, AttributeError):  # Linux: of this thread alone
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    for function in functions:
        function()


def _no_proxy(*hosts: str) -> None:
    """Exempt these hosts from proxies, for this process and its children."""
    for name in ("no_proxy", "NO_PROXY"):
        known = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        if "*" not in known:
            os.environ[name] = ",".join([*known, *(host for host in hosts if host not in known)])


@contextmanager
def _patient() -> Iterator[None]:
    """Gradio's server with a start timeout of `PATIENCE` seconds instead of five."""
    original = http_server.Server.run_in_thread

    def run_in_thread(self: Any) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + PATIENCE
        while not self.started:
            if not self.thread.is_alive():
                raise ServerFailedToStartError("the port is taken")
            if time.monotonic() > until:
                raise GanzooError(
                    f"the server did not start within {PATIENCE:.0f} seconds. {_advice()}"
                )
            time.sleep(0.01)

    http_server.Server.run_in_thread = run_in_thread
    try:
        yield
    finally:
        http_server.Server.run_in_thread = original


def _answers(url: str) -> None:
    """Wait until the demo responds at its address; GanzooError if it does not."""
    until, last = time.monotonic() + PATIENCE, ""
    while time.monotonic() < until:
        try:
            status = httpx2.head(url, timeout=PATIENCE, verify=False).status_code
            if status < 500:
                return
            last = f"it answers {status}"
            if status in (502, 503, 504):
                break  # a proxy's answer, not the demo's
        except httpx2.HTTPError as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(0.2)
    raise GanzooError(f"the demo runs, but {url} cannot be reached: {last}. {_advice()}")


def _advice() -> str:
    """Advice on what to try; if a proxy is set, it is the likely cause."""
    proxies = [
        name for name in ("http_proxy", "https_proxy", "all_proxy")
        if os.environ.get(name) or os.environ.get(name.upper())
    ]  # fmt: skip
    if proxies:
        return (
            f"The environment sets {', '.join(proxies)}: unset it, or start the demo with "
            "NO_PROXY=localhost,127.0.0.1"
        )
    return "Try another port with --port, or --host 127.0.0.1"
