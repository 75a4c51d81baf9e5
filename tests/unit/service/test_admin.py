"""The admin API: nothing without the token, and every refusal with its reason."""

from __future__ import annotations

import asyncio
import stat

import httpx
import pytest

from plumbline.service.admin import build_admin, read_token
from plumbline.service.http import BodyLimit
from plumbline.store.errors import ConflictError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.served import MODEL

TOKEN = "a-token"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def registry(tmp_path):
    """A model with two versions that pass, the first of them champion, and one that does not."""
    registry = ModelRegistry(Objects(tmp_path.as_uri()), MODEL)
    registry.good = [registry.write(*small_bundle(seed=seed)).version for seed in (1, 2)]
    registry.bad = registry.write(*small_bundle(seed=3, passed=False)).version
    registry.promote(registry.good[0], actor="test", reason="first")
    registry.folder = tmp_path
    return registry


def send(registry, method, path, body=None, headers=HEADERS):
    """Send one request to an admin application over the registry's store."""
    app = build_admin(registry._objects, TOKEN, BodyLimit(10_000, 1.0))

    async def run():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            return await client.request(method, path, json=body, headers=headers)

    return asyncio.run(run())


def change(registry, path, **body):
    """Ask for a change of the test's model."""
    return send(registry, "POST", path, {"model": MODEL, "reason": "because", **body})


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
@pytest.mark.parametrize("path", ["/promote", "/aliases?model=x", "/nowhere"])
def test_without_the_token_nothing_is_said(registry, authorization, path):
    """Whatever the path: 401, in constant time, and no alias moved."""
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    answer = send(registry, "POST", path, {}, headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert registry.alias().number == 1


def test_promotion_moves_the_champion(registry):
    """The answer says where the alias points now, who moved it and why."""
    answer = change(registry, "/promote", version=registry.good[1])

    assert answer.status_code == 200
    assert answer.json() == {
        "model": MODEL,
        "generation": 2,
        **registry.alias().value.model_dump(mode="json"),
    }
    assert (registry.alias().value.version, registry.alias().value.reason) == (
        registry.good[1],
        "because",
    )


def test_version_that_failed_its_gate_is_422_unless_forced(registry):
    """Force is possible, and remembered in the reason."""
    refused = change(registry, "/promote", version=registry.bad)
    forced = change(registry, "/promote", version=registry.bad, force=True)

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "refused")
    assert "did not pass its gate" in refused.json()["error"]["message"]
    assert forced.status_code == 200
    assert "forced" in forced.json()["reason"]


def test_version_that_does_not_verify_is_422_even_forced(registry):
    """Force is about judgement, not about broken bytes."""
    path = registry.folder / "models" / MODEL / "versions" / registry.good[1] / "model.onnx"
    path.write_bytes(path.read_bytes()[:-10])
    answer = change(registry, "/promote", version=registry.good[1], force=True)

    assert answer.status_code == 422
    assert "model.onnx" in answer.json()["error"]["message"]
    assert registry.alias().number == 1


def test_unknown_version_and_model_are_404(registry):
    """Both are named."""
    version = change(registry, "/promote", version="0" * 16)
    model = send(registry, "GET", "/aliases?model=nope")

    assert (version.status_code, version.json()["error"]["code"]) == (404, "model_not_found")
    assert "0000000000000000" in version.json()["error"]["message"]
    assert (model.status_code, model.json()["error"]["code"]) == (404, "model_not_found")


def test_loser_of_a_race_is_told(registry, monkeypatch):
    """Two promoters at once: the second gets 409 and may look again."""

    def lose(self, version, **_):
        raise ConflictError("generation 2 was created by somebody else")

    monkeypatch.setattr(ModelRegistry, "promote", lose)
    answer = change(registry, "/promote", version=registry.good[1])

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_rollback_goes_back_or_says_that_it_cannot(registry):
    """Back to the version before; before the first there is none."""
    nowhere = change(registry, "/rollback")
    change(registry, "/promote", version=registry.good[1])
    back = change(registry, "/rollback")

    assert nowhere.status_code == 404
    assert back.json()["version"] == registry.good[0]
    assert registry.alias().number == 3


def test_a_rollback_to_what_never_served_needs_force(registry):
    """A candidate that the gate refused is nothing to go back to."""
    refused = change(registry, "/rollback", to=registry.bad)
    before = registry.alias().number
    forced = change(registry, "/rollback", to=registry.bad, force=True)

    assert (refused.status_code, before) == (422, 1)
    assert "was never champion and did not pass its gate" in refused.json()["error"]["message"]
    assert (forced.status_code, forced.json()["forced"]) == (200, True)


def test_aliases_are_listed(registry):
    """The champion with its generation; aliases that do not exist are left out."""
    answer = send(registry, "GET", f"/aliases?model={MODEL}").json()

    assert list(answer["aliases"]) == ["champion"]
    assert answer["aliases"]["champion"]["version"] == registry.good[0]


@pytest.mark.parametrize(
    "body",
    [
        {"model": "../../etc", "version": "0" * 16, "reason": "x"},
        {"model": MODEL, "version": "../0", "reason": "x"},
        {"model": MODEL, "version": "0" * 16, "reason": ""},
        {"model": MODEL, "version": "0" * 16, "reason": "x", "froce": True},
        {"model": MODEL, "version": "0" * 16, "reason": "x", "force": "yes"},
    ],
)
def test_requests_that_are_not_exactly_right_are_422(registry, body):
    """No path leaves the store's folders, and no misspelt key is ignored."""
    answer = send(registry, "POST", "/promote", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "request_rejected")


def test_token_is_made_once_and_for_its_owner_alone(tmp_path):
    """The file survives restarts and nobody else may read it."""
    token = read_token(tmp_path)

    assert len(token) >= 32
    assert read_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "admin-token").stat().st_mode) == 0o600
