"""Correlation with the ranks of a cross-section: only the order counts."""

from __future__ import annotations

from typing import ClassVar

import torch
from typing_extensions import override

from plumbline.bundle.heads.score import normal_scores
from plumbline.bundle.record import Record
from plumbline.training.losses.base import Loss

_TINY = 1e-6


class RankCorrelation(Loss[Record]):
    """``1 - corr(score, normal score of the truth)``, each cross-section for itself.

    Cross-sections of fewer than two rows say nothing.

    References
    ----------
    Fisher and Yates (1938), "Statistical Tables", table XX: scores of ranks. Grinold (1989), "The
    Fundamental Law of Active Management": the correlation is the information coefficient.
    """

    teaches: ClassVar[str] = "score"

    @override
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        _, code = torch.unique(group, return_inverse=True)
        groups = int(code.max()) + 1
        scores = normal_scores(truth.numpy(), code.numpy())
        score, wanted = raw[:, 0], torch.from_numpy(scores).to(raw.dtype)
        size = _total(torch.ones_like(score), code, groups)
        score = score - (_total(score, code, groups) / size)[code]
        wanted = wanted - (_total(wanted, code, groups) / size)[code]
        shared = _total(score * wanted, code, groups)
        power = _total(score**2, code, groups) * _total(wanted**2, code, groups)
        correlation = shared / torch.sqrt(power + _TINY)
        weight = torch.where(size > 1, size, torch.zeros_like(size))
        return 1 - (correlation * weight).sum() / weight.sum().clamp(min=1.0)


def _total(values: torch.Tensor, code: torch.Tensor, groups: int) -> torch.Tensor:
    return torch.zeros(groups, dtype=values.dtype).index_add(0, code, values)
