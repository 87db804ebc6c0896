"""Plugins: their hooks, the host that finds and isolates them, and names looked up in them."""
