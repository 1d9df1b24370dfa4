"""Customs: duty and tax tables by date, each row with its source; all rates are estimates."""

from datetime import date

import pandas as pd
from duty27_eu_vat import get_standard_rate

from core.places import EU_MEMBERS
from examples.online_retail.reading import table

RELIEF_ENDS = date(2026, 7, 1)
"""Day on which the duty relief of the European Union up to EUR 150 ended."""

SECTION_301 = 0.075
"""Extra duty of the United States on goods of Chinese origin on list 4A of Section 301."""

SURCHARGE = 0.10
"""Surcharge of the United States on all origins under Section 122, 2026-02-24 to 2026-07-23."""

_TARIFFS = {
    "EU": ("cif", "2021-01-01", "Common Customs Tariff of the European Union"),
    "GB": ("cif", "2021-01-01", "UK Global Tariff"),
}
_US_TARIFF = "Harmonized Tariff Schedule of the United States, column 1"
_US_PERIODS = (
    ("2020-02-14", "2026-02-23", 0.0, ""),
    ("2026-02-24", "2026-07-23", SURCHARGE, " plus 10 % surcharge under Section 122"),
    ("2026-07-24", "", 0.0, ""),
)


def duties() -> pd.DataFrame:
    """Returns the duties table: by heading for EU, GB and US, one usual rate elsewhere."""
    headings = table("tariff_headings")
    rows = [row for bloc in _TARIFFS for row in _by_heading(headings, bloc)]
    rows += _united_states(headings)
    return pd.concat([pd.DataFrame(rows), table("tariffs_flat")], ignore_index=True).fillna("")


def _by_heading(headings: pd.DataFrame, bloc: str) -> list[dict[str, object]]:
    basis, valid_from, source = _TARIFFS[bloc]
    return [
        {
            "destination": bloc,
            "hs_prefix": heading["hs_prefix"],
            "duty_rate": heading[bloc],
            "basis": basis,
            "valid_from": valid_from,
            "source": f"{source}, {heading['heading']}, usual rate, estimate",
        }
        for heading in headings.to_dict("records")
    ]


def _united_states(headings: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {
            "destination": "US",
            "origin": origin,
            "hs_prefix": heading["hs_prefix"],
            "duty_rate": round(float(heading["US"]) + extra + surcharge, 4),
            "basis": "fob",
            "valid_from": begin,
            "valid_to": end,
            "source": f"{_US_TARIFF}{note}{named}, {heading['heading']}, usual rate, estimate",
        }
        for heading in headings.to_dict("records")
        for begin, end, surcharge, note in _US_PERIODS
        for origin, extra, named in (("", 0.0, ""), ("CN", SECTION_301, " plus Section 301"))
    ]


def taxes(countries: set[str]) -> pd.DataFrame:
    """Returns the taxes table of the countries given.

    Rates of EU members come from the dated table of the `duty27-eu-vat` package; the value up to
    which no duty is due falls from EUR 150 to nothing on `RELIEF_ENDS`.
    """
    other = table("taxes_other")
    members = sorted(countries & EU_MEMBERS)
    rows = [row for country in members for row in _member(country)]
    listed = other[other["country"].isin(countries)]
    return pd.concat([pd.DataFrame(rows), listed], ignore_index=True).assign(recoverable=True)


def _member(country: str) -> list[dict[str, object]]:
    before = date(2021, 7, 1)
    return [
        {
            "country": country,
            "rate": float(get_standard_rate(country, begin)) / 100,
            "scheme": "vat",
            "de_minimis_duty": relief,
            "currency": "EUR",
            "valid_from": begin.isoformat(),
            "valid_to": end,
            "source": f"Duty27 VAT history (CC BY 4.0); {rule}",
        }
        for begin, end, relief, rule in (
            (before, "2026-06-30", 150, "duty relief of Regulation (EC) 1186/2009"),
            (RELIEF_ENDS, "", 0, "relief ended by Regulation (EU) 2026/382"),
        )
    ]
