"""Plots as SVG text, for every page we make: the standard library only, no input or output."""
