import pytest

from core.errors import BadInput
from core.places import Point, countries, customs_territory


def test_countries_are_two_letters_and_hold_no_blocs() -> None:
    assert {"DE", "TH", "AE", "CN", "GB", "US"} <= countries()
    assert not {"EU", "ZZ", "UK", "XX"} & countries()


def test_members_of_the_customs_union_share_one_territory() -> None:
    assert customs_territory("FR") == customs_territory("DE") == "EU"
    assert customs_territory("GB") == "GB"


@pytest.mark.parametrize(("latitude", "longitude"), [(90.1, 0), (0, -180.5), (float("nan"), 0)])
def test_a_point_is_on_the_globe(latitude: float, longitude: float) -> None:
    with pytest.raises(BadInput, match="Expected a"):
        Point(latitude, longitude)
