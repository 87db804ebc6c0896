"""Trained models: tasks, scores, inference on files, and the folder that holds one."""
