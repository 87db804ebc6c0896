"""One module a page of the demo."""
