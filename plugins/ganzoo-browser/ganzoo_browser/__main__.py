"""`python -m ganzoo_browser`: fetches the runtime into a checkout."""

from . import fetch

print(fetch())
