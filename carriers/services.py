"""Carrier services: how parcels move and what each service refuses."""

from dataclasses import dataclass

from core.brand import Brand, Row, number


@dataclass(frozen=True, slots=True)
class Service:
    """One carrier service; limits are infinite where the folder gives none."""

    service: str
    carrier: str
    mode: str
    volumetric_divisor: float
    fuel_surcharge: float
    max_weight_kg: float
    max_length_cm: float
    hazards: frozenset[str]
    kg_per_week: float
    pickup_days: float

    def accepts(self, hazard: str) -> bool:
        """Whether goods of a hazard class may travel; goods without hazard always may."""
        return hazard == "none" or hazard in self.hazards


def services_of(brand: Brand) -> tuple[Service, ...]:
    """Returns the services of a brand in the order of its folder."""
    return tuple(_service(row) for row in brand.table("services").to_dict("records"))


def _service(row: Row) -> Service:
    return Service(
        service=str(row["service"]),
        carrier=str(row["carrier"]) or str(row["service"]),
        mode=str(row["mode"]),
        volumetric_divisor=number(row["volumetric_divisor"]),
        fuel_surcharge=number(row["fuel_surcharge"]),
        max_weight_kg=number(row["max_weight_kg"], empty=float("inf")),
        max_length_cm=number(row["max_length_cm"], empty=float("inf")),
        hazards=frozenset(hazard for hazard in str(row["hazards"]).split(";") if hazard),
        kg_per_week=number(row["kg_per_week"], empty=float("inf")),
        pickup_days=number(row["pickup_days"]),
    )
