"""Settings from the environment: declared once, checked all together, secrets from files.

A service declares its settings by mixing the groups below and adding its own fields:

    class PointsSettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
        model_config = SettingsConfigDict(env_prefix="HUITOUKE_POINTS_")
        listen: str = listen_field(9442)
        hold_timeout_seconds: int = Field(900, ge=1, description="Seconds until ... because ...")

`database_url` is then HUITOUKE_POINTS_DATABASE_URL, or the content of the file that
HUITOUKE_POINTS_DATABASE_URL_FILE names. Shared settings (mode, Kafka, logs) have no service in
their name. Only `main` reads settings; everything else gets values.
"""

import os
import sys
from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from chassis.rpc.tls import ClientTls, ServerTls
from chassis.settings_rules import (
    address,
    authorities,
    certificate_for_mode,
    failpoints_for_mode,
    key_for_mode,
    key_of_certificate,
)
from chassis.startup import StartupError

Mode = Literal["production", "development"]
EXIT_CODE: Final = 2
REQUESTS_KEPT_DAYS_MIN: Final = 30
"""What every caller may rely on (DOMAIN §3, idempotency)."""
_FILE_SUFFIX: Final = "_FILE"
_FILE_BYTES_MAX: Final = 1_048_576


class WrongSettingsError(StartupError):
    """One or more settings are missing or wrong; the text names each with its way out."""


class _EnvironmentWithFiles(EnvSettingsSource):
    """The environment, in which `<NAME>_FILE` stands for the content of the file it names."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        values = dict(super()._load_env_vars())
        for variable, path in _files_named(self.settings_cls).items():
            base = variable.removesuffix(_FILE_SUFFIX)
            key = base if self.case_sensitive else base.lower()
            if key not in values and _fault_of(base, path) is None:
                values[key] = path.read_text(encoding="utf-8").strip()
        return values


class ServiceSettings(BaseSettings):
    """What every process has. Frozen; secrets never show in a repr or an error."""

    model_config = SettingsConfigDict(
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    mode: Mode = Field(
        "production",
        validation_alias="HUITOUKE_MODE",
        description="production (default, refuses development keys, certificates and failpoints) "
        "or development",
    )
    failpoints: Annotated[str, AfterValidator(failpoints_for_mode)] = Field(
        "",
        validation_alias="HUITOUKE_FAILPOINTS",
        description="Places where tests make the process die or wait; empty outside of tests",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        validation_alias="HUITOUKE_LOG_LEVEL",
        description="The least level logged; info writes one line a call, warning only troubles",
    )
    otlp_endpoint: str = Field(
        "",
        validation_alias="HUITOUKE_OTLP_ENDPOINT",
        description="OTLP/gRPC address that gets traces, e.g. http://127.0.0.1:4317; empty: none",
    )
    metrics_listen: str = Field(
        "",
        description="host:port of /metrics and /healthz; empty: 127.0.0.1 and the gRPC port + 100 "
        "(serve), + 200 (relay), + 300 (consume), + 400 (work); off: none",
    )
    niceness: int = Field(
        0,
        ge=0,
        le=19,
        description="How far this process stands back where the processor is short; 10 suits roles "
        "that nobody waits for (relay, consume, notify's work): late in a rush, on time otherwise",
    )
    drain_grace_seconds: float = Field(
        10.0,
        ge=0,
        le=300,
        description="Seconds that calls in flight get to finish after SIGTERM before they are cut",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments (tests), then the environment with files; nothing else is read."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _EnvironmentWithFiles(settings_cls)


class TlsSettings(ServiceSettings):
    """The process's certificate between services: it serves with it and calls with it."""

    tls_certificate: Annotated[str, AfterValidator(certificate_for_mode)] = Field(
        description="Certificate chain, PEM, whose DNS name is <service>.huitouke.internal; "
        "usually given as ..._TLS_CERTIFICATE_FILE",
    )
    tls_key: Annotated[SecretStr, AfterValidator(key_of_certificate)] = Field(
        description="The certificate's private key, PEM; usually given as ..._TLS_KEY_FILE",
    )
    tls_ca: Annotated[str, AfterValidator(authorities)] = Field(
        description="Certificates of the authority that signs the other services', PEM; usually "
        "given as ..._TLS_CA_FILE",
    )

    def server_tls(self, *, require_client_certificate: bool = True) -> ServerTls:
        """Credentials to serve with; without required client certificates only for partners."""
        return ServerTls(
            certificate=self.tls_certificate.encode(),
            key=self.tls_key.get_secret_value().encode(),
            client_ca=self.tls_ca.encode() if require_client_certificate else None,
        )

    def client_tls(self) -> ClientTls:
        """Credentials to call other services with."""
        return ClientTls(
            ca=self.tls_ca.encode(),
            certificate=self.tls_certificate.encode(),
            key=self.tls_key.get_secret_value().encode(),
        )


def listen_field(default_port: int) -> Any:
    """The `listen` field of a service whose default port is `default_port`."""
    return Field(
        f"127.0.0.1:{default_port}",
        description="host:port of the gRPC server; port 0 takes a free one; 0.0.0.0 in a container",
    )


def target_field(server: str, default_port: int) -> Any:
    """The field of a service that calls `server`, whose default port is `default_port`."""
    return Field(
        f"127.0.0.1:{default_port}",
        description=f"host:port of the {server} service, or any gRPC target such as dns:///{server}",
    )


class ServerSettings(TlsSettings):
    """What a gRPC server needs. A service overrides `listen` by `listen_field(port)`."""

    listen: str = listen_field(0)
    concurrent_calls_max: int = Field(
        1024,
        ge=1,
        description="Calls in flight above which new ones get RESOURCE_EXHAUSTED with a retry "
        "delay; a queue longer than what a second serves only makes everybody late",
    )
    message_bytes_max: int = Field(
        4_194_304,
        ge=1024,
        description="Largest request or response in bytes; a batch of 256 items takes well less",
    )
    drain_pause_seconds: float = Field(
        0.5,
        ge=0,
        le=60,
        description="Seconds between saying NOT_SERVING and refusing new calls, for load balancers",
    )
    health_interval_seconds: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Seconds between two checks of each dependency",
    )

    # By name, so that it also holds for the `listen` that a service declares anew.
    _listen_is_an_address = field_validator("listen")(address)


class DatabaseSettings(ServiceSettings):
    """The service's own PostgreSQL database."""

    database_url: SecretStr = Field(
        description="postgresql://user:password@host:port/database of this service alone",
    )
    database_pool_size: int = Field(
        5,
        ge=1,
        le=100,
        description="Connections kept: the writer's one and the readers'",
    )


class RequestKeySettings(ServiceSettings):
    """How requests are remembered: under which key, and for how long."""

    request_key: Annotated[SecretStr, AfterValidator(key_for_mode)] = Field(
        description="Base64 of 32 random bytes, the same for all replicas; changing it makes every "
        "remembered request look different",
    )
    requests_kept_days: int = Field(
        REQUESTS_KEPT_DAYS_MIN,
        ge=REQUESTS_KEPT_DAYS_MIN,
        le=3_660,
        description="Days for which the answer to a request_id is given again; callers are "
        "promised 30, and each day more keeps a day's requests more",
    )
    housekeeping_interval_seconds: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        description="Seconds between two rounds that delete what is past its time; an hour keeps "
        "each round short, and rows live that much longer at most",
    )

    def request_key_bytes(self) -> bytes:
        return key_bytes(self.request_key)

    def requests_kept(self) -> timedelta:
        return timedelta(days=self.requests_kept_days)


class KafkaSettings(ServiceSettings):
    """The broker that carries the suite's events."""

    kafka_bootstrap: str = Field(
        validation_alias="HUITOUKE_KAFKA_BOOTSTRAP",
        description="host:port,... of the Kafka brokers to ask first",
    )
    topic_prefix: str = Field(
        "",
        validation_alias="HUITOUKE_TOPIC_PREFIX",
        description="Put before each topic's name, to keep several suites apart on one broker",
    )


Settings = TypeVar("Settings", bound=BaseSettings)
Key = Annotated[SecretStr, AfterValidator(key_for_mode)]
"""A secret key setting: base64 of at least 32 bytes, development keys refused in production."""


def key_bytes(key: SecretStr) -> bytes:
    """The bytes of a `Key` setting."""
    return b64decode(key.get_secret_value(), validate=True)


def env_name(settings_class: type[BaseSettings], field_name: str) -> str:
    """The environment variable of a setting."""
    alias = settings_class.model_fields[field_name].validation_alias
    if isinstance(alias, str):
        return alias.upper()
    return f"{settings_class.model_config.get('env_prefix', '')}{field_name}".upper()


def read(settings_class: type[Settings]) -> Settings:
    """The settings from the environment; WrongSettingsError names everything missing or wrong."""
    faults = _file_faults(settings_class)
    settings: Settings | None = None
    try:
        settings = settings_class()
    except ValidationError as error:
        faults = _value_faults(settings_class, error) | faults
    except SettingsError as error:
        faults["settings"] = str(error)
    if faults or settings is None:
        raise WrongSettingsError(_describe(settings_class, faults))
    return settings


def load(settings_class: type[Settings]) -> Settings:
    """The settings from the environment, or the process ends: message to stderr, exit code 2."""
    try:
        return read(settings_class)
    except WrongSettingsError as fault:
        sys.stderr.write(f"{fault}\n")
        raise SystemExit(EXIT_CODE) from None


def _describe(settings_class: type[BaseSettings], faults: Mapping[str, str]) -> str:
    descriptions = {
        env_name(settings_class, key): field.description
        for key, field in settings_class.model_fields.items()
    }
    lines = [f"{settings_class.__name__}: {len(faults)} setting(s) missing or wrong:"]
    for name, what in sorted(faults.items()):
        lines.append(f"  {name}: {what}")
        if description := descriptions.get(name):
            lines.append(f"      {description}")
    return "\n".join(lines)


def _value_faults(settings_class: type[BaseSettings], error: ValidationError) -> dict[str, str]:
    faults = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = _name_at(settings_class, fault["loc"])
        what = fault["msg"].removeprefix("Value error, ")
        faults[name] = "missing" if fault["type"] == "missing" else what
    return faults


def _name_at(settings_class: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    where = str(location[0]) if location else "settings"
    for key, field in settings_class.model_fields.items():
        if where in {key, field.validation_alias}:
            return env_name(settings_class, key)
    return where


def _files_named(settings_class: type[BaseSettings]) -> dict[str, Path]:
    """Each `<NAME>_FILE` variable of a setting that is in the environment."""
    names = (env_name(settings_class, key) for key in settings_class.model_fields)
    given = {f"{name}{_FILE_SUFFIX}": os.environ.get(f"{name}{_FILE_SUFFIX}") for name in names}
    return {variable: Path(path) for variable, path in given.items() if path}


def _file_faults(settings_class: type[BaseSettings]) -> dict[str, str]:
    faults = {}
    for variable, path in _files_named(settings_class).items():
        base = variable.removesuffix(_FILE_SUFFIX)
        if fault := _fault_of(base, path):
            faults[base] = fault
    return faults


def _fault_of(base: str, path: Path) -> str | None:
    """What is wrong with giving the setting `base` by the file at `path`."""
    if os.environ.get(base):
        return f"set twice: unset it or {base}{_FILE_SUFFIX}"
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            return f"{path} is larger than {_FILE_BYTES_MAX} bytes"
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return f"{path} isn't UTF-8 text"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return None
