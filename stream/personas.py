"""Personas for people: a model's clusters as Markdown, and as plain values for JSON."""

from __future__ import annotations

from typing import Any

from models.clusters.parts import plain
from models.clusters.personas import wording_of
from models.clusters.shape import Persona, Snapshot
from models.clusters.snapshot import digest
from stream.codec.times import iso
from stream.wordings import WORDINGS


def values(snapshot: Snapshot) -> dict[str, Any]:
    """The model's personas and what it tells of itself, as plain values."""
    labels = {cluster.id: cluster.label for cluster in snapshot.clusters}
    return {
        "model": digest(snapshot),
        "version": snapshot.version,
        "as_of": iso(snapshot.as_of_ms),
        "held": snapshot.held,
        "choice": plain(snapshot.choice),
        "preview": plain(snapshot.preview),
        "stays": plain(snapshot.stays),
        "lineage": plain(snapshot.lineage),
        "personas": [
            {"segment": f"cluster-{one.id}", "label": labels[one.id]} | _named(plain(one)) for one in snapshot.personas
        ],
    }


def _named(persona: dict[str, Any]) -> dict[str, Any]:
    """Features by the names people use."""
    for part in ("traits", "typical"):
        for item in persona[part]:
            wording = wording_of(item["feature"], WORDINGS)
            item["name"], item["unit"] = wording.plain, wording.unit
    return persona


def markdown(snapshot: Snapshot) -> str:
    """The personas as a page."""
    labels = {cluster.id: cluster.label for cluster in snapshot.clusters}
    state = "held until it is approved" if snapshot.held else "may be in force"
    lines = [
        f"# {len(snapshot.clusters)} kinds of customers",
        "",
        f"Model {digest(snapshot)}, version {snapshot.version}, as of {iso(snapshot.as_of_ms)}; {state}.",
    ]
    if snapshot.choice:
        lines.append(f"Why {snapshot.choice.clusters}: {snapshot.choice.reason}.")
    if snapshot.preview:
        lines.append(
            f"Against the model before, {snapshot.preview.share_moved:.1%} of the customers change cluster, "
            f"with {snapshot.preview.revenue_moved:.1%} of the revenue."
        )
    for persona in sorted(snapshot.personas, key=lambda one: -one.share):
        lines += ["", *_section(persona, labels[persona.id])]
    if snapshot.stays:
        lines += [
            "",
            "## How sure is sure",
            "",
            "| confidence from | in the same cluster a rotation later | customers |",
        ]
        lines += ["|---|---|---|"]
        lines += [f"| {one.confidence:g} | {one.share:.1%} | {one.count:,} |" for one in snapshot.stays]
    return "\n".join(lines) + "\n"


def _section(persona: Persona, label: str) -> list[str]:
    lines = [
        f"## {label}",
        "",
        f"`cluster-{persona.id}`: {persona.share:.1%} of customers, {persona.revenue_share:.1%} of revenue.",
        "",
        "| what sets them apart | the middle one of them | of all |",
        "|---|---|---|",
    ]
    for trait in persona.traits:
        wording = wording_of(trait.feature, WORDINGS)
        lines.append(
            f"| {wording.plain} | {_shown(trait.value, wording.unit)} | {_shown(trait.average, wording.unit)} |"
        )
    typical = ", ".join(
        f"{wording_of(one.feature, WORDINGS).plain} {_shown(one.value, wording_of(one.feature, WORDINGS).unit)}"
        for one in persona.typical
    )
    return [*lines, "", f"Typical: {typical}.", "", f"**How to address them.** {persona.address}"]


def _shown(value: float, unit: str) -> str:
    return f"{value:.0%}" if unit == "share" else f"{value:,.4g}"
