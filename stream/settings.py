"""Every setting of the shell, and the only reader of the environment.

Precedence: flag, then environment variable `SEGSTREAM_<NAME>`, then default. The `Settings` class below is
also the source of `docs/reference/settings.md`.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from stream.errors import SegstreamError

ENV_PREFIX = "SEGSTREAM_"
NAME_SIMILARITY_MIN = 0.8  # catches SEGSTREAM_BROKER; spares what Kubernetes injects for a service of that name
LOG_LEVELS = ("debug", "info", "warning", "error")
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
PORT_MAX = 65_535  # TCP
TOPIC_NAME_MAX = 249  # Kafka's limit
TOPIC_LONGEST = len("segment-memberships")  # the longest name the prefix is put before
FILE_SUFFIX = "_FILE"  # SEGSTREAM_X_FILE names a file with the secret X: what orchestrators mount
SECURITY_PREFIXES = ("security_", "sasl_", "ssl_")  # of the settings that say how brokers are spoken to
SECRET_BYTES_MAX = 65_536  # a password or token is a line; this is a wrong file


def _setting(
    default: Any,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Return a dataclass field that carries its documentation and its limits (both ends allowed)."""
    limits = {"help": help_text, "low": low, "high": high, "choices": choices, "secret": secret}
    return field(default=default, metadata=limits, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process of segstream can be told. Construct with `Settings.load`, or directly in tests.

    Raises
    ------
    SegstreamError : a value is out of its range or contradicts another; names the variable and what to do.
    """

    brokers: str = _setting("127.0.0.1:9092", "Kafka addresses, `host:port` separated by commas.")
    security_protocol: str = _setting(
        "PLAINTEXT",
        "How the brokers are spoken to, in Kafka's words: TLS where it has `SSL`, a password where it has `SASL`.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    sasl_mechanism: str = _setting(
        "SCRAM-SHA-512", "How the password is proved.", choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    )
    sasl_username: str = _setting("", "Who we are to the brokers.")
    sasl_password: str = _setting("", "The password of `sasl_username`.", secret=True)
    sasl_plaintext_allowed: bool = _setting(
        default=False,
        help_text="Whether `SASL_PLAINTEXT` may be used: then whoever listens on the network learns the password, or "
        "can guess at it.",
    )
    ssl_ca_file: str = _setting("", "PEM file of who signs the brokers' certificates; empty for the system's.")
    ssl_certificate_file: str = _setting("", "PEM file of our own certificate, where the brokers ask for one.")
    ssl_key_file: str = _setting("", "PEM file of its private key.")
    ssl_key_password: str = _setting("", "The password of that key, if it has one.", secret=True)
    prefix: str = _setting("", "Put before every topic name, as it is: `shop1.` gives `shop1.clicks`.")
    group: str = _setting("segstream", "Consumer group; workers with the same one share the partitions.")
    partitions: int = _setting(
        4,
        "Partitions of every topic that is keyed by customer. Fixed for the life of the topics.",
        low=1,
        high=1024,
    )
    replication: int = _setting(1, "Copies of every topic; 3 where there are three brokers.", low=1, high=9)
    definitions: str = _setting("", "Path of a `segments.yaml`; empty for the shipped one.")
    clock: str = _setting(
        "live",
        "What moves stream time: `live` events and the wall clock, `events` events alone (demo, backtest).",
        choices=("live", "events"),
    )
    lateness_ms: int = _setting(
        0,
        "With `clock` live: how far stream time stays behind the wall clock, in ms.",
        low=0,
        high=604_800_000,
    )
    future_ms_max: int = _setting(
        3_600_000, "An event this many ms ahead of the time known so far is a dead letter.", low=0
    )
    checkpoint_seconds: float = _setting(
        60.0, "Seconds from the first changed row to a checkpoint, at the latest.", low=0.1, high=86_400
    )
    checkpoint_events: int = _setting(
        250_000,
        "Events of one partition, which a recovery would execute again, that force a checkpoint.",
        low=1,
    )
    checkpoint_rows: int = _setting(
        50_000, "Changed customers that force a checkpoint: a copy of them, and of a slice, is memory.", low=1
    )
    batch_records: int = _setting(
        4_000, "Records of one batch at most: more is faster, less is sooner.", low=1, high=100_000
    )
    session_timeout_seconds: float = _setting(
        10.0, "Silence after which Kafka gives a dead worker's partitions to others.", low=6, high=1_800
    )
    ack_timeout_seconds: float = _setting(
        30.0,
        "Seconds without an acknowledgement after which the worker exits, to be started again.",
        low=0.1,
        high=600,
    )
    stall_seconds: float = _setting(
        60.0,
        "Seconds that a partition with something to do may not get on before `/healthz` fails and names it.",
        low=1,
        high=3_600,
    )
    shutdown_seconds: float = _setting(20.0, "Seconds for the last checkpoint after SIGTERM.", low=0.1, high=600)
    metrics_host: str = _setting(
        "127.0.0.1", "Address of metrics, health and readiness. Beyond this machine it needs `metrics_token`."
    )
    metrics_port: int = _setting(9464, "Port of the same; 0 for any free one, -1 for none.", low=-1, high=PORT_MAX)
    metrics_token: str = _setting("", "Asked of readers of `/metrics` as a bearer token; empty for none.", secret=True)
    sample_interval_ms: int = _setting(
        86_400_000, "Stream time between two samples of customer vectors for the trainer, in ms.", low=1_000
    )
    sample_rotation: int = _setting(7, "A customer is sampled once in so many of these intervals.", low=1, high=10_000)
    snapshot_interval_ms: int = _setting(
        2_592_000_000, "Stream time between two model snapshots, in ms (30 days).", low=1_000
    )
    learner: str = _setting("kmeans", "River clusterer that finds the behaviour clusters.")
    clusters: int = _setting(0, "Clusters to find; 0 to find their number too.", low=0, high=32)
    moved_max: float = _setting(
        0.5, "A model that would move a larger share of customers or of their spend waits for approval.", low=0, high=1
    )
    trainer_core_share: float = _setting(
        0.25, "Share of a core that the trainer's process may use, at low priority.", low=0.01, high=1
    )
    seed: int = _setting(7, "Seed of the trainer and of the generator.", low=0, high=2**32 - 1)
    customers_max: int = _setting(
        2_000_000, "Customers of one partition at most: bounds memory (about 600 bytes each).", low=1
    )
    retention_days: int = _setting(
        1_095,
        "Days of silence (stream time) after which a customer leaves and is dropped; 0 keeps all for ever. "
        "Three years is how long shops commonly keep who no longer buys, and no shipped segment looks back as far.",
        low=0,
        high=36_500,
    )
    profiles_compacted: bool = _setting(
        default=True,
        help_text="Whether the profiles topic keeps only the newest record of a customer (compaction).",
    )
    log_level: str = _setting("info", "Least severity that is logged.", choices=LOG_LEVELS)
    datadir: str = _setting("", "Where the dev broker keeps its data; empty for a folder that goes with it.")
    cache: str = _setting("", "Where the dev broker's jars are kept; empty for `segstream` in the user's cache folder.")

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            _check_range(one, getattr(self, one.name))
        _check_brokers(self.brokers)
        _check_security(self)
        _check_prefix(self.prefix)
        if not self.group:
            raise _wrong("group", self.group, "give the consumer group a name")
        if self.metrics_port >= 0 and not is_loopback(self.metrics_host) and not self.metrics_token:
            raise SegstreamError(
                f"metrics on {self.metrics_host or 'every address'} would be open to others without a token",
                f"set {env_name('metrics_token')}, or {env_name('metrics_host')}=127.0.0.1",
            )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **flags: object) -> Self:
        """Return the settings of this process: flags (None = not given) over the environment over defaults.

        Raises
        ------
        SegstreamError : a variable that cannot be read, is out of range, or is nearly a known one.
        """
        environ = os.environ if environ is None else environ
        _check_names(environ)
        values: dict[str, Any] = {}
        for one in dataclasses.fields(cls):
            secret = one.metadata["secret"]
            text = _secret_text(one.name, environ) if secret else environ.get(env_name(one.name))
            if text is not None:
                values[one.name] = text if secret else parse(one, text)  # a password may begin with a blank
        values.update({name: value for name, value in flags.items() if value is not None})
        return cls(**values)

    def describe(self) -> str:
        """Return one line per setting, secrets hidden: what a worker prints when it starts."""
        return "\n".join(f"{name}={value}" for name, value in self.shown().items())

    def shown(self) -> dict[str, object]:
        """Return every setting by name, secrets replaced by `***` (or empty when not set)."""
        return {
            one.name: ("***" if one.metadata["secret"] and getattr(self, one.name) else getattr(self, one.name))
            for one in dataclasses.fields(self)
        }

    def cache_folder(self, environ: Mapping[str, str] | None = None) -> Path:
        """Return where downloads are kept: `cache`, else `segstream` in the user's cache folder (XDG)."""
        if self.cache:
            return Path(self.cache).expanduser()
        environ = os.environ if environ is None else environ
        base = environ.get("XDG_CACHE_HOME") or ""
        # XDG says that a relative path is to be ignored
        return (Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()) / "segstream"


def env_name(name: str) -> str:
    """Return the environment variable of a setting."""
    return ENV_PREFIX + name.upper()


def on_plain_listener() -> dict[str, Any]:
    """Return the defaults of every setting that says how brokers are spoken to: what a dev broker takes."""
    return {one.name: one.default for one in dataclasses.fields(Settings) if one.name.startswith(SECURITY_PREFIXES)}


def environment_of(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process that shall have exactly these settings: ours, with them in it."""
    environ = os.environ if environ is None else environ
    kept = {name: value for name, value in environ.items() if not name.startswith(ENV_PREFIX)}  # no X_FILE either
    return kept | {env_name(one.name): str(getattr(settings, one.name)) for one in dataclasses.fields(settings)}


def variables() -> set[str]:
    """Return every environment variable that is read: one for each setting, and for each secret one for its file."""
    fields = dataclasses.fields(Settings)
    return {env_name(one.name) for one in fields} | {
        env_name(one.name) + FILE_SUFFIX for one in fields if one.metadata["secret"]
    }


def help_of(name: str) -> str:
    """Return the one-line meaning of a setting, for flags and documents."""
    return str(next(one.metadata["help"] for one in dataclasses.fields(Settings) if one.name == name))


def wants_colour(environ: Mapping[str, str] | None = None) -> bool:
    """Return False if the person asked for none (`NO_COLOR` set to anything, or a dumb terminal)."""
    environ = os.environ if environ is None else environ
    return not environ.get("NO_COLOR") and not is_dumb(environ)


def is_dumb(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the terminal says that it can only write one line after the other."""
    environ = os.environ if environ is None else environ
    return environ.get("TERM") == "dumb"


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only; no for names but localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse(one: dataclasses.Field[Any], text: str) -> object:
    """Return the value of an environment variable in the type of its field.

    Raises
    ------
    SegstreamError : the text is not of that type.
    """
    kind = str(one.type)
    reader, wanted = _READERS[kind]
    try:
        return reader(text.strip())
    except ValueError:
        raise _wrong(one.name, text, f"give {wanted}, for example {one.default}") from None


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read_bool(text: str) -> bool:
    word = text.lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(text)
    return word in TRUE_WORDS


_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": (_read_float, "a number"),
    "bool": (_read_bool, "true or false"),
}


def _wrong(name: str, value: object, advice: str) -> SegstreamError:
    flag = "--" + name.replace("_", "-")
    return SegstreamError(f"{env_name(name)} ({flag}) cannot be {value!r}", advice)


def _check_range(one: dataclasses.Field[Any], value: Any) -> None:
    low, high, choices = (one.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise _wrong(one.name, value, f"choose one of {', '.join(choices)}")
    if low is not None and not value >= low:  # also refuses NaN
        raise _wrong(one.name, value, f"give at least {low:g}")
    if high is not None and not value <= high:
        raise _wrong(one.name, value, f"give at most {high:g}")


def _check_brokers(brokers: str) -> None:
    for address in brokers.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
            raise _wrong("brokers", brokers, "give host:port, several separated by commas")


def _check_prefix(prefix: str) -> None:
    legal = all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in prefix)
    if not legal or len(prefix) > TOPIC_NAME_MAX - TOPIC_LONGEST:
        raise _wrong("prefix", prefix, "use letters, digits, dots, underscores and hyphens, at most 230")


def _check_security(settings: Settings) -> None:
    """Refuse what would send a password in clear, and credentials that nothing would use."""
    protocol = settings.security_protocol
    variable = env_name("security_protocol")
    sasl, tls = protocol.startswith("SASL_"), protocol.endswith("SSL")
    if sasl and not (settings.sasl_username and settings.sasl_password):
        raise SegstreamError(
            f"{variable}={protocol} without a name and a password",
            f"set {env_name('sasl_username')} and {env_name('sasl_password')}{FILE_SUFFIX}",
        )
    if protocol == "SASL_PLAINTEXT" and not settings.sasl_plaintext_allowed:
        raise SegstreamError(
            f"{variable}=SASL_PLAINTEXT would show the password to whoever listens on the network",
            f"use SASL_SSL; where nobody can listen, say {env_name('sasl_plaintext_allowed')}=true",
        )
    idle = {"sasl_username", "sasl_password"} if not sasl else set()
    idle |= {"ssl_ca_file", "ssl_certificate_file", "ssl_key_file", "ssl_key_password"} if not tls else set()
    for name in sorted(idle):
        if getattr(settings, name):
            raise SegstreamError(
                f"{env_name(name)} is set, and {variable}={protocol} does not use it",
                f"choose the protocol that the brokers' listener has, or unset {env_name(name)}",
            )
    if bool(settings.ssl_certificate_file) != bool(settings.ssl_key_file):
        pair = f"{env_name('ssl_certificate_file')} and {env_name('ssl_key_file')}"
        raise SegstreamError(f"{pair} are a pair, and one is missing", "set both or neither")


def _secret_text(name: str, environ: Mapping[str, str]) -> str | None:
    """A secret from its variable, or from the file that SEGSTREAM_X_FILE names, without the end of the line."""
    variable, file_variable = env_name(name), env_name(name) + FILE_SUFFIX
    path = environ.get(file_variable, "")
    if not path:
        return environ.get(variable)
    if environ.get(variable):
        raise SegstreamError(f"{variable} and {file_variable} are both set", "unset one of them")
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
        text = content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SegstreamError(
            f"{file_variable}: {path} cannot be read: {type(error).__name__}",
            "give the path of a file that holds nothing but the secret",
        ) from None  # the error would quote what it could not decode
    if not text or len(content) > SECRET_BYTES_MAX:
        raise SegstreamError(
            f"{file_variable}: {path} holds no secret", f"it must have 1 to {SECRET_BYTES_MAX} bytes: the secret alone"
        )
    return text


def _check_names(environ: Mapping[str, str]) -> None:
    known = sorted(name.removeprefix(ENV_PREFIX) for name in variables())
    for variable in sorted(environ):
        name = variable.removeprefix(ENV_PREFIX)
        if name == variable or name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, NAME_SIMILARITY_MIN)
        if near:
            advice = f"did you mean {env_name(near[0])}? If not, unset it"
            raise SegstreamError(f"{variable} is not a setting", advice)
