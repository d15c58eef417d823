"""What becomes of runs that bring nothing, with the real jobs, against the sandbox on a real socket, without waiting."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import uvicorn
from opentelemetry.sdk.metrics import MeterProvider
from sqlalchemy import func, select
from starlette.responses import JSONResponse, Response

from service.advice.draft_tally import NothingDrafted
from service.advice.outcomes import DRAFTED
from service.clients import Clients
from service.database.tables import InvalidRow, OrderRow, ReviewRow
from service.instruments import ServiceInstruments
from service.jobs import sync
from service.jobs.advice import generate_advice
from service.jobs.context import JobContext
from service.reviews.repository import ReviewRepository
from service.sandbox.__main__ import build
from service.sandbox.faults import Faults
from service.sandbox.journal import Journal
from service.sandbox.options import Options
from service.scheduler.job import Skipped
from service.settings import Settings, sandbox_values
from service.sync.freshness.snapshot import read_readings
from service.sync.source_progress import TooManyInvalidRows
from telemetry.database import transaction
from telemetry.logs.exception_chain import error_text
from tests.support.fakes import NOON, a_review

SMALL = Options(
    wb_reviews=20, wb_orders=30, wb_limits=False, ozon_reviews=20, ozon_postings=20, ozon_per_second=1000.0,
    openai_latency=0.0,
)  # fmt: skip
IN_2083 = int(datetime(2083, 1, 1, tzinfo=UTC).timestamp())
LISTS = {
    "/api/v1/supplier/orders": ((), "srid"),
    "/api/v1/feedbacks": (("data", "feedbacks"), "id"),
    "/v2/review/list": (("reviews",), "id"),
    "/v4/posting/fbs/list": (("postings",), "posting_number"),
    "/v3/posting/fbo/list": (("postings",), "posting_number"),
}
"""For each list: where its rows are in the response, and the name of their key."""
JOBS = [
    (sync.sync_wb_orders, OrderRow),
    (sync.sync_wb_reviews, ReviewRow),
    (sync.sync_ozon_orders, OrderRow),
    (sync.sync_ozon_reviews, ReviewRow),
]
each_sync = pytest.mark.parametrize(("job", "table"), JOBS, ids=lambda value: getattr(value, "__name__", None))


class Door:
    """Stands in front of a sandbox: `changed` gives the response that takes the place of the sandbox's own."""

    def __init__(self, app):
        self._app = app
        self.changed = lambda path, body: None

    async def __call__(self, scope, receive, send):
        messages = []

        async def keep(message):
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages)
        changed = self.changed(scope["path"], body)
        if changed is not None:
            await changed(scope, receive, send)
            return
        for message in messages:
            await send(message)


@contextmanager
def served(app):
    """Serve it on a port of its own, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    listener = server.config.bind_socket()
    listener.listen()
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def door():
    sandbox = build(1, Faults(), SMALL, Journal())
    sandbox.environment.simulation.freeze()
    return Door(sandbox.app())


@pytest.fixture
def context(door, sqlite_engine):
    instruments = ServiceInstruments.create(MeterProvider(shutdown_on_exit=False).get_meter("tests"))
    with served(door) as port:
        settings = Settings(**sandbox_values({"sandbox_port": port}))
        waits = type("NoWaiting", (), {"for_service": lambda _self, _service: lambda _seconds, _reason: None})()
        clients = Clients(settings, sqlite_engine, instruments, waits)
        yield JobContext(settings, sqlite_engine, None, clients, instruments)
        clients.close()


def spoiling(rows, bad, **wrong):
    """Each list but the archive has so many rows, of which the first `bad` are without a key, or as `wrong` says. It gives them once."""
    given = set()

    def changed(path, body):
        suffix = next((each for each in LISTS if path.endswith(each)), None)
        if path.endswith("/feedbacks/archive"):
            return JSONResponse(json.loads(body) | {"data": {"feedbacks": []}})
        if suffix is None:
            return None
        where, key = LISTS[suffix]
        answer = found = json.loads(body)
        for name in where[:-1]:
            found = found[name]
        there = found[where[-1]] if where else found
        first = [] if path in given or not there else [there[0] | {key: f"key-{number}"} for number in range(rows)]
        given.update([path] if there else [])
        first[:bad] = [row | (wrong or {key: None}) for row in first[:bad]]
        if not where:
            answer = first
        else:
            found[where[-1]] = first
            answer |= {"has_next": False} if "has_next" in answer else {}
        return Response(json.dumps(answer), media_type="application/json")

    return changed


def number_of(engine, table):
    with transaction(engine) as session:
        return session.scalar(select(func.count()).select_from(table))


@each_sync
def test_a_run_of_which_no_row_can_be_stored_fails_and_says_why(door, context, sqlite_engine, job, table):
    door.changed = spoiling(50, 50)
    progress = {}

    with pytest.raises((TooManyInvalidRows, ExceptionGroup)) as failure:
        job(context.for_run(progress))

    assert error_text(failure.value).count("50 of 50 rows could not be stored: 50 × ") == len(progress["failed"])
    assert all(reason.startswith("50 of 50 rows") for reason in progress["failed"].values())
    assert progress["invalid"] == 50 * len(progress["failed"])
    assert number_of(sqlite_engine, table) == 0
    with transaction(sqlite_engine) as session:
        noted = {name: reading.last_error for name, reading in read_readings(session).items() if reading.last_error}
    assert noted == progress["failed"]


@pytest.mark.parametrize(("rows", "bad", "fails"), [(50, 3, False), (100, 6, True), (100, 5, False), (20, 4, False)])
def test_what_can_be_stored_is_and_only_a_large_share_of_the_rest_fails_the_run(
    door, context, sqlite_engine, rows, bad, fails
):
    door.changed = spoiling(rows, bad)
    progress = {}

    if fails:
        with pytest.raises(
            TooManyInvalidRows, match=rf"^wb.orders: {bad} of {rows} rows could not be stored: {bad} × srid"
        ):
            sync.sync_wb_orders(context.for_run(progress))
    else:
        sync.sync_wb_orders(context.for_run(progress))

    assert (progress["new"], progress["invalid"]) == (rows - bad, bad)
    assert number_of(sqlite_engine, OrderRow) == rows - bad


@pytest.mark.parametrize(
    ("job", "table", "wrong"),
    [
        (sync.sync_wb_orders, OrderRow, {"priceWithDisc": None, "nmId": None, "date": ""}),
        (sync.sync_wb_reviews, ReviewRow, {"productValuation": None, "createdDate": None}),
        (
            sync.sync_ozon_orders,
            OrderRow,
            {"in_process_at": None, "created_at": "", "shipment_date": None, "products": []},
        ),
        (sync.sync_ozon_reviews, ReviewRow, {"rating": None, "published_at": None}),
    ],
)
def test_rows_of_which_a_part_is_odd_are_stored_and_fail_no_run(door, context, sqlite_engine, job, table, wrong):
    door.changed = spoiling(50, 50, **wrong)
    progress = {}

    job(context.for_run(progress))

    assert number_of(sqlite_engine, table) == progress["new"] == 50
    assert (progress["odd"], progress["invalid"]) == (
        sum(progress[each] for each in ("new", "changed", "unchanged")),
        0,
    )
    with transaction(sqlite_engine) as session:
        odd = set(session.scalars(select(InvalidRow.external_id)))
    assert odd == {f"key-{number}" for number in range(50)}


def told_to_wait(headers):
    return lambda _path, _body: Response("{}", 429, headers, media_type="application/json")


@pytest.mark.parametrize(
    "headers", [{"X-Ratelimit-Retry": str(IN_2083), "Retry-After": str(IN_2083)}, {"X-Ratelimit-Retry": "7200", "Retry-After": "7200"}]
)  # fmt: skip
@each_sync
def test_a_run_that_could_only_wait_is_skipped_and_so_are_those_after_it(door, context, job, table, headers):
    door.changed = told_to_wait(headers)

    first, second = (job(context.for_run({})) for _ in range(2))

    assert isinstance(first, Skipped)
    assert isinstance(second, Skipped)
    assert datetime.fromisoformat(second["paused_until"]) > datetime.now(UTC)
    assert first["pages"] == 0


def test_a_run_that_has_read_something_and_then_waits_is_no_skipped_one(door, context):
    pause = told_to_wait({"X-Ratelimit-Retry": "7200"})
    asked = []
    door.changed = lambda path, body: asked.append(path) or (pause(path, body) if len(asked) > 1 else None)

    done = sync.sync_wb_reviews(context.for_run({}))

    assert not isinstance(done, Skipped)
    assert done["new"] > 0
    assert "paused_until" in done


def test_one_source_that_fails_makes_a_failure_of_a_run_of_which_the_other_could_only_wait(door, context):
    pause = told_to_wait({"Retry-After": "7200"})
    door.changed = lambda path, body: Response("no", 400) if path.endswith("fbs/list") else pause(path, body)

    with pytest.raises(Exception, match=r"ozon\.orders\.fbs"):
        sync.sync_ozon_orders(context.for_run({}))


def openai_says(**fields):
    """OpenAI's response, with these fields instead of its own."""

    def changed(path, body):
        if not path.endswith("/responses"):
            return None
        return Response(json.dumps(json.loads(body) | fields), media_type="application/json")

    return changed


CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
REFUSED = {"status": "failed", "error": {"code": "invalid_prompt", "message": "It was flagged."}, "output": []}


@pytest.mark.parametrize(
    ("said", "number", "message"),
    [
        (CUT, 20, "nothing came of 20 drafts: 20 × incomplete"),
        (CUT, 1, "nothing came of 1 drafts: 1 × incomplete"),
        (REFUSED, 20, "nothing came of 20 drafts: 20 × refused .*flagged"),
        ({"output": []}, 2, "nothing came of 2 drafts: 2 × empty"),
    ],
)
def test_drafting_of_which_nothing_came_fails_and_says_why(door, context, sqlite_engine, said, number, message):
    door.changed = openai_says(**said)
    with transaction(sqlite_engine) as session:
        ReviewRepository(session).save([a_review(each) for each in range(number)], NOON)

    with pytest.raises(NothingDrafted, match=message):
        generate_advice(context.for_run({}))

    waiting = generate_advice(context.for_run({}))
    assert isinstance(waiting, Skipped)  # each waits for its back-off
    assert waiting["waiting"] == number


def test_a_few_reviews_that_are_refused_are_no_failure_of_drafting(door, context, sqlite_engine):
    door.changed = openai_says(**REFUSED)
    with transaction(sqlite_engine) as session:
        ReviewRepository(session).save([a_review(1), a_review(2)], NOON)

    assert generate_advice(context.for_run({}))["refused"] == 2


def test_drafting_without_a_review_is_a_success(context):
    done = generate_advice(context.for_run({}))

    assert not isinstance(done, Skipped)
    assert done == {DRAFTED: 0, "waiting": 0}


def test_drafting_that_openai_tells_to_wait_is_skipped(door, context, sqlite_engine):
    door.changed = told_to_wait({"Retry-After": "7200"})
    with transaction(sqlite_engine) as session:
        ReviewRepository(session).save([a_review(1)], NOON)

    done = generate_advice(context.for_run({}))

    assert isinstance(done, Skipped)
    assert "paused_until" in done
