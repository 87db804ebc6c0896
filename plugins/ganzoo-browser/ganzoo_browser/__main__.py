"""`python -m ganzoo_browser`: get the runtime into a checkout."""

from . import fetch

print(fetch())
