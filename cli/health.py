"""``python -m plumbline.cli.health PORT``: exit 0 while this container's server is ready.

What an image's health check runs every few seconds, so it imports nothing of ours.
"""

from __future__ import annotations

import http.client
import sys


def ready(port: int, *, timeout_seconds: float = 4) -> bool:
    """Whether ``/readyz`` on this machine answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(int(sys.argv[1])) else 1)
