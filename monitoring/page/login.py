"""Who is signed in: a cookie that carries its own proof, so that every monitor understands it.

The cookie is signed with a key made from the person token: it outlives a restart, holds at each
replica, and ends at once for everybody when the token is changed. Every form carries a second proof
made from it, which another site cannot know.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

COOKIE = "plumbline_session"
LASTING = timedelta(hours=8)


@dataclass(frozen=True)
class Login:
    """A person, until when, and the proof that their forms must carry."""

    actor: str
    until: datetime
    proof: str


class Logins:
    """Opens and reads logins.

    Parameters
    ----------
    token
        What a person must know; None, and nobody can sign in.
    clock
        Returns the present time, in UTC.
    """

    def __init__(self, token: SecretStr | None, clock: Callable[[], datetime]) -> None:
        self._token = None if token is None else token.get_secret_value().encode()
        self._clock = clock

    @property
    def possible(self) -> bool:
        """Whether anybody can sign in."""
        return self._token is not None

    def open(self, token: str, actor: str) -> str | None:
        """Return the cookie of a new login, or None if the token is not the right one."""
        if self._token is None or not hmac.compare_digest(token.encode(), self._token):
            return None
        until = int((self._clock() + LASTING).timestamp())
        said = json.dumps([actor, until, secrets.token_hex(8)]).encode()
        return f"{base64.urlsafe_b64encode(said).decode()}.{self._sign(b'login', said)}"

    def read(self, cookie: str | None) -> Login | None:
        """Return the login of a cookie; None if it is not ours, or over."""
        text, dot, signature = (cookie or "").partition(".")
        if self._token is None or not dot:
            return None
        try:
            said = base64.urlsafe_b64decode(text.encode())
        except (ValueError, binascii.Error):
            return None
        if not hmac.compare_digest(signature.encode(), self._sign(b"login", said).encode()):
            return None
        actor, until, _ = json.loads(said)
        end = datetime.fromtimestamp(until, UTC)
        if end <= self._clock():
            return None
        return Login(actor=actor, until=end, proof=self._sign(b"form", said))

    def proves(self, login: Login, proof: str) -> bool:
        """Whether a form was made for this login."""
        return hmac.compare_digest(proof.encode(), login.proof.encode())

    def _sign(self, purpose: bytes, said: bytes) -> str:
        key = hashlib.sha256(b"plumbline|" + (self._token or b"")).digest()
        return hmac.new(key, purpose + b"|" + said, hashlib.sha256).hexdigest()
