"""Models for other runtimes: each task as one function of tensors, in a file."""
