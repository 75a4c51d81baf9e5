"""The end of a job's log, kept with its incident."""

from __future__ import annotations

from itertools import count

import pytest

from plumbline.store.errors import NotFoundError
from plumbline.store.job_log import LOG_BYTES, JobLogs, end_of, last_words
from plumbline.store.objects import Objects
from plumbline.store.redaction import redact

_stores = count()


@pytest.fixture
def logs() -> JobLogs:
    """Those of an empty store."""
    return JobLogs(Objects(f"memory://job-logs-{next(_stores)}"), "eurusd-1h")


def test_a_log_is_kept_once(logs):
    """Several monitors keep the same one."""
    logs.keep("aaaa-1", "first\n")
    logs.keep("aaaa-1", "second\n")
    logs.keep("aaaa-2", "")

    assert logs.of("aaaa") == {1: "first\n"}


def test_the_end_alone_is_kept_in_whole_lines(logs):
    """Of whatever characters it has."""
    text = "".join(f"époque {number}\n" for number in range(50_000))
    logs.keep("aaaa-1", text)
    kept = logs.read("aaaa-1")

    assert text.endswith(kept)
    assert kept.startswith("époque ")
    assert LOG_BYTES - 20 < len(kept.encode()) <= LOG_BYTES
    assert end_of("short") == "short"


def test_logs_go_with_their_incidents(logs):
    """Those of others stay."""
    for key in ("aaaa-1", "aaaa-2", "bbbb-1"):
        logs.keep(key, "text\n")
    logs.forget({"bbbb"})

    assert logs.keys() == ["bbbb-1"]


@pytest.mark.parametrize("key", ["aaaa-1", "../../models", "A B"])
def test_a_log_that_is_not_there_is_not_found(logs, key):
    """Nor is one of a name that no job has."""
    with pytest.raises(NotFoundError):
        logs.read(key)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("GET s3://me:hunter22@host/bucket", "GET s3://***@host/bucket"),
        ("authorization: Bearer abc.def-123", "authorization: Bearer ***"),
        ("key AKIAABCDEFGHIJKLMNOP used", "key *** used"),
        ("https://host/x?sig=1&X-Amz-Signature=deadbeef&a=1", "https://host/x?sig=1&X-Amz-Signature=***&a=1"),
        ('{"token": "abc", "loss": 0.5}', '{"token": "***", "loss": 0.5}'),
        ("MY_PASSWORD=hunter22", "MY_PASSWORD=***"),
        ("the value correct-horse was refused", "the value *** was refused"),
        ("epoch 3, loss 0.6931, 12 tokens a row", "epoch 3, loss 0.6931, 12 tokens a row"),
        ("the passport of a short word: abc", "the passport of a short word: abc"),
    ],
)  # fmt: skip
def test_secrets_are_taken_out(written, kept):
    """What the environment calls one, and what looks like one."""
    environment = {"PLUMBLINE_MONITORING_TOKEN": "correct-horse", "API_KEY": "abc", "HOME": "epoch"}

    assert redact(written, environment) == kept


def test_the_last_line_is_told():
    """Of many."""
    assert last_words("one\ntwo\n\n") == "; it said last: two"
    assert last_words("") == ""
