"""Packing: a model that somebody else trained becomes a bundle like any other."""
