"""What a setting's value must be and what production refuses; each message says the way out."""

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr, ValidationInfo

KEY_BYTES_MIN: Final = 32
DEVELOPMENT_KEY_PREFIX: Final = b"development-"
_DEVELOPMENT_AUTHORITIES: Final = ("trustme", "development")


def in_production(info: ValidationInfo) -> bool:
    """Whether the mode, which is validated first, is production; unset or wrong counts as such."""
    return bool(info.data.get("mode", "production") == "production")


def address(text: str) -> str:
    """`host:port` with a port of 0 to 65535."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} isn't host:port, such as 127.0.0.1:9442")
    return text


def failpoints_for_mode(text: str, info: ValidationInfo) -> str:
    """Failpoints are for tests: production mode refuses to start with any."""
    if text and in_production(info):
        raise ValueError("failpoints are refused in production mode; unset it")
    return text


def key_for_mode(key: SecretStr, info: ValidationInfo) -> SecretStr:
    """Base64 of at least 32 bytes; keys that begin with `development-` stay out of production."""
    try:
        raw = b64decode(key.get_secret_value(), validate=True)
    except (Base64Error, ValueError):
        raise ValueError("isn't base64; make one with: openssl rand -base64 32") from None
    if len(raw) < KEY_BYTES_MIN:
        raise ValueError(
            f"has {len(raw)} bytes, needs {KEY_BYTES_MIN}; make one with: openssl rand -base64 32",
        )
    if raw.startswith(DEVELOPMENT_KEY_PREFIX) and in_production(info):
        raise ValueError(
            "a development key is refused in production mode; make one with: "
            "openssl rand -base64 32",
        )
    return key


def certificate_for_mode(pem: str, info: ValidationInfo) -> str:
    """A readable certificate; one of a development authority stays out of production."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("isn't a PEM certificate (-----BEGIN CERTIFICATE-----)") from None
    until = certificate.not_valid_after_utc
    if until < datetime.now(UTC):
        raise ValueError(f"the certificate expired on {until.date()}; renew it")
    issuer = certificate.issuer.rfc4514_string().lower()
    if in_production(info) and any(word in issuer for word in _DEVELOPMENT_AUTHORITIES):
        raise ValueError(
            "a development certificate is refused in production mode; use your authority's, or "
            "set HUITOUKE_MODE=development on a laptop",
        )
    return pem


def key_of_certificate(key: SecretStr, info: ValidationInfo) -> SecretStr:
    """A readable private key, the one of the `tls_certificate` validated before it."""
    try:
        private = load_pem_private_key(key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("isn't a PEM private key without a pass phrase") from None
    if pem := info.data.get("tls_certificate"):
        certificate = x509.load_pem_x509_certificate(str(pem).encode())
        if certificate.public_key() != private.public_key():
            raise ValueError(
                "isn't the key of the certificate; give the two that were made together"
            )
    return key


def authorities(pem: str) -> str:
    """One or more readable certificates."""
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("isn't a PEM certificate (-----BEGIN CERTIFICATE-----)") from None
    return pem
