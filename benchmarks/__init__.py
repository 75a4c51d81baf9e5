"""Measurements anyone can repeat; every figure in the docs comes from one of these."""
