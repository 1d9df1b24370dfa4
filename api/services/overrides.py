"""Overrides of forecasts: planners decide, withdraw, and every forecast takes what stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlmodel import Session

from api.services.brands import current_brand
from core.brand import Brand
from core.clock import Clock
from core.errors import BadInput, Problem
from core.folder.columns import blank
from core.ids import Entropy, mint
from inventory.demand import store
from inventory.demand.overrides import Override, categories_of, misfits
from inventory.demand.records import ForecastOverrideRecord


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody wants to decide: names or `*` globs, days, and either a factor or units."""

    region: str
    category: str
    item: str
    start: date
    end: date
    factor: float | None
    units: float | None
    why: str


def add_override(
    session: Session, asked: Decision, who: str, clock: Clock, entropy: Entropy
) -> ForecastOverrideRecord:
    """Returns an override that every later forecast applies.

    Raises `BadInput`, with a JSON pointer to each problem, for one without sense or one that
    matches nothing of the current brand, and `NotFound` before a brand is loaded.
    """
    _check_sense(asked)
    override = mint("ovr", clock.now(), entropy)
    _check_fit(_override(override, asked, who, clock), current_brand(session))
    record = ForecastOverrideRecord(
        id=override,
        region=asked.region,
        category=asked.category,
        item=asked.item,
        first_day=asked.start,
        last_day=asked.end,
        factor=asked.factor,
        units=asked.units,
        who=who,
        made_at=clock.now(),
        why=asked.why.strip(),
    )
    store.add_override(session, record)
    return record


def withdraw_override(
    session: Session, override: str, who: str, clock: Clock
) -> ForecastOverrideRecord:
    """Returns an override that no later forecast applies; withdrawing twice changes nothing more.

    Raises `NotFound`.
    """
    record = store.override_of(session, override, lock=True)
    if record.withdrawn_at is None:
        record.withdrawn_at, record.withdrawn_by = clock.now(), who
        session.add(record)
        session.flush()
    return record


def with_overrides(session: Session, brand: Brand) -> Brand:
    """Returns a brand whose `overrides` are those of its folder and those that stand here."""
    standing = store.overrides(session, standing=True)
    if not standing:
        return brand
    rows = pd.DataFrame([_row(record) for record in standing])
    merged = pd.concat([brand.table("overrides"), rows.astype(blank("overrides").dtypes.to_dict())])
    return brand.with_table("overrides", merged.reset_index(drop=True))


def past_overrides(session: Session) -> tuple[Override, ...]:
    """Returns withdrawn overrides that stood until their days were over.

    No forecast applies them any more; a backtest still judges them.
    """
    return tuple(
        Override(
            record.id, record.region, record.category, record.item, record.first_day,
            record.last_day, record.factor, record.units, record.who, record.made_at.date(),
            record.why,
        )
        for record in store.overrides(session)
        if record.withdrawn_at is not None and record.withdrawn_at.date() > record.last_day
    )  # fmt: skip


def _check_sense(asked: Decision) -> None:
    problems = []
    if (asked.factor is None) == (asked.units is None):
        problems.append(_problem("/factor", "Expected either a factor or units."))
    if asked.end < asked.start:
        problems.append(_problem("/end", "Expected an end on or after the start."))
    if not asked.why.strip():
        problems.append(_problem("/why", "Expected the reason."))
    if problems:
        raise BadInput(problems)


def _check_fit(override: Override, brand: Brand) -> None:
    regions = [str(region) for region in brand.table("regions")["region"]]
    told = misfits(override, regions, categories_of(brand))
    if told:
        raise BadInput([_problem(f"/{field}", text) for field, text in told.items()])


def _problem(pointer: str, text: str) -> Problem:
    return Problem("", 0, 0, text, pointer)


def _override(override: str, asked: Decision, who: str, clock: Clock) -> Override:
    return Override(
        override, asked.region, asked.category, asked.item, asked.start, asked.end, asked.factor,
        asked.units, who, clock.now().date(), asked.why,
    )  # fmt: skip


def _row(record: ForecastOverrideRecord) -> Mapping[str, object]:
    """Returns an override as a row of `overrides.csv`."""
    return {
        "override": record.id,
        "region": record.region,
        "category": record.category,
        "item": record.item,
        "start": pd.Timestamp(record.first_day),
        "end": pd.Timestamp(record.last_day),
        "factor": record.factor,
        "units": record.units,
        "who": record.who,
        "made": pd.Timestamp(record.made_at.date()),
        "why": record.why,
    }
