"""Taking secrets out of what other programs have written."""

from __future__ import annotations

import re
from collections.abc import Mapping

HIDDEN = "***"
_NAMES = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|ACCESS_KEY|API_KEY)", re.IGNORECASE)
_SHORTEST = 6
"""Shorter values are no secrets, and are found in innocent words."""
_PATTERNS = (
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?<=\bBearer )[\w.~+/=-]+", re.IGNORECASE),
    re.compile(r"(?<=\bBasic )[\w+/=]{6,}", re.IGNORECASE),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(
        r"""\b([\w-]*(?:secret|token|password|api_?key|access_?key|signature)["']?\s*[=:]\s*["']?)"""
        r"""[^\s&"',;]+""",
        re.IGNORECASE,
    ),
)


def redact(text: str, environment: Mapping[str, str]) -> str:
    """Return a text without the secrets that an environment names, and without what looks like one.

    Parameters
    ----------
    text
        Of any length.
    environment
        Variables by name; the values of those that are called a secret, a token, a password or a
        key are taken out wherever they stand.
    """
    known = {value for name, value in environment.items() if _NAMES.search(name)}
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(_hide, text)
    return text


def _hide(match: re.Match[str]) -> str:
    return f"{match[1]}{HIDDEN}" if match.re.groups else HIDDEN
