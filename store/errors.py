"""Errors of the store.

StoreError                  the store could not do what was asked
├── NotFoundError           there is no such object, model, version or alias
├── ConflictError           somebody else was first
├── RefusedError            the change is not allowed: a bundle that did not pass its gate
└── SpoolFullError          the spool has reached its bound on disk
"""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do what was asked; the message says what and where."""


class NotFoundError(StoreError):
    """There is no such object, model, version or alias."""


class ConflictError(StoreError):
    """Another writer created this generation first."""


class RefusedError(StoreError):
    """The change is not allowed."""


class SpoolFullError(StoreError):
    """The spool has reached its bound on disk."""
