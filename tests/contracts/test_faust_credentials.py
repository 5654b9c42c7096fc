"""What Faust's transport makes of our credentials is what every other client of ours is given."""

from __future__ import annotations

from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver

from stream.kafka import security
from stream.settings import Settings
from stream.worker.app import _credentials

PASSWORD = {"sasl_username": "shop", "sasl_password": "hush-hush"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"security_protocol": "SSL"},
        {"security_protocol": "SASL_SSL", **PASSWORD},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", **PASSWORD},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", **PASSWORD},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_plaintext_allowed": True, **PASSWORD},
    ],
)
def test_faust_connects_as_every_other_client(given: dict[str, Any]) -> None:
    """The same protocol, context, mechanism, name and password reach aiokafka on both ways."""
    settings = Settings(**given)
    ours = {name: value for name, value in security.arguments(settings).items() if value is not None}
    credentials = _credentials(settings)
    theirs = driver.credentials_to_aiokafka_auth(credentials, None)
    assert {name: value for name, value in theirs.items() if value is not None} == ours
    assert "hush-hush" not in repr(credentials)
