"""Population stability index: how differently two samples fill the same bins."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray


def bin_edges(reference: FloatArray, bins: int = 10) -> FloatArray:
    """Inner quantile edges of a sample, without repeats: ``(n,)`` to at most ``(bins - 1,)``."""
    quantiles = np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(quantiles)


def bin_shares(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Share of values in each bin, half a count added to each so that no share is zero."""
    counts = np.bincount(edges.searchsorted(values), minlength=len(edges) + 1)
    shares: FloatArray = (counts + 0.5) / (len(values) + 0.5 * (len(edges) + 1))
    return shares


def psi(current: FloatArray, reference: FloatArray) -> float:
    """Return ``sum (q - p) ln (q / p)`` of two vectors of positive shares.

    Zero when equal. For independent rows .25 is called a large shift; consecutive market bars are
    not independent, and healthy windows of them exceed it as a rule.

    References
    ----------
    Siddiqi (2006), "Credit Risk Scorecards", chapter 8. It is the symmetrised divergence of
    Kullback and Leibler (1951), "On Information and Sufficiency", eq. 2.6.
    """
    return float(((current - reference) * np.log(current / reference)).sum())
