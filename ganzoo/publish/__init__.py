"""Publishing a model: its card, its checks, and the push to a hub."""
