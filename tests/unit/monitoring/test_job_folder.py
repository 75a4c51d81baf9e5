"""A job's log, and what it printed in it."""

from __future__ import annotations

import pytest

from plumbline.monitoring.repair.launchers.job_folder import LOG, document_of, read_log
from plumbline.store.job_log import LOG_BYTES


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


def test_the_end_of_a_log_is_read(tmp_path):
    """A little to be shown, more to be kept; nothing where there is none."""
    assert read_log(tmp_path) == ""

    (tmp_path / LOG).write_text("x" * 300_000 + "the end")

    assert len(read_log(tmp_path)) == 4_000
    assert len(read_log(tmp_path, LOG_BYTES)) == LOG_BYTES
    assert read_log(tmp_path, LOG_BYTES).endswith("xthe end")
