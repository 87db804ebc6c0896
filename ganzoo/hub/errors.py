"""Errors of the hub and its client as ganzoo's.

`huggingface_hub` raises its own errors, those of its HTTP client, and sometimes bare Python ones.
All calls of it are inside `translated`, which lets none of them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ganzoo.errors import (
    AccessError,
    GanzooError,
    HubError,
    MovedError,
    NotFoundError,
    UnreachableError,
    plain,
)

LOG_IN = "log in with `hf auth login`, set HF_TOKEN, or give token="
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{6,}|(?<=//)[^/@\s]+@")
"""Tokens of the hub, and names and passwords in addresses."""


@contextmanager
def translated(what: str, endpoint: str, token: str | bool | None = None) -> Iterator[None]:
    """Translate errors of the hub and its client inside the block.

    Args:
        what: the subject: a repository, with its revision.
        endpoint: the address of the hub. token: never shown, whatever an error says.
    """
    try:
        yield
    except GanzooError:
        raise
    except Exception as error:
        raise _translate(error, what, scrubbed(endpoint), token) from None


def scrubbed(text: object, token: str | bool | None = None) -> str:
    """Text without tokens or passwords."""
    shown = str(text)
    if isinstance(token, str) and token:
        shown = shown.replace(token, "***")
    return _TOKEN.sub("***", shown)


def _translate(error: Exception, what: str, endpoint: str, token: str | bool | None) -> GanzooError:
    import httpx2
    from huggingface_hub import errors as hf

    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # the client's "Error while uploading" says nothing itself
    said = plain(scrubbed(getattr(error, "server_message", None) or _last_line(error), token))
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    match error:
        case hf.OfflineModeIsEnabled():
            return UnreachableError(
                f"{what} is needed from the hub, and HF_HUB_OFFLINE is set; unset it, or give the "
                "folder of a model that is here"
            )
        case hf.GatedRepoError():
            return AccessError(
                f"{what} is gated: ask for access at {endpoint}/{what.partition('@')[0]}, then "
                f"{LOG_IN}"
            )
        case hf.RevisionNotFoundError():
            return NotFoundError(
                f"{what}: the repository has no such revision; its branches and tags are listed "
                f"at {endpoint}/{what.partition('@')[0]}"
            )
        case hf.RepositoryNotFoundError():
            return NotFoundError(
                f"no repository {what} at {endpoint}, or a private one, and no folder of that name "
                f"here; check the name (`ganzoo hub list --remote`), or {LOG_IN}"
            )
        case hf.DisabledRepoError():
            return AccessError(f"{what} has been disabled at {endpoint} and cannot be downloaded")
        case hf.LocalEntryNotFoundError():
            return UnreachableError(
                f"{endpoint} broke off, or does not answer, and {what} is not whole in the cache; "
                "try again"
            )
        case hf.EntryNotFoundError():
            return NotFoundError(f"{what}: a file of it is not there ({said}); pull it again")
        case hf.LocalTokenNotFoundError():
            return AccessError(f"{what} needs a token; {LOG_IN}")
        case hf.HFValidationError() | hf.HfUriError():
            return NotFoundError(f"{what} is not a name that the hub allows: {said}")
        case hf.XetDownloadError():
            return _broken_xet(what, said)
        case httpx2.HTTPStatusError() | hf.HfHubHTTPError() if status is not None:
            return _refused(status, what, endpoint, said)
        case httpx2.HTTPError() | httpx2.StreamError() | ConnectionError() | TimeoutError():
            if "xet" in str(error):
                return _broken_xet(what, said)
            return unreachable(what, endpoint, f"{type(error).__name__}: {said}")
        case httpx2.InvalidURL():
            return HubError(
                f"{endpoint!r} is not an address of a hub ({said}); such as https://..."
            )
        case OSError() if "Consistency check failed" in str(error):
            return UnreachableError(f"{what}: the download broke off ({said}); try again")
        case OSError():
            return HubError(f"{what} cannot be kept here: {said}; see to the disk, then try again")
        case ValueError() if "front" in str(error) or "metadata" in str(error).lower():
            return HubError(f"{what}: the hub refuses the head of README.md: {said}; mend it")
        case ValueError() | KeyError() | TypeError() | AttributeError():  # JSON, but not a hub's
            return HubError(
                f"{endpoint} does not answer as a hub does ({said}); check the address, and any "
                "log-in page of the network between"
            )
        case _ if "xet" in type(error).__module__ or "xet" in str(error).lower():
            return _broken_xet(what, said)
        case _:
            return HubError(
                f"{what}: {type(error).__name__}: {said}. This was not foreseen; please report it"
            )


def unreachable(what: str, endpoint: str, reason: str) -> UnreachableError:
    """The error of a hub that does not respond."""
    return UnreachableError(
        f"cannot reach {scrubbed(endpoint)} for {what} ({reason}). Check the network and the "
        "address, or give the folder of a model that is here; `ganzoo hub list` names those"
    )


def _refused(status: int, what: str, endpoint: str, said: str) -> HubError:
    """The meaning of an HTTP status here."""
    match status:
        case 401 | 403:
            return AccessError(f"{what}: {endpoint} does not allow this ({said}); {LOG_IN}")
        case 404:
            return NotFoundError(f"{what}: {endpoint} has nothing of the kind ({said})")
        case 409:
            return HubError(f"{what} is there already, or being changed ({said}); try again")
        case 412:
            return MovedError(
                f"{what} has changed on {endpoint} since it was looked at ({said}). See what is "
                f"new with `ganzoo hub pull {what}`, then push again"
            )
        case 429:
            return HubError(
                f"{endpoint} gets too many requests ({said}); wait a while, or {LOG_IN}"
            )
        case _ if status >= 500:
            return UnreachableError(f"{endpoint} has trouble ({status}: {said}); try again later")
        case _:
            return HubError(f"{what}: {endpoint} refuses this ({status}: {said})")


def _broken_xet(what: str, said: str) -> HubError:
    return UnreachableError(
        f"{what}: the hub's Xet storage failed ({said}). Try again, or set HF_HUB_DISABLE_XET=1, "
        "which private hubs without Xet need"
    )


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
