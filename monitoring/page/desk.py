"""What people see and do: the pages, signing in, and orders.

A person signs in with the monitor's token, which never stands in an address; from then on a cookie
that scripts cannot read speaks for them, and every form carries a proof that only our page knows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from plumbline.monitoring.errors import OrderError
from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page import reply, view
from plumbline.monitoring.page.chronicle import RANGES
from plumbline.monitoring.page.login import COOKIE, LASTING, Login, Logins
from plumbline.monitoring.page.orders import Orders
from plumbline.monitoring.page.overview import Overview
from plumbline.monitoring.page.shelf import Shelf, links
from plumbline.monitoring.page.status import Status
from plumbline.monitoring.repair.controller import utc_now
from plumbline.store.errors import NotFoundError, StoreError
from plumbline.store.job_log import JobLogs
from plumbline.store.report import read_report
from plumbline.store.run import Runs

ACTOR = r"^[^\x00-\x1f|]+$"
"""What may be the name of a person."""

_NOTICE = "plumbline_notice"
_NOTICE_SECONDS = 60
_WRONG_TOKEN_SECONDS = 0.5
_LONGEST_NAME = 100

log = structlog.get_logger()


class Desk:
    """The pages of one monitor."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._model = monitor.settings.model
        self._shelf = Shelf(monitor.objects, self._model, clock=utc_now)
        self._overview = Overview(monitor.objects, clock=utc_now)
        self._logins = Logins(monitor.settings.token, utc_now)
        self._orders = Orders(monitor)

    def routes(self) -> list[Route]:
        """Return where everything is."""
        return [
            Route("/", self._page),
            Route("/live", self._live),
            Route("/models", self._models),
            Route("/models/live", self._models),
            Route("/reports", self._reports),
            Route("/reports/{name}", self._report),
            Route("/runs/{run}", self._run),
            Route("/logs/{key}", self._log),
            Route("/session", self._sign_in, methods=["POST"]),
            Route("/session/end", self._sign_out, methods=["POST"]),
            Route("/orders/{what}", self._order, methods=["POST"]),
        ]

    def status(self) -> Status:
        """Return all that is known: of the newest round, of the stream's parties, of the store."""
        status, crowd = self._monitor.status, self._monitor.crowd
        more: dict[str, object] = {}
        if crowd is not None:
            more = {"symbols": crowd.symbols(), "clients": crowd.clients()}
        try:
            more["holdings"] = self._shelf.look()
        except StoreError as error:
            log.warning("store_failed", reason=str(error))
            more["holdings"] = self._shelf.held
        return status.model_copy(update=more)

    # -- pages

    async def _page(self, request: Request) -> Response:
        said = request.cookies.get(_NOTICE, "")
        answer = reply.page(await run_in_threadpool(self._draw, request, whole=True, said=said))
        if said:
            answer.delete_cookie(_NOTICE)
        return answer

    async def _live(self, request: Request) -> Response:
        return reply.page(await run_in_threadpool(self._draw, request, whole=False))

    def _draw(self, request: Request, *, whole: bool, said: str = "") -> str:
        chosen = request.query_params.get("range", "")
        chosen = chosen if chosen in RANGES else ""
        name = chosen or self._first_range()
        kind, _, notice = unquote(said).partition(":")
        visit = view.Visit(
            range=name,
            chosen=chosen,
            past=self._monitor.chronicle.of(name),
            login=self._login(request),
            possible=self._logins.possible,
            notice=notice,
            refused=kind == "refused",
        )
        return (view.render if whole else view.render_live)(self.status(), visit)

    def _first_range(self) -> str:
        """Return the range to begin with: an hour, once there has been one."""
        past, reach = self._monitor.chronicle.of(view.YOUNG_RANGE), RANGES[view.FIRST_RANGE]
        young = not past or (reach is not None and utc_now() - past[0].time < reach)
        return view.YOUNG_RANGE if young else view.FIRST_RANGE

    async def _models(self, request: Request) -> Response:
        lines = await run_in_threadpool(self._overview.look)
        whole = not request.url.path.endswith("/live")
        return reply.page(view.render_overview(lines, self._model, utc_now(), whole=whole))

    async def _reports(self, _: Request) -> Response:
        found = await run_in_threadpool(links, self._monitor.objects, self._model)
        return reply.page(view.render_reports(self._model, found))

    async def _report(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await _paper(read_report, self._monitor.objects, self._model, name)

    async def _run(self, request: Request) -> Response:
        runs = Runs(self._monitor.objects, self._model)
        return await _paper(runs.report, request.path_params["run"])

    async def _log(self, request: Request) -> Response:
        logs = JobLogs(self._monitor.objects, self._model)
        return await _paper(logs.read, request.path_params["key"], plain=True)

    # -- people

    def _login(self, request: Request) -> Login | None:
        return self._logins.read(request.cookies.get(COOKIE))

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request)
        actor = form.get("actor", "").strip()
        if not self._logins.possible:
            return _back("./", "refused:no token is set, so nobody can sign in")
        if len(actor) > _LONGEST_NAME or re.fullmatch(ACTOR, actor) is None:
            return _back("./", "refused:expected a name of 1 to 100 characters, without |")
        cookie = self._logins.open(form.get("token", ""), actor)
        if cookie is None:
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
            log.warning("sign_in_refused", actor=actor)
            return _back("./", "refused:that is not the monitor's token")
        log.info("signed_in", actor=actor)
        answer = _back("./", f"done:You are signed in as {actor}.")
        forwarded = request.headers.get("x-forwarded-proto", request.url.scheme)
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=int(LASTING.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=forwarded == "https",
        )
        return answer

    async def _sign_out(self, request: Request) -> Response:
        self._require(request, await _form(request))
        answer = _back("../", "done:You are signed out.")
        answer.delete_cookie(COOKIE)
        return answer

    async def _order(self, request: Request) -> Response:
        form, what = await _form(request), request.path_params["what"]
        login = self._require(request, form)
        try:
            done = await run_in_threadpool(self._orders.carry_out, what, login.actor, form)
        except OrderError as error:
            log.info("order_refused", order=what, actor=login.actor, reason=str(error))
            return _back("../", f"refused:{error}")
        self._shelf.forget()
        log.info("order_carried_out", order=what, actor=login.actor)
        return _back("../", f"done:{done}")

    def _require(self, request: Request, form: Mapping[str, str]) -> Login:
        """Return who ordered this; 401 if nobody is signed in, 403 if it is no form of ours."""
        login = self._login(request)
        if login is None:
            raise HTTPException(401, "sign in first: the login is over")
        if not self._logins.proves(login, form.get("proof", "")):
            raise HTTPException(403, "this form is not from our page: load it again")
        return login


async def _paper(read, *what, plain: bool = False) -> Response:  # type: ignore[no-untyped-def]  # a reader and its arguments
    """Serve a page or a plain text from the store; 404 if there is none such."""
    try:
        text = await run_in_threadpool(read, *what)
        return reply.plain(text) if plain else reply.paper(text)
    except NotFoundError as error:
        raise HTTPException(404, str(error)) from error


async def _form(request: Request) -> dict[str, str]:
    """Read a form of our page: 403 from another site, 413 or 415 for what is no form."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "orders come from our own page alone")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "expected a form")
    try:
        body = await reply.body_of(request)
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except reply.TooLargeError as error:
        raise HTTPException(413, str(error)) from error
    except ValueError as error:
        raise HTTPException(422, f"no form: {error}") from error


def _back(where: str, notice: str) -> Response:
    """Send the reader back to the page, which shows the notice once."""
    answer = RedirectResponse(where, status_code=303, headers={"cache-control": "no-store"})
    answer.set_cookie(
        _NOTICE, quote(notice[:1_000]), max_age=_NOTICE_SECONDS, httponly=True, samesite="strict"
    )
    return answer
