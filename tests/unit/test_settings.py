"""Settings: precedence, ranges, and errors that name the variable and what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stream.errors import SegstreamError
from stream.settings import Settings, env_name, environment_of, is_loopback, wants_colour


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    """Flag, then environment, then default; None means that a flag was not given."""
    environ = {"SEGSTREAM_PARTITIONS": "8", "SEGSTREAM_GROUP": "shop"}
    settings = Settings.load(environ, partitions=12, group=None)
    assert (settings.partitions, settings.group, settings.replication) == (12, "shop", 1)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SEGSTREAM_PARTITIONS", " 8 ", 8),
        ("SEGSTREAM_CHECKPOINT_SECONDS", "0.5", 0.5),
        ("SEGSTREAM_PROFILES_COMPACTED", "No", False),
        ("SEGSTREAM_CLOCK", "events", "events"),
    ],
)
def test_a_variable_is_read_in_the_type_of_its_setting(name: str, text: str, value: object) -> None:
    """Every type of setting can come from the environment."""
    settings = Settings.load({name: text})
    assert getattr(settings, name.removeprefix("SEGSTREAM_").lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SEGSTREAM_PARTITIONS", "four"),
        ("SEGSTREAM_PARTITIONS", "0"),
        ("SEGSTREAM_PARTITIONS", "1025"),
        ("SEGSTREAM_CHECKPOINT_SECONDS", "nan"),
        ("SEGSTREAM_CHECKPOINT_SECONDS", "inf"),
        ("SEGSTREAM_PROFILES_COMPACTED", "perhaps"),
        ("SEGSTREAM_CLOCK", "wall"),
        ("SEGSTREAM_BROKERS", "localhost"),
        ("SEGSTREAM_BROKERS", "localhost:0"),
        ("SEGSTREAM_PREFIX", "shop/"),
        ("SEGSTREAM_GROUP", ""),
        ("SEGSTREAM_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_advice(name: str, text: str) -> None:
    """The message names variable and flag, the advice says what to give."""
    with pytest.raises(SegstreamError) as caught:
        Settings.load({name: text})
    assert name in caught.value.message
    assert "--" + name.removeprefix("SEGSTREAM_").lower().replace("_", "-") in caught.value.message
    assert caught.value.advice


def test_nan_is_out_of_every_range() -> None:
    """A comparison with NaN is never true, so a naive check would let it pass."""
    with pytest.raises(SegstreamError):
        Settings(ack_timeout_seconds=float("nan"))


def test_a_nearly_right_name_is_an_error_with_the_right_one() -> None:
    """A typing mistake must not silently leave the default in place."""
    with pytest.raises(SegstreamError, match="did you mean SEGSTREAM_BROKERS"):
        Settings.load({"SEGSTREAM_BROKER": "kafka:9092"})


def test_names_that_an_orchestrator_injects_are_left_alone() -> None:
    """A Kubernetes service called segstream puts its address into every pod's environment."""
    Settings.load({"SEGSTREAM_SERVICE_HOST": "10.0.0.1", "SEGSTREAM_PORT_9464_TCP_ADDR": "10.0.0.1"})


def test_metrics_beyond_this_machine_need_a_token() -> None:
    """Nothing listens for others unless told, and then with a token."""
    with pytest.raises(SegstreamError, match="SEGSTREAM_METRICS_TOKEN"):
        Settings(metrics_host="0.0.0.0")  # noqa: S104 - what is refused
    Settings(metrics_host="0.0.0.0", metrics_token="t")  # noqa: S104, S106 - what is allowed
    Settings(metrics_host="0.0.0.0", metrics_port=-1)  # noqa: S104 - nothing listens


def test_no_secret_is_ever_shown() -> None:
    """Neither the description nor repr shows a token, but both say that one is set or not."""
    settings = Settings(metrics_token="hush-hush")  # noqa: S106 - what must not be seen
    assert "hush-hush" not in settings.describe() + repr(settings)
    assert "metrics_token=***" in settings.describe()
    assert "metrics_token=\n" in Settings().describe() + "\n"


SAFE = {"security_protocol": "SASL_SSL", "sasl_username": "shop", "sasl_password": "hush-hush"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"security_protocol": "TLS"}, "SEGSTREAM_SECURITY_PROTOCOL"),
        ({**SAFE, "sasl_mechanism": "GSSAPI"}, "SEGSTREAM_SASL_MECHANISM"),
        ({**SAFE, "sasl_username": ""}, "SASL_SSL without a name"),
        ({**SAFE, "sasl_password": ""}, "SASL_SSL without a name"),
        ({**SAFE, "security_protocol": "SASL_PLAINTEXT"}, "would show the password"),
        ({**SAFE, "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}, "would show the password"),
        ({**SAFE, "security_protocol": "PLAINTEXT"}, "does not use it"),
        ({**SAFE, "security_protocol": "SSL"}, "does not use it"),
        ({"ssl_ca_file": "/ca.pem"}, "does not use it"),
        ({"ssl_key_password": "hush-hush"}, "does not use it"),
        ({"security_protocol": "SSL", "ssl_key_file": "/key.pem"}, "are a pair"),
    ],
)
def test_a_password_is_never_sent_in_clear_unless_told_nor_given_in_vain(given: dict[str, str], named: str) -> None:
    """What would show a password, miss one or leave one unused is refused, without showing it."""
    with pytest.raises(SegstreamError, match=named) as caught:
        Settings(**given)  # type: ignore[arg-type]  # all of these are texts
    assert "hush-hush" not in str(caught.value)


def test_a_password_in_clear_is_sent_when_told() -> None:
    """The explicit setting is all it takes."""
    told = {**SAFE, "security_protocol": "SASL_PLAINTEXT", "sasl_plaintext_allowed": "true"}
    assert Settings.load({env_name(name): value for name, value in told.items()}).sasl_plaintext_allowed


SECRETS = [one.name for one in dataclasses.fields(Settings) if one.metadata["secret"]]


def test_what_is_secret_is_known_by_its_name() -> None:
    """A new setting with such a name must be marked, or it would be printed."""
    assert {name for name in Settings().shown() if name.endswith(("password", "token", "secret"))} == set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    """As orchestrators mount them; the end of the line is not part of it, other blanks are."""
    path = tmp_path / "secret"
    path.write_bytes(b" hush hush \n")
    given = {key: value for key, value in SAFE.items() if key != name} if name == "sasl_password" else {}
    given |= {"security_protocol": "SSL"} if name == "ssl_key_password" else {}
    environ = {env_name(key): value for key, value in given.items()} | {env_name(name) + "_FILE": str(path)}
    assert getattr(Settings.load(environ), name) == " hush hush "


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """A wrong mount must not become an empty password, and the file is not quoted."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegstreamError, match="SEGSTREAM_METRICS_TOKEN_FILE") as caught:
        Settings.load({"SEGSTREAM_METRICS_TOKEN_FILE": str(path)})
    assert "xxx" not in str(caught.value)
    assert "0xff" not in str(caught.value)


def test_a_secret_given_twice_is_refused() -> None:
    """Nobody could say which one counts."""
    with pytest.raises(SegstreamError, match="both set"):
        Settings.load({"SEGSTREAM_METRICS_TOKEN": "a", "SEGSTREAM_METRICS_TOKEN_FILE": "/b"})


def test_a_mistyped_file_of_a_secret_is_an_error() -> None:
    """SEGSTREAM_SASL_PASWORD_FILE must not leave the password empty."""
    with pytest.raises(SegstreamError, match="did you mean SEGSTREAM_SASL_PASSWORD_FILE"):
        Settings.load({"SEGSTREAM_SASL_PASWORD_FILE": "/b"})


def test_a_child_process_gets_the_secret_itself(tmp_path: Path) -> None:
    """Settings read from files go on as they are: the child never sees both."""
    path = tmp_path / "token"
    path.write_text("hush-hush", "utf-8")
    environ = {"SEGSTREAM_METRICS_TOKEN_FILE": str(path), "HOME": "/"}
    settings = Settings.load(environ)
    assert Settings.load(environment_of(settings, environ)) == settings


def test_everything_else_is_shown() -> None:
    """A worker's first lines answer what it runs with."""
    lines = Settings().describe().splitlines()
    assert [line.partition("=")[0] for line in lines] == [one.name for one in dataclasses.fields(Settings)]


def test_every_default_round_trips_through_the_environment() -> None:
    """What `describe` shows of a setting can be given back as its variable."""
    environ = {env_name(name): str(value) for name, value in Settings().shown().items()}
    assert Settings.load(environ) == Settings()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"XDG_CACHE_HOME": "/x"}, "/x/segstream"), ({"XDG_CACHE_HOME": "x"}, "~/.cache/segstream")],
)
def test_the_cache_follows_the_users_folders(environ: dict[str, str], expected: str) -> None:
    """XDG: the variable counts if it is an absolute path."""
    assert Settings().cache_folder(environ) == Path(expected).expanduser()


def test_the_cache_can_be_named() -> None:
    """The setting wins over the user's folders."""
    assert Settings(cache="/y").cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/y")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),  # noqa: S104 - judged, not bound
        ("kafka", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:  # noqa: FBT001 - a table
    """When in doubt an address counts as reachable by others."""
    assert is_loopback(host) is expected


def test_no_color_means_none() -> None:
    """NO_COLOR counts when it is set to anything but the empty text."""
    assert [
        wants_colour({"NO_COLOR": "1"}),
        wants_colour({"NO_COLOR": ""}),
        wants_colour({"TERM": "dumb"}),
    ] == [
        False,
        True,
        False,
    ]
