"""What pages for browsers carry, and a checkout fetches by npm: whether it can be had here."""

from __future__ import annotations

from functools import cache


@cache
def missing() -> str:
    """Why the runtime is not here, having tried to get it; nothing where it is."""
    from ganzoo_browser import RuntimeMissingError, fetch

    try:
        fetch()
    except RuntimeMissingError as error:
        return str(error)
    return ""
