"""Write the reference pages from the live objects: `python -m stream.reference [--check]`.

The pages are `docs/reference/{cli,metrics,settings}.md` and the JSON Schema of definitions files;
`tests/house/test_reference.py` compares them.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from models.definitions.schema import schema
from stream.cli.commands import app_of, installed, load
from stream.metrics.catalogue import CATALOGUE, HEALTH, Label, Metric
from stream.settings import FILE_SUFFIX, Settings, env_name

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
HELP_WIDTH = 88  # fits a page and a terminal beside an editor
NOTE = "<!-- Written by `python -m stream.reference`; change the source it names, not this page. -->\n\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them: 0 equal, 1 different, 2 broken usage."""
    if arguments not in ([], ["--check"]):
        typer.echo("usage: python -m stream.reference [--check]", err=True)
        return 2
    stale = [name for name, text in pages().items() if _read(FOLDER / name) != text]
    if arguments:
        for name in stale:
            typer.echo(f"{FOLDER / name} is stale: run python -m stream.reference", err=True)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(pages()[name], "utf-8")
    typer.echo(f"{len(stale)} pages written")
    return 0


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {
        "cli.md": cli_page(),
        "metrics.md": metrics_page(),
        "segments.schema.json": schema_text(),
        "settings.md": settings_page(),
    }


def schema_text() -> str:
    """Return the JSON Schema of definitions files."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def settings_page() -> str:
    """Return the page of settings, from `stream.settings.Settings`."""
    rows = [_settings_row(one) for one in dataclasses.fields(Settings)]
    return (
        f"# Settings\n\n{NOTE}"
        "From `stream/settings.py`. A flag wins over the environment, the environment over the default.\n"
        "A worker prints all of them when it starts, secrets as `***`. A variable that is nearly one of\n"
        "these names is an error.\n\n"
        "| variable | default | range | meaning |\n|---|---|---|---|\n" + "".join(rows)
    )


def _settings_row(one: dataclasses.Field[Any]) -> str:
    default = str(one.default).lower() if isinstance(one.default, bool) else str(one.default)
    shown = f"`{default}`" if default else "empty"
    meaning = one.metadata["help"]
    if one.metadata["secret"]:
        meaning = f"{meaning} Or `{env_name(one.name)}{FILE_SUFFIX}`: a file that holds it."
    return f"| `{env_name(one.name)}` | {shown} | {_range(one)} | {meaning} |\n"


def _range(one: dataclasses.Field[Any]) -> str:
    low, high, choices = (one.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return _listed(choices)
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    return f"at least {low:,}" if low is not None else ""


def metrics_page() -> str:
    """Return the page of metrics, from `stream.metrics.catalogue`."""
    labels = {label.name: label for one in (*CATALOGUE, *HEALTH) for label in one.labels}
    head = "| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
    return (
        f"# Metrics\n\n{NOTE}"
        "From `stream/metrics/catalogue.py`. A worker serves them under `/metrics`,\n"
        "beside `/healthz` and `/readyz`, where the settings `metrics_host` and `metrics_port` say.\n"
        "Histograms add `_bucket`, `_sum`, `_count`. No label holds a customer or a payload.\n\n"
        + head
        + _metric_rows(CATALOGUE)
        + "\n## Health\n\nWhat `segstream health --format prometheus` prints, for a file that a collector reads.\n\n"
        + head
        + _metric_rows(HEALTH)
        + "\n## Labels\n\nWhy each has a bounded number of values.\n\n"
        + "| label | bounded by | values |\n|---|---|---|\n"
        + "".join(_label_row(labels[name]) for name in sorted(labels))
    )


def _metric_rows(metrics: Iterable[Metric]) -> str:
    return "".join(
        f"| `{one.name}` | {one.kind} | {one.unit} | {_listed(of.name for of in one.labels)} | {one.help} |\n"
        for one in metrics
    )


def _label_row(label: Label) -> str:
    return f"| `{label.name}` | {label.bound} | {_listed(label.values)} |\n"


def cli_page() -> str:
    """Return the page of commands: the help of the live program."""
    root = typer.Context(app_of(), info_name="segstream", terminal_width=HELP_WIDTH)
    sections = [_help_section(root)]
    for command in installed():
        sections += _sections_of(load(command), command.name, root)
    return (
        f"# Commands\n\n{NOTE}"
        "The output of `--help`. Exit codes: 0 clean, 1 findings, 2 broken usage or crash.\n\n" + "\n".join(sections)
    )


def _sections_of(command: Any, name: str, parent: typer.Context) -> list[str]:
    context = typer.Context(command, info_name=name, parent=parent, terminal_width=HELP_WIDTH)
    inner = [_sections_of(one, inner_name, context) for inner_name, one in getattr(command, "commands", {}).items()]
    return [_help_section(context), *(section for sections in inner for section in sections)]


def _help_section(context: typer.Context) -> str:
    text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
    return f"## `{context.command_path}`\n\n```text\n{text}\n```\n"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
