"""`/v1/signals` and `/v1/alerts`: hazards in, alerts with drafted orders out."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Discriminator, Field, Tag
from sqlmodel import Session

from api.bodies import AskedMoment, Body, Text
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.idempotency import OnceDep
from api.pages import Page, PagingDep
from api.problems import Refused
from api.routes.suppliers import PurchaseOrderRead
from api.services import risk
from api.services.keys import Caller
from core.clock import Clock
from core.errors import BadInput
from routing.disruptions import store
from routing.disruptions.alerts import Alert
from routing.disruptions.feeds.reading import read_feed
from routing.disruptions.geometry import Geometry
from routing.disruptions.signal import MAX_TEXT, Reading, Signal

router = APIRouter(prefix="/v1", tags=["risk"])

Planner = Annotated[Caller, Depends(allow("planner"))]
Reader = Depends(allow("planner", "auditor"))
Name = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00]+$")]

CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]

AlertView = dict[str, Any]
"""An alert as `entrepot signals impact` shows it, with its id, state, drafts and their orders."""


class FeedDocument(Body):
    """A document of a feed, as text."""

    feed: Literal["cap", "gdacs", "nws", "usgs"]
    document: Annotated[str, Field(min_length=1, max_length=5_000_000)]


class SignalCreate(Body):
    """One signal in the form of the house.

    `geometry` is GeoJSON; a circle is a Point with the further member `radius_km`.
    """

    source: Name
    source_id: Name
    version: Name = "1"
    kind: Name
    title: Name
    onset: AskedMoment | None = None
    expires: AskedMoment | None = None
    status: Name = "active"
    geometry: dict[str, Any] | None = None
    precision: Name
    countries: Annotated[list[CountryCode], Field(max_length=300, default_factory=list)]
    severity: Name = "unknown"
    certainty: Name = "unknown"

    def signal(self) -> Signal:
        """Returns the signal; raises `BadInput` for words or shapes that it cannot hold."""
        shape = None if self.geometry is None else Geometry.from_json(self.geometry)
        said = self.model_dump(exclude={"geometry", "countries"})
        return Signal(**said, geometry=shape, countries=tuple(sorted(set(self.countries))))


def _which(body: Any) -> str:
    return "feed" if isinstance(body, Mapping) and "feed" in body else "signal"


SignalBody = Annotated[
    Annotated[FeedDocument, Tag("feed")] | Annotated[SignalCreate, Tag("signal")],
    Discriminator(_which),
]


class Assignment(Body):
    """Who takes care of an alert."""

    assignee: Name


class Snooze(Body):
    """Until when an alert may rest."""

    until: AskedMoment


class Resolution(Body):
    """Why an alert is closed."""

    reason: Text = ""


@router.post("/signals", status_code=201)
def create_signals(
    body: SignalBody,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    once: OnceDep,
) -> Response:
    """Takes a feed document or one signal; raises, updates or withdraws the alerts it concerns.

    Signals that are known already change nothing. What cannot be used is listed in `refused`.
    """
    reading = _reading(body)
    taken = risk.take_signals(session, reading.signals, clock, entropy)
    document = {
        "accepted": taken.accepted,
        "repeated": taken.repeated,
        "refused": [refused.as_json() for refused in reading.refused],
        "alerts": _shown(session, [store.alert_of(session, alert) for alert in taken.alerts]),
    }
    return once.answer(201, document)


@router.get("/alerts", dependencies=[Reader])
def list_alerts(
    session: SessionDep,
    clock: ClockDep,
    paging: PagingDep,
    state: Literal["new", "acknowledged", "snoozed", "resolved", "withdrawn"] | None = None,
    severity: Literal["watch", "low", "medium", "high", "critical"] | None = None,
) -> Page[AlertView]:
    """Returns alerts, newest first."""
    after = paging.after(str)
    rows = store.alerts(
        session, clock.now(), paging.asked, str(after[0]) if after else None, state, severity
    )
    drafts = store.drafts_of(session, [row.id for row in rows])
    return paging.page(
        rows, key=lambda row: (row.id,), show=lambda row: risk.alert_json(row, drafts[row.id])
    )


@router.get("/alerts/{alert}", dependencies=[Reader])
def get_alert(alert: Name, session: SessionDep, clock: ClockDep) -> AlertView:
    """Returns one alert with its drafts, the orders they became, and its history."""
    found = store.alert_of(session, alert).seen_at(clock.now())
    return _one(session, found) | {"history": risk.history_json(session, alert)}


@router.post("/alerts/{alert}/acknowledge")
def acknowledge_alert(alert: Name, who: Planner, session: SessionDep, clock: ClockDep) -> AlertView:
    """Says that somebody has seen the alert; saying it twice changes nothing more."""
    after = risk.step(session, alert, "acknowledge", _actor(who), clock, snoozed_until=None)
    return _one(session, after)


@router.post("/alerts/{alert}/assign")
def assign_alert(
    alert: Name,
    body: Assignment,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
) -> AlertView:
    """Says who takes care of the alert."""
    after = risk.step(
        session, alert, "assign", _actor(who), clock, body.assignee, assignee=body.assignee
    )
    return _one(session, after)


@router.post("/alerts/{alert}/snooze")
def snooze_alert(
    alert: Name,
    body: Snooze,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
) -> AlertView:
    """Lets the alert rest until a moment to come, or until it gets worse."""
    _check_future(body, clock)
    after = risk.step(session, alert, "snooze", _actor(who), clock, snoozed_until=body.until)
    return _one(session, after)


@router.post("/alerts/{alert}/resolve")
def resolve_alert(
    alert: Name,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
    body: Resolution | None = None,
) -> AlertView:
    """Closes the alert; it opens again only if a later word makes it worse."""
    reason = body.reason if body else ""
    after = risk.step(
        session, alert, "resolve", _actor(who), clock, reason,
        note=reason, snoozed_until=None,
    )  # fmt: skip
    return _one(session, after)


@router.post("/alerts/{alert}/apply", status_code=201)
def apply_alert(
    alert: Name,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    once: OnceDep,
) -> Response:
    """Turns the drafts of the alert into purchase orders; a repeat answers with the same ones."""
    orders = risk.apply(session, alert, _actor(who), clock, entropy)
    shown = [PurchaseOrderRead.of(order) for order in orders]
    return once.answer(201, {"alert": alert, "purchase_orders": shown})


def _reading(body: FeedDocument | SignalCreate) -> Reading:
    """What a body says; a document that cannot be read at all is malformed."""
    if isinstance(body, SignalCreate):
        return Reading((body.signal(),), ())
    try:
        return read_feed(body.feed, body.document.encode())
    except BadInput as error:
        pointed = [{"pointer": "/document", "detail": found.problem} for found in error.problems]
        detail = f"The document cannot be read: {error}"
        raise Refused(400, detail, errors=pointed) from error


def _check_future(body: Snooze, clock: Clock) -> None:
    if body.until <= clock.now():
        detail = "Expected a moment to come."
        raise Refused(422, detail, "bad-input", [{"pointer": "/until", "detail": detail}])


def _actor(who: Caller) -> str:
    return f"key:{who.key}"


def _one(session: Session, alert: Alert) -> AlertView:
    return _shown(session, [alert])[0]


def _shown(session: Session, alerts: list[Alert]) -> list[AlertView]:
    drafts = store.drafts_of(session, [alert.id for alert in alerts])
    return [risk.alert_json(alert, drafts[alert.id]) for alert in alerts]
