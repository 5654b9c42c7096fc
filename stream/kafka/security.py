"""How clients know the brokers and prove who they are: TLS and SASL, for aiokafka and for Faust's transport alike.

Certificates and the brokers' names are always checked; there is no setting that stops it.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stream.errors import SegstreamError
from stream.settings import env_name

if TYPE_CHECKING:
    from stream.settings import Settings

CONTEXTS_MAX = 8  # a process has one set of files; tests have some


def arguments(settings: Settings) -> dict[str, Any]:
    """Return what every aiokafka client takes.

    Raises
    ------
    SegstreamError : a certificate or key file cannot be used.
    """
    found: dict[str, Any] = {"security_protocol": settings.security_protocol, "ssl_context": context(settings)}
    if settings.security_protocol.startswith("SASL_"):
        found |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,  # SCRAM's too, whatever it is called
            "sasl_plain_password": settings.sasl_password,
        }
    return found


def context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context of these settings, None without TLS. Files are read once in the life of a process.

    Raises
    ------
    SegstreamError : a certificate or key file cannot be used.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    return _context(
        settings.ssl_ca_file, settings.ssl_certificate_file, settings.ssl_key_file, settings.ssl_key_password
    )


@lru_cache(CONTEXTS_MAX)  # every reader of a range is a client, and the system's list takes 10 ms to read
def _context(ca_file: str, certificate_file: str, key_file: str, key_password: str) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=ca_file or None)  # checks certificates and names
    except (OSError, ssl.SSLError) as error:
        raise _unusable("ssl_ca_file", ca_file, error, "the certificate of who signed the brokers' own") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # what is older is broken; Kafka itself speaks 1.2 and 1.3
    if certificate_file:
        try:
            # never None, or OpenSSL would ask at the terminal for the password of an encrypted key
            made.load_cert_chain(certificate_file, key_file, password=key_password)
        except (OSError, ssl.SSLError) as error:
            raise _unusable("ssl_key_file", key_file, error, "our certificate, its key, the key's password") from None
    return made


def _unusable(name: str, path: str, error: OSError, wanted: str) -> SegstreamError:
    cause = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return SegstreamError(f"{env_name(name)}: {path} cannot be used: {cause}", f"give PEM files: {wanted}")
