"""What the settings of TLS and SASL become, without a broker."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from stream.errors import SegstreamError
from stream.kafka import security
from stream.settings import Settings


def test_tls_always_checks_certificates_names_and_versions() -> None:
    """No setting turns any of them off."""
    made = security.context(Settings(security_protocol="SSL"))
    assert made is not None
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_plain_connection_has_no_context_and_no_password() -> None:
    """Nothing is made that would not be used."""
    assert security.arguments(Settings()) == {"security_protocol": "PLAINTEXT", "ssl_context": None}


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_wrong_file_is_refused_by_the_name_of_its_setting(content: bytes | None, tmp_path: Path) -> None:
    """Missing, empty, something else: the variable, the path, what it should be."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegstreamError, match="SEGSTREAM_SSL_CA_FILE") as caught:
        security.context(Settings(security_protocol="SSL", ssl_ca_file=str(path)))
    assert str(path) in caught.value.message
    pair = {"ssl_certificate_file": str(path), "ssl_key_file": str(path)}
    with pytest.raises(SegstreamError, match="SEGSTREAM_SSL_KEY_FILE"):
        security.context(Settings(security_protocol="SSL", ssl_key_password="hush", **pair))  # type: ignore[arg-type]  # noqa: S106
