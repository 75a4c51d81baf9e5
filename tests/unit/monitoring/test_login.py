"""Who is signed in: a cookie that proves itself, for as long as it lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from plumbline.monitoring.page.login import LASTING, Logins

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def logins(token: str | None = "right", at: datetime = NOW) -> Logins:
    """Return the logins of a monitor with this token, at this time."""
    return Logins(None if token is None else SecretStr(token), lambda: at)


def test_a_cookie_is_understood_by_every_replica_that_has_the_token():
    """Nothing is remembered in the process."""
    cookie = logins().open("right", "ada")
    login = logins().read(cookie)

    assert login is not None
    assert login.actor == "ada"
    assert login.until == NOW + LASTING
    assert logins().proves(login, login.proof)
    assert not logins().proves(login, "")


def test_the_token_is_not_in_the_cookie():
    """Nor anything that it could be guessed from at once."""
    cookie = logins("a long token").open("a long token", "ada")

    assert cookie is not None
    assert "a long token" not in cookie


def test_two_logins_have_different_proofs():
    """A form made for one is none of the other's."""
    one, other = (logins().read(logins().open("right", "ada")) for _ in range(2))

    assert one is not None
    assert other is not None
    assert not logins().proves(one, other.proof)


@pytest.mark.parametrize("token", ["", "wrong", "righ", "right ", "nö"])
def test_a_wrong_token_opens_nothing(token):
    """Whatever its length or letters."""
    assert logins().open(token, "ada") is None


def test_a_login_ends():
    """After its time, when the token is changed, and when there is none."""
    cookie = logins().open("right", "ada")

    assert logins(at=NOW + LASTING - timedelta(seconds=1)).read(cookie) is not None
    assert logins(at=NOW + LASTING).read(cookie) is None
    assert logins("another").read(cookie) is None
    assert logins(None).read(cookie) is None


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: "x" + c, lambda c: c[5:], str.upper]
)
def test_a_changed_cookie_is_none(change):
    """Signed is signed."""
    cookie = logins().open("right", "ada")

    assert cookie is not None
    assert logins().read(change(cookie)) is None


@pytest.mark.parametrize("cookie", [None, "", ".", "a.b", "ö.ü", "====.00"])
def test_nonsense_is_no_cookie(cookie):
    """It is not even an error."""
    assert logins().read(cookie) is None
