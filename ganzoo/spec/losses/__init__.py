"""Losses as data, and how one replaces a Spec's own."""
