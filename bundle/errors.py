"""Errors of the bundle format.

BundleError                 something is wrong with a bundle
├── FormatError             a file is not what its name says: JSON, shape, unknown format number
└── IntegrityError          a file is missing, truncated, changed or too large

PluginError                 a plug-in from outside cannot be used; a ValueError, so that whatever
                            checks a configuration reports it as such
"""

from __future__ import annotations


class BundleError(Exception):
    """Something is wrong with a bundle; the message names the file and the reason."""


class FormatError(BundleError):
    """A file cannot be read as what it claims to be."""


class IntegrityError(BundleError):
    """A file is missing, or its bytes are not the ones the manifest was written for."""


class PluginError(ValueError):
    """A plug-in cannot be used; the message says which, where it comes from, and why."""
