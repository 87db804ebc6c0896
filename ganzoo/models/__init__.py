"""Trained models: tasks, scores, inference on files, and the model folder."""
