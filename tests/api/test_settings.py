"""Settings come from the environment, with values that work when nothing is set."""

from pathlib import Path

import pytest

from api.settings import Settings
from core.errors import BadInput


def test_with_nothing_set_everything_is_under_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.database == f"sqlite:///{tmp_path}/.entrepot/entrepot.sqlite"
    assert (tmp_path / ".entrepot").stat().st_mode & 0o777 == 0o700
    assert settings.redis_url == ""


def test_the_environment_names_another_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", "postgresql://db/entrepot")
    monkeypatch.setenv("ENTREPOT_MAX_BODY_BYTES", "2048")
    monkeypatch.setenv("ENTREPOT_CARRIER_SECRETS", '{"post": "whsec_c2VjcmV0"}')
    settings = Settings()
    assert settings.database == "postgresql://db/entrepot"
    assert settings.max_body_bytes == 2048
    assert settings.carrier_secrets["post"].get_secret_value() == "whsec_c2VjcmV0"
    assert "c2VjcmV0" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENTREPOT_MAX_BODY_BYTES", "many"),
        ("ENTREPOT_HOLD_MINUTES", "0"),
        ("ENTREPOT_ALLOCATION_HANDS", "-1"),
    ],
)
def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput):
        Settings()
