"""Losses as data, and how one takes the place of a Spec's own."""
