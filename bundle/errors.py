"""Errors of the bundle format.

BundleError                 something is wrong with a bundle
├── FormatError             a file is not what its name says: JSON, shape, unknown format number
└── IntegrityError          a file is missing, truncated, changed or too large
"""

from __future__ import annotations


class BundleError(Exception):
    """Something is wrong with a bundle; the message names the file and the reason."""


class FormatError(BundleError):
    """A file cannot be read as what it claims to be."""


class IntegrityError(BundleError):
    """A file is missing, or its bytes are not the ones the manifest was written for."""
