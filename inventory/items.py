"""Items: what the brand sells, with the measures that shipping and customs ask for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.brand import Brand, Row, number
from core.units import CM3_PER_M3


@dataclass(frozen=True, slots=True)
class Item:
    """One item; value and penalty in settlement currency per unit."""

    item: str
    name: str
    category: str
    weight_kg: float
    length_cm: float
    width_cm: float
    height_cm: float
    volume_m3: float
    value: float
    hs_code: str
    origin: str
    hazard: str
    bulky: bool
    key_material: bool
    unmet_penalty: float


@dataclass(frozen=True)
class Catalog:
    """All items of a brand in the order of its folder, one by one and as arrays."""

    items: tuple[Item, ...]

    @cached_property
    def item(self) -> Mapping[str, Item]:
        """Items by id."""
        return MappingProxyType({item.item: item for item in self.items})

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each item by id."""
        return MappingProxyType({item.item: at for at, item in enumerate(self.items)})

    @cached_property
    def weight_kg(self) -> NDArray[np.float64]:
        """Weight of one unit."""
        return np.array([item.weight_kg for item in self.items])

    @cached_property
    def volume_m3(self) -> NDArray[np.float64]:
        """Volume of one unit."""
        return np.array([item.volume_m3 for item in self.items])

    @cached_property
    def longest_cm(self) -> NDArray[np.float64]:
        """Longest side of one unit; 0 where unknown."""
        return np.array([max(item.length_cm, item.width_cm, item.height_cm) for item in self.items])

    @cached_property
    def value(self) -> NDArray[np.float64]:
        """Value of one unit."""
        return np.array([item.value for item in self.items])

    @cached_property
    def unmet_penalty(self) -> NDArray[np.float64]:
        """Penalty for one unit not served."""
        return np.array([item.unmet_penalty for item in self.items])

    @classmethod
    def of(cls, brand: Brand) -> "Catalog":
        """Returns the catalog of a brand; an empty penalty becomes the brand's share of value."""
        share = brand.weights.unmet_share_of_value
        return cls(tuple(_item(row, share) for row in brand.table("items").to_dict("records")))


def _item(row: Row, unmet_share_of_value: float) -> Item:
    lengths = [number(row[side]) for side in ("length_cm", "width_cm", "height_cm")]
    value = number(row["value"])
    return Item(
        item=str(row["item"]),
        name=str(row["name"]) or str(row["item"]),
        category=str(row["category"]),
        weight_kg=number(row["weight_kg"]),
        length_cm=lengths[0],
        width_cm=lengths[1],
        height_cm=lengths[2],
        volume_m3=number(row["volume_m3"], empty=math.prod(lengths) / CM3_PER_M3),
        value=value,
        hs_code=str(row["hs_code"]),
        origin=str(row["origin"]),
        hazard=str(row["hazard"]),
        bulky=bool(row["bulky"]),
        key_material=bool(row["key_material"]),
        unmet_penalty=number(row["unmet_penalty"], empty=unmet_share_of_value * value),
    )
