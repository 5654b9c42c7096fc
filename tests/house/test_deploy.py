"""The container files agree with the program, as far as can be known without containers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stream.cli.commands import COMMANDS
from stream.kafka.client import REQUEST_SIZE_MAX_BYTES
from stream.metrics.catalogue import CATALOGUE, HEALTH, PREFIX
from stream.settings import FILE_SUFFIX, Settings, variables
from tests.house.tree import REPO

YAML_FILES = [
    "docker-compose.yml",
    "deploy/prometheus.yml",
    "deploy/alerts.yml",
    "deploy/grafana/provisioning/datasources/prometheus.yml",
    "deploy/grafana/provisioning/dashboards/segstream.yml",
]
DASHBOARD = REPO / "deploy/grafana/dashboards/segstream.json"
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+(\.\d+)+(-[a-z]+)?")  # a tag with at least two numbers, so never `latest`
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


def read(name: str) -> Any:
    """Return a YAML file of the project; duplicate keys are an error."""
    return YAML(typ="safe").load(REPO / name)


SERVICES = read("docker-compose.yml")["services"]
ALERTS = [rule for group in read("deploy/alerts.yml")["groups"] for rule in group["rules"]]
OTHER_LABELS = {"le", "instance", "job"}  # Prometheus's own
OURS = {name: service for name, service in SERVICES.items() if str(service["image"]).startswith("segstream:")}
DOCKERFILE = (REPO / "Dockerfile").read_text("utf-8")


def interpolated(value: object) -> str:
    """Return what compose makes of `${NAME:-default}` where NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def seconds(text: str) -> int:
    """Return a compose duration in whole seconds."""
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("name", YAML_FILES)
def test_the_files_parse(name: str) -> None:
    """A mapping at the top, no duplicate keys."""
    assert isinstance(read(name), dict)


def test_every_image_is_pinned() -> None:
    """`latest` is another program every month."""
    images = [service["image"] for service in SERVICES.values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_our_image_has_the_version_of_the_project() -> None:
    """Compose builds what the project is."""
    import stream  # noqa: PLC0415 - read here only

    assert {service["image"] for service in OURS.values()} == {f"segstream:{stream.__version__}"}


@pytest.mark.parametrize("name", OURS)
def test_commands_exist(name: str) -> None:
    """The first word is a command of the table; the image starts the console script."""
    assert SERVICES[name]["command"][0] in {command.name for command in COMMANDS}
    assert 'ENTRYPOINT ["segstream"]' in DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_the_environment_is_made_of_legal_settings(name: str, tmp_path: Path) -> None:
    """Every SEGSTREAM_ variable is a setting, and the values are accepted together."""
    environ = {key: interpolated(value) for key, value in SERVICES[name]["environment"].items()}
    assert {key for key in environ if key.startswith("SEGSTREAM_")} <= variables()
    secret = tmp_path / "secret"  # what compose mounts
    secret.write_text("secret", "utf-8")
    Settings.load({key: str(secret) if key.endswith(FILE_SUFFIX) else value for key, value in environ.items()})


def test_the_worker_can_be_scaled() -> None:
    """A fixed name or host port can exist once."""
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["worker"])


def test_a_worker_has_time_for_its_last_checkpoint() -> None:
    """Docker kills after the grace period, so it must be longer than our own."""
    worker = SERVICES["worker"]
    assert seconds(worker["stop_grace_period"]) > worker["environment"]["SEGSTREAM_SHUTDOWN_SECONDS"]


def test_nothing_is_published_beyond_this_machine() -> None:
    """Every published port is bound to the loopback address."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_metrics_port_is_the_same_everywhere() -> None:
    """Setting, exposed port, health check and scrape config."""
    worker = SERVICES["worker"]
    port = worker["environment"]["SEGSTREAM_METRICS_PORT"]
    (scrape,) = read("deploy/prometheus.yml")["scrape_configs"]
    assert port == Settings().metrics_port
    assert worker["expose"] == [str(port)]
    assert f"127.0.0.1:{port}/healthz" in worker["healthcheck"]["test"][-1]
    assert scrape["dns_sd_configs"][0] | {"refresh_interval": None} == {
        "names": ["worker"],
        "type": "A",
        "port": port,
        "refresh_interval": None,
    }


def test_prometheus_sends_the_token_the_worker_asks_for() -> None:
    """One file for both, mounted where the setting and the scrape config read it."""
    (scrape,) = read("deploy/prometheus.yml")["scrape_configs"]
    targets = {one["source"]: one["target"] for one in SERVICES["prometheus"]["configs"]}
    ours = {one["source"]: one["target"] for one in SERVICES["worker"]["configs"]}
    assert ours["metrics_token"] == SERVICES["worker"]["environment"]["SEGSTREAM_METRICS_TOKEN_FILE"]
    assert "SEGSTREAM_METRICS_TOKEN_FILE" in variables()
    assert targets["metrics_token"] == scrape["authorization"]["credentials_file"]


def test_workers_and_topics_reach_the_advertised_kafka() -> None:
    """The address given to our services is one Kafka advertises inside the network."""
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert {service["environment"]["SEGSTREAM_BROKERS"] for service in OURS.values()} == {"kafka:19092"}
    assert "PLAINTEXT://kafka:19092" in advertised
    assert f"HOST://{Settings().brokers}" in advertised


def test_kafka_takes_our_largest_message_and_makes_no_topics() -> None:
    """As the dev broker does."""
    environment = SERVICES["kafka"]["environment"]
    assert environment["KAFKA_MESSAGE_MAX_BYTES"] == REQUEST_SIZE_MAX_BYTES
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_files_that_are_mounted_exist() -> None:
    """Docker would make an empty folder of a missing file."""
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    local = [volume.partition(":")[0] for volume in mounted if volume.startswith("./")]
    local += [one["file"] for one in read("docker-compose.yml")["configs"].values() if "file" in one]
    assert local
    assert [name for name in local if not (REPO / name).exists()] == []


def test_the_image_does_not_run_as_root_and_is_made_from_the_lock() -> None:
    """USER comes after the last RUN, and the lock constrains what pip installs."""
    words = [line.split()[0] for line in DOCKERFILE.splitlines() if line and line[0].isupper()]
    assert words.index("USER") > max(at for at, word in enumerate(words) if word == "RUN")
    assert "PIP_CONSTRAINT=/opt/segstream/requirements.lock" in DOCKERFILE


def test_the_dashboard_shows_metrics_of_the_catalogue() -> None:
    """Every name in every expression is a metric; a suffix only where there is a histogram."""
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    used = {name for expression in expressions for name in re.findall(rf"{PREFIX}\w+", expression)}
    assert used
    assert used - series() == set()


def series() -> set[str]:
    """Every name that a worker's scrape, or the file of a nightly look at health, can hold."""
    kinds = {metric.name: metric.kind for metric in (*CATALOGUE, *HEALTH)}
    return set(kinds) | {name + part for name, kind in kinds.items() if kind == "histogram" for part in HISTOGRAM_PARTS}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_ask_for_what_there_is(rule: dict[str, Any]) -> None:
    """Series of the catalogue, brackets that close, labels that metrics have, settings that exist."""
    labels = {metric.name: {label.name for label in metric.labels} for metric in (*CATALOGUE, *HEALTH)}
    used = set(re.findall(rf"{PREFIX}\w+", rule["expr"]))
    assert used - series() == set()
    assert used or "up{" in rule["expr"]
    assert all(rule["expr"].count(left) == rule["expr"].count(right) for left, right in ("()", "[]", "{}"))
    grouped = {word.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for word in group.split(",")}
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    known = set[str]().union(*(labels.get(re.sub("_bucket$", "", name), set()) for name in used))
    assert (grouped | shown) - known - OTHER_LABELS == set()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    named = set(re.findall(r"SEGSTREAM_\w+", rule["annotations"]["summary"]))
    assert named <= {"SEGSTREAM_" + key.upper() for key in Settings().shown()}


def test_prometheus_loads_the_alerts() -> None:
    """The rule file is named and mounted where it is looked for."""
    targets = {one["source"]: one["target"] for one in SERVICES["prometheus"]["configs"]}
    (named,) = read("deploy/prometheus.yml")["rule_files"]
    assert targets["alerts"] == f"/etc/prometheus/{named}"


def test_the_dashboard_groups_by_labels_that_exist() -> None:
    """`by (x)` on a metric without the label x draws one line and tells nothing."""
    labels = {metric.name: {label.name for label in metric.labels} for metric in CATALOGUE}
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    for target in (target for panel in panels for target in panel["targets"]):
        grouped = {word.strip() for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for word in group.split(",")}
        (name,) = set(re.findall(rf"{PREFIX}\w+?(?=_bucket|_sum|_count|[\[)])", target["expr"]))
        assert grouped - {"le"} <= labels[name], target["expr"]


def test_the_dashboard_reads_the_provisioned_source() -> None:
    """The uid in the panels is the uid that is provisioned."""
    (source,) = read("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
