"""TLS and SASL against a real broker: who is let in, who is not, and what is said."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine
from typing import Any

import pytest

from stream.errors import SegstreamError
from stream.kafka import client, topic_admin
from stream.kafka.bulk import BulkProducer
from stream.kafka.follow import Followed, Follower
from stream.kafka.log import KafkaLog
from stream.settings import Settings
from tests.kafka.certificates import KEY_PASSWORD, Files
from tests.kafka.secured import PASSWORD, USERNAME, SecuredBroker, ended

pytestmark = pytest.mark.kafka

SENT = ("clicks", b"anna", b"{}")
_numbers = itertools.count(1)


def at(address: str, **given: Any) -> Settings:
    """Settings with a prefix that no other test has."""
    name = f"s{next(_numbers)}"
    return Settings(brokers=address, prefix=f"{name}.", group=name, metrics_port=-1, **given)


def safe(doors: SecuredBroker, files: Files, **changed: Any) -> Settings:
    """Settings for TLS with a password."""
    given = {
        "security_protocol": "SASL_SSL", "ssl_ca_file": str(files.authority),
        "sasl_username": USERNAME, "sasl_password": PASSWORD,
    }  # fmt: skip
    return at(doors.door("SAFE"), **{**given, **changed})


async def goes_round(settings: Settings) -> None:
    """Every kind of client works once: admin, bulk producer, follower, log, transactions."""
    await topic_admin.create(settings)
    async with BulkProducer(settings) as producer:
        await producer.run([SENT])
    follower = Follower(settings, "clicks", "read_uncommitted")
    log = KafkaLog(settings)
    try:
        follower_partitions = await follower.start()
        follower.seek(dict.fromkeys(follower_partitions, 0))
        read: list[Followed] = []
        while not read:
            read = await follower.records(1_000)
        assert [(one.key, one.value) for one in read] == [SENT[1:]]
        await log.start()
        transactions = await log.transactions("state-0", 0)
        assert await transactions.write([("segment-state", [(b"k", b"v")])]) == [0]
        await transactions.close()
        assert await log.append("segment-journal", 0, b"entry") == 0
    finally:
        await follower.stop()
        await log.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_client_works_over_tls_with_a_password(doors: SecuredBroker, client_files: Files, mechanism: str) -> None:
    """Each mechanism, with the brokers' certificate checked against the authority we were given."""
    ended(goes_round(safe(doors, client_files, sasl_mechanism=mechanism)))


def test_every_client_works_with_a_certificate_of_its_own(doors: SecuredBroker, client_files: Files) -> None:
    """Where the broker asks for a certificate, ours is shown; its key may have a password."""
    files = client_files
    settings = at(
        doors.door("TLS"), security_protocol="SSL", ssl_ca_file=str(files.authority),
        ssl_certificate_file=str(files.certificate), ssl_key_file=str(files.key), ssl_key_password=KEY_PASSWORD,
    )  # fmt: skip
    ended(goes_round(settings))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_password_without_tls_works_when_told(doors: SecuredBroker, mechanism: str) -> None:
    """The setting that allows it is all it takes."""
    settings = at(
        doors.door("CLEAR"), security_protocol="SASL_PLAINTEXT", sasl_plaintext_allowed=True,
        sasl_mechanism=mechanism, sasl_username=USERNAME, sasl_password=PASSWORD,
    )  # fmt: skip
    ended(goes_round(settings))


@pytest.mark.parametrize(
    ("changed", "cause", "advice"),
    [
        ({"sasl_password": "a-guess-4712"}, "invalid credentials", "SEGSTREAM_SASL_USERNAME"),
        ({"sasl_password": "a-guess-4712", "sasl_mechanism": "PLAIN"}, "Invalid username", "SEGSTREAM_SASL_USERNAME"),
        ({"sasl_username": "nobody"}, "invalid credentials", "SEGSTREAM_SASL_USERNAME"),
        ({"ssl_ca_file": ""}, "CERTIFICATE_VERIFY_FAILED", "SEGSTREAM_SSL_CA_FILE"),
        ({"brokers": "localhost"}, "not valid for 'localhost'", "SEGSTREAM_SSL_CA_FILE"),
        ({"security_protocol": "SSL", "sasl_username": "", "sasl_password": ""}, "", "SEGSTREAM_SECURITY_PROTOCOL"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    doors: SecuredBroker, client_files: Files, changed: dict[str, str], cause: str, advice: str
) -> None:
    """A wrong password, an unknown authority, a certificate of another name: the cause, the setting, no secret."""
    if "brokers" in changed:  # by a name that the certificate does not have
        changed = {"brokers": doors.door("SAFE").replace("127.0.0.1", changed["brokers"])}
    settings = safe(doors, client_files)
    settings = Settings(**{name: getattr(settings, name) for name in settings.shown()} | changed)
    for attempt in (topic_admin.create(settings), goes_round_of(settings), following(settings), asking(settings)):
        told = ended(refused(attempt))
        assert cause in told.message
        assert advice in told.advice
        assert PASSWORD not in str(told)
        assert "a-guess-4712" not in str(told)


async def refused(attempt: Coroutine[Any, Any, object]) -> SegstreamError:
    """What the attempt ends with."""
    with pytest.raises(SegstreamError) as caught:
        await attempt
    return caught.value


async def goes_round_of(settings: Settings) -> None:
    """A bulk producer that connects."""
    async with BulkProducer(settings):
        pass


async def following(settings: Settings) -> None:
    """A follower that connects."""
    follower = Follower(settings, "clicks", "read_uncommitted")
    try:
        await follower.start()
    finally:
        await follower.stop()


async def asking(settings: Settings) -> None:
    """A log that is asked, as by commands that only read; they do not start its producer."""
    log = KafkaLog(settings)
    try:
        await log.bounds("clicks", 0, committed=True)
    finally:
        await log.stop()


def test_a_plain_client_is_not_let_in_by_a_door_with_tls(doors: SecuredBroker) -> None:
    """It gets no answer, and the advice names the setting."""
    settings = at(doors.door("SAFE"))
    assert "SEGSTREAM_SECURITY_PROTOCOL" in ended(refused(topic_admin.create(settings))).advice


def test_a_client_that_was_let_in_needs_no_advice(doors: SecuredBroker, client_files: Files) -> None:
    """When the second knock succeeds, the first error is told as it was."""
    told = ended(client.unreachable(safe(doors, client_files), TimeoutError("too slow")))
    assert "too slow" in told.message
