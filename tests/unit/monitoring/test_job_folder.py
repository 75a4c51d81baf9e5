"""A job's log, and what it printed in it."""

from __future__ import annotations

import pytest

from plumbline.monitoring.repair.launchers.job_folder import document_of


@pytest.mark.parametrize(
    ("text", "document", "said"),
    [
        ('{"passed": true}\n', {"passed": True}, ""),
        ('epoch 1\n{\n  "a": {\n    "b": 1\n  }\n}\nbye\n', {"a": {"b": 1}}, "epoch 1\nbye\n"),
        ('{"event": "start"}\n{"passed": false}', {"passed": False}, '{"event": "start"}\n'),
        ("{not JSON}\n", None, "{not JSON}\n"),
        ('loss {"a": 1}\n', None, 'loss {"a": 1}\n'),
        ("", None, ""),
    ],
)
def test_the_result_is_found_in_the_log(text, document, said):
    """It is the last object that begins a line; the rest is the log."""
    assert document_of(text) == (document, said)
