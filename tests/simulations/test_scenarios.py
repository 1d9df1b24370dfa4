"""Scenarios: read strictly, applied in order, never at the cost of the brand they change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brand import Brand
from core.errors import BadInput
from core.folder.schema import tables
from simulations.scenarios import BASE, Scenario, apply, parse_scenario, read_scenario, scenario_of
from tests.builders import brand_of, two_sites_one_item

BRAND = two_sites_one_item()


def override(text: str) -> Scenario:
    return parse_scenario(f'name = "test"\n[[override]]\n{text}\n')


def problems(scenario: str, brand: Brand = BRAND) -> list[str]:
    with pytest.raises(BadInput) as refused:
        apply(brand, parse_scenario(scenario))
    return [str(problem) for problem in refused.value.problems]


def same(one: Brand, other: Brand) -> bool:
    settings = [(b.name, b.today, b.targets, b.weights) for b in (one, other)]
    return settings[0] == settings[1] and all(
        one.table(name).equals(other.table(name)) for name in tables()
    )


def test_the_base_changes_nothing() -> None:
    assert same(apply(BRAND, BASE), BRAND)


def test_a_column_is_set_for_the_rows_that_are_named() -> None:
    changed = apply(BRAND, override('site = "DE-HAM"\noutbound_units = 4000\nstatus = "decide"'))
    sites = changed.table("sites")
    assert sites["outbound_units"].fillna(-1).tolist() == [4000.0, -1.0]
    assert sites["status"].tolist() == ["decide", "open"]


def test_demand_scales_forecast_quantiles_and_history_together() -> None:
    history = [
        {"date": "2026-09-01", "region": r, "item": "MUG", "quantity": 4} for r in ("DE", "TH")
    ]
    forecast = [
        {"start": "2026-09-07", "region": "DE", "item": "MUG", "mean": 10, "p50": 9, "p90": 20}
    ]
    brand = BRAND.with_table("demand", brand_of(demand=history).table("demand"))
    brand = brand.with_table("forecast", brand_of(forecast=forecast).table("forecast"))
    changed = apply(brand, override('demand = { region = "D*" }\nfactor = 1.5'))
    assert changed.table("demand")["quantity"].tolist() == [6.0, 4.0]
    (expected,) = changed.table("forecast")[["mean", "p50", "p90"]].to_numpy().tolist()
    assert expected == [15.0, 13.5, 30.0]
    assert changed.table("forecast")["p05"].isna().all()


def test_demand_changes_only_within_its_days() -> None:
    rows = [
        {"start": day, "region": "DE", "item": "MUG", "mean": 10}
        for day in ("2026-09-07", "2026-09-14", "2026-09-21")
    ]
    brand = BRAND.with_table("forecast", brand_of(forecast=rows).table("forecast"))
    scenario = override('demand = "DE"\nfactor = 2\nfrom = 2026-09-10\nto = 2026-09-20')
    assert apply(brand, scenario).table("forecast")["mean"].tolist() == [10.0, 20.0, 10.0]


def test_names_of_several_parts_are_joined_by_slashes() -> None:
    changed = apply(BRAND, override('rate = "EXPRESS/DE-HAM/*"\nfactor = { base_price = 2 }'))
    assert changed.table("rates")["base_price"].tolist() == [12.0, 36.0, 4.0, 17.0, 3.0, 2.0]


def test_rows_are_found_through_the_rows_that_they_name() -> None:
    text = 'rate = { site = { country = "TH" }, region = ["TH", "FR"] }\nprice_per_kg = 9'
    changed = apply(BRAND, override(text))
    assert changed.table("rates")["price_per_kg"].tolist() == [2.0, 8.0, 9.0, 8.0, 1.0, 9.0]


def test_whole_units_stay_whole() -> None:
    changed = apply(BRAND, override('stock = "*"\nfactor = 0.33'))
    assert changed.table("stock")["on_hand"].tolist() == [16, 10]
    assert changed.table("stock")["on_hand"].dtype == "int64"


def test_targets_and_weights_change() -> None:
    changed = apply(BRAND, parse_scenario("""
name = "greener"
[[override]]
weight = "carbon_price_per_tonne"
value = 80
[[override]]
target = "promise_hours"
factor = 0.5
"""))  # fmt: skip
    assert changed.weights.carbon_price_per_tonne == 80.0
    assert changed.targets.promise_hours == 36.0


def test_later_overrides_win() -> None:
    one = {"site": "*", "handling_cost": 3}
    two = {"site": "DE-HAM", "handling_cost": 7}
    costs = [
        apply(BRAND, scenario_of({"name": "x", "overrides": order}))
        .table("sites")["handling_cost"]
        .tolist()
        for order in ([one, two], [two, one])
    ]
    assert costs == [[7.0, 3.0], [3.0, 3.0]]


def sea_brand() -> Brand:
    sites = [
        {"site": "DE-HAM", "tier": "central", "country": "DE", "latitude": 53.55,
         "longitude": 9.99},
        {"site": "CN-SZX", "tier": "bonded", "country": "CN", "latitude": 22.5,
         "longitude": 114.1},
    ]  # fmt: skip
    lane = {"from_site": "CN-SZX", "to_site": "DE-HAM", "service": "SEA", "transit_days": 35,
            "cost_per_kg": 0.1, "passages": "malacca;babelmandeb;suez;gibraltar"}  # fmt: skip
    services = [{"service": "SEA", "mode": "sea_fcl"}]
    regions = [{"region": "DE", "country": "DE", "latitude": 52.5, "longitude": 13.4}]
    return brand_of(sites=sites, services=services, lanes=[lane], regions=regions)


def test_a_closed_passage_makes_ships_sail_around() -> None:
    lane = apply(sea_brand(), override('passage = "suez"\nstatus = "closed"')).table("lanes").loc[0]
    assert lane["transit_days"] > 40
    assert "suez" not in lane["passages"]


def test_a_passage_that_opens_again_was_never_closed() -> None:
    closed = {"passage": "suez", "status": "closed"}
    opened = {"passage": "*", "status": "open"}
    brand = sea_brand()
    assert same(apply(brand, scenario_of({"name": "x", "overrides": [closed, opened]})), brand)
    assert not same(apply(brand, scenario_of({"name": "x", "overrides": [opened, closed]})), brand)


def test_a_closure_outside_the_horizon_is_refused() -> None:
    text = 'name="x"\n[[override]]\npassage="suez"\nstatus="closed"\nto=2011-12-31'
    assert problems(text, sea_brand()) == [
        "scenario.toml:3:0: the closure lies outside the planning horizon, 2026-09-07 to 2026-10-05"
    ]


REFUSED = {
    'name = "x"\n[[override]]\nsite = "DE-HAX"\nstatus = "closed"': [
        "scenario.toml:3:0: site 'DE-HAX' matches nothing; did you mean DE-HAM?"
    ],
    'name = "x"\n[[override]]\nsit = "DE-HAM"\nstatus = "closed"': [
        "scenario.toml:2:0: no selector; did you mean site?"
    ],
    'name = "x"\n\n[[override]]\nsite = "DE-HAM"\nstatus = "shut"\noutbond_units = 3': [
        "scenario.toml:5:0: expected one of open, closed, decide, got 'shut'",
        "scenario.toml:6:0: unknown column 'outbond_units' of site; did you mean outbound_units?",
    ],
    'name = "x"\n[[override]]\nsite = { contry = "DE" }\nstatus = "closed"': [
        "scenario.toml:3:0: unknown column 'contry' of sites; did you mean country?"
    ],
    'name = "x"\n[[override]]\nsite = "*"\nlatitude = 500': [
        "scenario.toml:4:0: expected at most 90, got 500"
    ],
    'name = "x"\n[[override]]\nsite = "*"\nsite_id = "B"\nsite = "C"': None,
    'name = "x"\n[[override]]\nduty = "EU"\nfactor = 100': [
        "scenario.toml:2:0: after the overrides, row 1 of duties: expected at most 10, got 12.0"
    ],
    'name = "x"\n[[override]]\nsite = "DE-HAM"': [
        "scenario.toml:3:0: changes nothing; expected a column to set or a factor"
    ],
    'name = "x"\n[[override]]\nsite = "DE-HAM"\nfactor = -1': [
        "scenario.toml:4:0: expected a factor of at least 0, got -1"
    ],
    'name = "x"\n[[override]]\nsite = "DE-HAM"\nfactor = nan': [
        "scenario.toml:4:0: expected a finite number of at most 2^63"
    ],
    'name = "x"\n[[override]]\nsupplier = "S"\nfactor = 2': [
        "scenario.toml:4:0: a supplier has no factor; set its columns, or use factor = {...}"
    ],
    'name = "x"\n[[override]]\ntarget = "promise"\nvalue = 2': [
        "scenario.toml:3:0: unknown target 'promise'; did you mean promise_hours?"
    ],
    'name = "x"\n[[override]]\ntarget = "service_level"\nvalue = 2': [
        "scenario.toml:4:0: expected at most 1, got 2.0"
    ],
    'name = "x"\n[[override]]\npassage = "suez"\nstatus = "closed"': [
        "scenario.toml:3:0: passage 'suez' matches nothing; no lane or rate of the brand uses one"
    ],
    'name = "x"\n[[override]]\nsite = "*"\nfrom = 2026-01-01\nstatus = "closed"': [
        "scenario.toml:4:0: only demand and passage take 'from'"
    ],
    "nam = 3": [
        "scenario.toml:0:0: unknown key 'nam'; did you mean name?",
        "scenario.toml:0:0: expected a name in quotes",
    ],
    'name = "x"\noverride = 3': [
        "scenario.toml:0:0: expected a list of overrides, got 3",
    ],
    'name = "x"\n[[override]\n': None,
    'name = "x"\n[[override]]\nrate = "*"\ntransit_days_p95 = 0.5': None,
}


@pytest.mark.parametrize("scenario", REFUSED)
def test_a_faulty_scenario_says_where_and_what_would_be_accepted(scenario: str) -> None:
    found = problems(scenario)
    assert found
    if REFUSED[scenario] is not None:
        assert found == REFUSED[scenario]


def test_json_documents_are_refused_with_pointers() -> None:
    document = {"name": "x", "overrides": [{"site": "DE-HAM", "status": "shut"}, 7]}
    with pytest.raises(BadInput) as refused:
        scenario_of(document)
    assert [problem.pointer for problem in refused.value.problems] == [
        "/overrides/0/status", "/overrides/1",
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name = "])
def test_a_broken_file_is_bad_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        read_scenario(path)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_scenario(tmp_path / "none.toml")


FACTORS = st.floats(0, 4, allow_nan=False)
CHANGES = st.one_of(
    st.fixed_dictionaries({"demand": st.sampled_from(["*", "DE", "T*"]), "factor": FACTORS}),
    st.fixed_dictionaries({"rate": st.sampled_from(["*", "EXPRESS"]), "factor": FACTORS}),
    st.fixed_dictionaries({"stock": st.just("*"), "factor": FACTORS}),
    st.fixed_dictionaries({"site": st.just("DE-*"), "handling_cost": FACTORS}),
    st.fixed_dictionaries({"weight": st.just("split_cost"), "value": FACTORS}),
    st.fixed_dictionaries(
        {"item": st.just({"category": "kitchen"}), "hazard": st.sampled_from(["none", "liquid"])}
    ),
)
DOCUMENTS = st.lists(CHANGES, max_size=5).map(lambda each: {"name": "x", "overrides": each})


@settings(deadline=None, max_examples=20)
@given(DOCUMENTS)
def test_the_given_brand_is_never_changed(document: Mapping[str, Any]) -> None:
    fresh = two_sites_one_item()
    apply(fresh, scenario_of(document))
    assert same(fresh, BRAND)


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS)
def test_a_scenario_survives_its_json(document: Mapping[str, Any]) -> None:
    scenario = scenario_of(document)
    assert scenario_of(scenario.document()) == scenario


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["demand", "rate", "stock", "item", "duty", "tax", "site"]))
def test_a_factor_of_one_changes_nothing(word: str) -> None:
    assert same(
        apply(BRAND, scenario_of({"name": "x", "overrides": [{word: "*", "factor": 1}]})), BRAND
    )


@settings(deadline=None, max_examples=20)
@given(DOCUMENTS, DOCUMENTS)
def test_one_scenario_after_another_is_their_overrides_in_order(
    one: Mapping[str, Any], two: Mapping[str, Any]
) -> None:
    both = {"name": "x", "overrides": [*one["overrides"], *two["overrides"]]}
    step_by_step = apply(apply(BRAND, scenario_of(one)), scenario_of(two))
    assert same(step_by_step, apply(BRAND, scenario_of(both)))


UNKEEPABLE = {
    "a list too deep": "a=" + "[" * 20_000,
    "a number too long": "a=" + "1" * 5_000,
    "a factor beyond floats": 'name="x"\n[[override]]\ndemand="DE"\nfactor=1' + "0" * 400,
    "a factor of many hexadecimal digits": 'name="x"\n[[override]]\ndemand="DE"\nfactor=0x'
    + "f" * 9_000,
    "a time of day": 'name="x"\n[[override]]\ndemand="DE"\nfactor=2\nnote=07:32:00',
    "a name that is a huge number": "name=0x" + "f" * 9_000,
    "overrides without end": "name='x'\noverride" + ".a" * 3_000 + "=1",
    "a selector without end": "name='x'\n[[override]]\ndemand" + ".a" * 3_000 + "=1",
    "NUL in the name": r'name="a\u0000b"',
    "NUL in the note": 'name="x"\nnote="a\\u0000b"',
    "NUL inside an override": 'name="x"\n[[override]]\nsite="*"\nstatus="open"\nnote="\\u0000"',
}


@pytest.mark.parametrize("text", UNKEEPABLE.values(), ids=UNKEEPABLE.keys())
def test_a_scenario_that_nothing_can_keep_is_refused(text: str) -> None:
    """Depth, huge numbers, times and NUL ended in errors that nobody caught, or were stored."""
    assert problems(text)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "\ud800"},
        {"note": "\ud800"},
        {"overrides": [{"demand": "DE", "factor": 10**400}]},
        {"overrides": [{"demand": "DE", "factor": 2, "note": "\ud800"}]},
        {"overrides": [{"demand": "DE", "factor": 2, "note": {"a": ["\x00"]}}]},
        {"overrides": [{"demand": "DE", "factor": 2, "note": {"\ud800": 1}}]},
        {"overrides": [{"demand": "DE", "factor": 2, "note": float("nan")}]},
    ],
)
def test_a_json_scenario_that_nothing_can_keep_is_refused(change: Mapping[str, Any]) -> None:
    """Half surrogate pairs, NUL and huge numbers passed the reader and failed in the database."""
    with pytest.raises(BadInput):
        scenario_of({"name": "x", **change})
