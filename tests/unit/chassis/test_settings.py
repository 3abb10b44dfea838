"""Settings: read from the environment and files, all faults in one message."""

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    WrongSettingsError,
    env_name,
    key_bytes,
    listen_field,
    load,
    read,
)

GOOD_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
DEVELOPMENT_KEY = "ZGV2ZWxvcG1lbnQtAAECAwQFBgcICQoLDA0ODxAREhM="


class PlainSettings(DatabaseSettings, RequestKeySettings, KafkaSettings):
    model_config = SettingsConfigDict(env_prefix="HUITOUKE_PLAIN_")

    hold_timeout_seconds: int = Field(900, ge=1, description="Seconds a hold lasts")


class SecureSettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="HUITOUKE_SECURE_")

    listen: str = listen_field(9442)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("HUITOUKE_PLAIN_DATABASE_URL", "postgresql://someone:hidden@db/plain")
    monkeypatch.setenv("HUITOUKE_PLAIN_REQUEST_KEY", GOOD_KEY)
    monkeypatch.setenv("HUITOUKE_KAFKA_BOOTSTRAP", "127.0.0.1:19092")
    return monkeypatch


def test_settings_come_from_the_environment_and_shared_ones_have_no_service_in_their_name(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HUITOUKE_PLAIN_HOLD_TIMEOUT_SECONDS", "60")
    settings = read(PlainSettings)
    assert settings.kafka_bootstrap == "127.0.0.1:19092"
    assert settings.hold_timeout_seconds == 60
    assert settings.mode == "production"
    assert len(settings.request_key_bytes()) == 32


def test_a_secret_can_be_given_by_a_file_and_is_trimmed(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "url"
    path.write_text("postgresql://other@db/plain\n")
    environment.delenv("HUITOUKE_PLAIN_DATABASE_URL")
    environment.setenv("HUITOUKE_PLAIN_DATABASE_URL_FILE", str(path))
    assert read(PlainSettings).database_url.get_secret_value() == "postgresql://other@db/plain"


def test_all_faults_are_named_at_once_with_what_each_setting_means(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.delenv("HUITOUKE_PLAIN_DATABASE_URL")
    environment.delenv("HUITOUKE_KAFKA_BOOTSTRAP")
    environment.setenv("HUITOUKE_PLAIN_REQUEST_KEY", "short")
    environment.setenv("HUITOUKE_PLAIN_HOLD_TIMEOUT_SECONDS", "soon")
    environment.setenv("HUITOUKE_PLAIN_METRICS_LISTEN_FILE", "/nowhere/at/all")
    with pytest.raises(WrongSettingsError) as caught:
        read(PlainSettings)
    message = str(caught.value)
    assert "5 setting(s)" in message
    assert "HUITOUKE_PLAIN_DATABASE_URL: missing" in message
    assert "HUITOUKE_KAFKA_BOOTSTRAP: missing" in message
    assert "HUITOUKE_PLAIN_REQUEST_KEY: isn't base64" in message
    assert "HUITOUKE_PLAIN_HOLD_TIMEOUT_SECONDS" in message
    assert "/nowhere/at/all can't be read: No such file or directory" in message
    assert "Seconds a hold lasts" in message


def test_wrong_settings_end_the_process_with_code_2_and_the_message_on_stderr(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("HUITOUKE_PLAIN_DATABASE_URL")
    with pytest.raises(SystemExit) as ended:
        load(PlainSettings)
    assert ended.value.code == 2
    assert "HUITOUKE_PLAIN_DATABASE_URL: missing" in capsys.readouterr().err


def test_no_secret_shows_in_an_error_or_a_repr(environment: pytest.MonkeyPatch) -> None:
    assert "hidden" not in repr(read(PlainSettings))
    environment.setenv("HUITOUKE_PLAIN_REQUEST_KEY", "c2VjcmV0LXRoaW5n")
    with pytest.raises(WrongSettingsError) as caught:
        read(PlainSettings)
    assert "c2VjcmV0LXRoaW5n" not in str(caught.value)


def test_a_setting_given_both_by_value_and_by_file_is_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("postgresql://other@db/plain")
    environment.setenv("HUITOUKE_PLAIN_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(WrongSettingsError, match="HUITOUKE_PLAIN_DATABASE_URL: set twice"):
        read(PlainSettings)


def test_production_refuses_development_keys_and_failpoints_and_development_takes_them(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HUITOUKE_PLAIN_REQUEST_KEY", DEVELOPMENT_KEY)
    environment.setenv("HUITOUKE_FAILPOINTS", "points.before_commit=kill")
    with pytest.raises(WrongSettingsError) as caught:
        read(PlainSettings)
    assert "a development key is refused in production" in str(caught.value)
    assert "failpoints are refused in production" in str(caught.value)
    environment.setenv("HUITOUKE_MODE", "development")
    assert key_bytes(read(PlainSettings).request_key).startswith(b"development-")


def test_production_refuses_a_development_certificate_and_a_server_without_one(
    monkeypatch: pytest.MonkeyPatch, certificates: Path
) -> None:
    with pytest.raises(WrongSettingsError, match="HUITOUKE_SECURE_TLS_CERTIFICATE: missing"):
        read(SecureSettings)
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_CERTIFICATE_FILE", str(certificates / "points.pem"))
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_KEY_FILE", str(certificates / "points.key"))
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_CA_FILE", str(certificates / "ca.pem"))
    with pytest.raises(WrongSettingsError, match="development certificate is refused"):
        read(SecureSettings)
    monkeypatch.setenv("HUITOUKE_MODE", "development")
    settings = read(SecureSettings)
    assert settings.server_tls().client_ca is not None
    assert settings.server_tls(require_client_certificate=False).client_ca is None
    assert "PRIVATE KEY" not in repr(settings.server_tls())


def test_a_key_of_another_certificate_and_broken_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, certificates: Path
) -> None:
    monkeypatch.setenv("HUITOUKE_MODE", "development")
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_CERTIFICATE_FILE", str(certificates / "points.pem"))
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_KEY_FILE", str(certificates / "coupon.key"))
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_CA", "nonsense")
    with pytest.raises(WrongSettingsError) as caught:
        read(SecureSettings)
    assert "HUITOUKE_SECURE_TLS_KEY: isn't the key of the certificate" in str(caught.value)
    assert "HUITOUKE_SECURE_TLS_CA: isn't a PEM certificate" in str(caught.value)
    monkeypatch.setenv("HUITOUKE_SECURE_TLS_KEY_FILE", str(certificates / "ca.pem"))
    with pytest.raises(WrongSettingsError, match="TLS_KEY: isn't a PEM private key"):
        read(SecureSettings)


@pytest.mark.parametrize("wrong", ["9442", "host:", "host:port", ":9442", "host:70000"])
def test_an_address_that_is_not_host_and_port_is_refused(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("HUITOUKE_SECURE_LISTEN", wrong)
    with pytest.raises(WrongSettingsError, match=r"HUITOUKE_SECURE_LISTEN: .* isn't host:port"):
        read(SecureSettings)


def test_every_setting_of_the_chassis_says_what_it_is() -> None:
    for settings_class in (PlainSettings, SecureSettings):
        for key, field in settings_class.model_fields.items():
            assert field.description, env_name(settings_class, key)
