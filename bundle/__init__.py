"""The contract: what a trained model *is*.

A bundle is a set of files described by a manifest. This package reads, checks and writes that set
and nothing else: no network, no model runtime, only numpy and pydantic.
"""
