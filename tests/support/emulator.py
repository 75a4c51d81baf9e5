"""A real S3 server on loopback, for tests of the object store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from unittest import mock

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
_buckets = count(1)


@contextmanager
def s3_emulator() -> Iterator[str]:
    """Run the emulator and point the environment at it; yields its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        with mock.patch.dict(os.environ, {**_ENVIRONMENT, "AWS_ENDPOINT": address}):
            yield address
    finally:
        server.stop()


def new_bucket(address: str) -> str:
    """Make a bucket in the emulator and return its ``s3://`` URL."""
    import httpx

    name = f"plumbline-{next(_buckets)}"
    httpx.put(f"{address}/{name}", timeout=10).raise_for_status()
    return f"s3://{name}"
