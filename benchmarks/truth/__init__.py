"""The judge of verdicts: kinds of fault, places and markets, with what should be said of each.

Run it as ``python -m benchmarks.truth``; `benchmarks.truth.__main__` says what it prints.
"""
