"""The admin API: promote and roll back, on its own port, with a bearer token.

It runs in the parent process, away from the workers, and only writes the alias; the workers find it
at their next poll like any other promotion.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
import structlog

from plumbline.bundle.errors import BundleError
from plumbline.service.errors import (
    ChangeConflictError,
    ChangeRefusedError,
    ModelNotFoundError,
    UnauthorizedError,
)
from plumbline.service.http import Answer, BodyLimit, HttpApp, Request, Route, json_answer
from plumbline.service.schema import Decoder
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.registry import CHALLENGER, CHAMPION, AliasTarget, ModelRegistry

TOKEN_FILE = "admin-token"  # noqa: S105 -- the name of the file, not the token
ACTOR = "admin api"

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Version = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Model = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

log = structlog.get_logger()


class PromoteRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of ``POST /promote``."""

    model: Model
    version: Version
    reason: Reason
    force: bool = False


class RollbackRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of ``POST /rollback``."""

    model: Model
    reason: Reason
    to: Version | None = None
    force: bool = False


PROMOTE = Decoder(PromoteRequest, {"model": "…", "version": "…", "reason": "…", "force": False})
ROLLBACK = Decoder(RollbackRequest, {"model": "…", "reason": "…", "to": None, "force": False})


def build_admin(objects: Objects, token: str, limit: BodyLimit) -> HttpApp:
    """Return the admin application over a store."""

    async def promote(request: Request) -> Answer:
        body = PROMOTE.decode(request.body)
        registry = ModelRegistry(objects, body.model)
        return await _change(
            body.model,
            lambda: registry.promote(
                body.version, actor=ACTOR, reason=body.reason, force=body.force
            ),
        )

    async def rollback(request: Request) -> Answer:
        body = ROLLBACK.decode(request.body)
        registry = ModelRegistry(objects, body.model)
        return await _change(
            body.model,
            lambda: registry.rollback(
                actor=ACTOR, reason=body.reason, to=body.to, force=body.force
            ),
        )

    async def aliases(request: Request) -> Answer:
        name = parse_qs(request.query.decode("latin-1")).get("model", [""])[0]
        if name not in await asyncio.to_thread(ModelRegistry.names, objects):
            raise ModelNotFoundError(f"there is no model {name!r}", expected="?model=<name>")
        registry = ModelRegistry(objects, name)
        heads = {a: await asyncio.to_thread(registry.alias, a) for a in (CHAMPION, CHALLENGER)}
        found = {alias: _describe(head) for alias, head in heads.items() if head}
        return json_answer({"model": name, "aliases": found})

    return HttpApp(
        (
            Route("/promote", "POST", promote),
            Route("/rollback", "POST", rollback),
            Route("/aliases", "GET", aliases),
            Route("/livez", "GET", _livez),
        ),
        limit,
        guard=bearer_guard(token),
    )


def bearer_guard(token: str) -> Callable[[Mapping[bytes, bytes]], None]:
    """Return a function that refuses requests without this bearer token."""
    expected = token.encode()

    def guard(headers: Mapping[bytes, bytes]) -> None:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        fits = hmac.compare_digest(given.strip(), expected)
        if scheme.lower() != b"bearer" or not fits:
            raise UnauthorizedError(
                "the admin token is missing or wrong", expected={"authorization": "Bearer <token>"}
            )

    return guard


def read_token(state: Path) -> str:
    """Return the token kept in the state folder; one is made if there is none."""
    path = state / TOKEN_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


async def _livez(_: Request) -> Answer:
    return json_answer({"status": "alive"})


async def _change(model: str, change: Callable[[], Generation[AliasTarget]]) -> Answer:
    """Move an alias in a thread and say where it points now."""
    try:
        head = await asyncio.to_thread(change)
    except ConflictError as error:
        raise ChangeConflictError(str(error)) from error
    except NotFoundError as error:
        raise ModelNotFoundError(str(error)) from error
    except (RefusedError, BundleError) as error:
        raise ChangeRefusedError(str(error)) from error
    log.info("alias_moved", model=model, version=head.value.version, generation=head.number)
    return json_answer({"model": model, **_describe(head)})


def _describe(head: Generation[AliasTarget]) -> dict[str, Any]:
    return {"generation": head.number, **head.value.model_dump(mode="json")}
