"""Why a customer is where they are, as plain values and in words: of `models.tree` and `models.trial`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.clusters.assign import nearest
from models.customers.row import NEVER_MS
from models.definitions.document import CLUSTER
from models.engine import Engine, Judge
from models.events import MINOR_PER_MAJOR
from models.features.catalogue import CLUSTER_FEATURES
from models.forecast import leaves_ms
from models.tree import LATER, Asked, Node, Standing, standings
from models.trial import SMALL_MINOR, Found, Kept, Trial
from models.workspace import workspace
from stream.codec import plain_json
from stream.codec.changes import TermWords
from stream.codec.times import iso
from stream.words import audience_of

DEEDS: Mapping[str, tuple[str, str]] = {
    "purchase": ("purchase", "purchases"),
    "visit": ("visit", "visits"),
    "cart": ("thing put into the cart", "things put into the cart"),
    "open": ("e-mail opened", "e-mails opened"),
}
"""What a customer can do, one and many."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody to explain: a row (record array of length 1) settled up to `now_ms`, and what judges it."""

    customer_id: str
    now_ms: int
    row: Any
    judge: Judge
    warming: Mapping[str, int] = field(default_factory=dict)  # new categories, and until when they are not whole


def explain(subject: Subject, dimensions: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything as plain values; only of these dimensions, if any are named."""
    engine = Engine(subject.judge, 1)
    trial = Trial(subject.row, subject.now_ms, subject.judge)
    names = [one.name for one in subject.judge.definitions.dimensions]
    found = standings(subject.row, subject.now_ms, engine, subject.judge)
    return {
        "customer_id": subject.customer_id,
        "as_of": iso(subject.now_ms),
        "definition": subject.judge.definitions.digest,
        "model": subject.judge.model or None,
        "warming": {name: iso(until) for name, until in subject.warming.items() if until > subject.now_ms},
        "dimensions": {
            names[one.dimension]: _dimension(subject, trial, one)
            for one in found
            if not dimensions or names[one.dimension] in dimensions
        },
    }


def _dimension(subject: Subject, trial: Trial, one: Standing) -> dict[str, Any]:
    judge, d = subject.judge, one.dimension
    is_cluster = judge.definitions.dimensions[d].kind == CLUSTER
    until = one.valid_until_ms
    leaves = until is not None and until == leaves_ms(subject.row[0], judge.rules.retention_ms)
    found: dict[str, Any] = {
        "segment": judge.segment_name(d, one.code),
        "label": judge.label(d, one.code),
        "since": _time(one.since_ms),
        "dwells_until": _time(one.dwells_until_ms),
        "would_be": judge.segment_name(d, one.follows),
        "valid_until": _time(until),
        "next_if_silent": judge.segment_name(d, one.next_code) if one.next_code >= 0 else None,
        "leaves": leaves,
    }
    if is_cluster:
        found |= {"runner_up": judge.segment_name(d, one.runner_up) if one.runner_up >= 0 else None,
                  "confidence": round(one.confidence, 6), "features": _features(subject)}  # fmt: skip
    else:
        found["segments"] = [_asked(judge, asked) for asked in one.segments]
    moves = [_move(judge, d, move) for move in trial.moves(d)]
    keeps = (
        [_keep(judge, d, one, keep) for keep in trial.keeps(d, until)] if until and not (is_cluster or leaves) else []
    )
    return found | {"counterfactuals": moves + keeps}


def _time(ms: int | None) -> str | None:
    return None if ms is None or ms >= NEVER_MS else iso(ms)


def _asked(judge: Judge, asked: Asked) -> dict[str, Any]:
    return {
        "segment": asked.segment.name,
        "verdict": "not asked" if asked.verdict == LATER else asked.verdict,
        "asked": asked.asked,
        "condition": _plain(judge, asked.node),
    }


def _plain(judge: Judge, node: Node) -> dict[str, Any]:
    if node.term is None:
        parts = {"parts": [_plain(judge, part) for part in node.parts]} if node.parts else {}
        return {"kind": node.kind, "holds": node.holds, **parts}
    words = TermWords(node.term, judge)
    told = plain_json.decode(f"{words.head}0,{words.middle}{words.shown(node.value)}{words.tail}".encode())
    return {
        "kind": node.kind,
        "holds": node.holds,
        "feature": told["feature"],
        "op": told["op"],
        "threshold": None if told["op"] == "present" else told["threshold"],
        "value": told["after"],
    }


def _features(subject: Subject) -> list[dict[str, Any]]:
    """What the cluster hangs on: each feature as it is, and how far from the middle of all customers."""
    model, work = subject.judge.rules.model[0], workspace()
    nearest(subject.row[0], subject.now_ms, model, 0.0, 0, work.raw, work.z)
    columns = zip(CLUSTER_FEATURES, work.raw.tolist(), work.z.tolist(), strict=True)
    found = [{"feature": name, "value": round(raw, 6), "z": round(z, 6)} for name, raw, z in columns]
    return sorted(found, key=lambda one: -abs(float(one["z"])))


def _move(judge: Judge, d: int, move: Found) -> dict[str, Any]:
    one, many = DEEDS[move.deed]
    there = judge.segment_name(d, move.code)
    what = f"one more {one}" if move.times == 1 else f"{move.times} more {many}"
    amount = move.amount_minor / MINOR_PER_MAJOR
    if move.deed == "purchase":
        what += " of any size" if move.amount_minor <= SMALL_MINOR else f" of {amount:,.2f} or more"
    verb = "enters" if move.times == 1 else "enter"
    told = (
        f"{what} {verb} {_called(judge, d, there)}"
        if there
        else f"{what} {'leads' if move.times == 1 else 'lead'} out of it"
    )
    least = {"amount_at_least": amount} if move.deed == "purchase" else {}
    return {"deed": move.deed, "times": move.times, **least, "segment": there, "words": told}


def _keep(judge: Judge, d: int, one: Standing, keep: Kept) -> dict[str, Any]:
    name, before = judge.segment_name(d, one.code), iso(one.valid_until_ms or 0)
    article = "an" if DEEDS[keep.deed][0][0] in "aeiou" else "a"
    until = _time(keep.until_ms)
    out_of = " them out of" if audience_of(judge.definitions.dimensions[d].name) and not name else ""
    kept = f"keeps{out_of} {_called(judge, d, name)}"
    told = f"{article} {DEEDS[keep.deed][0]} before {before[:16].replace('T', ' ')} {kept}"
    return {"deed": keep.deed, "before": before, "segment": name or "this", "then_valid_until": until, "words": told}


def _called(judge: Judge, d: int, segment: str | None) -> str:
    """A segment in words; an audience has a name and no segment."""
    audience = audience_of(judge.definitions.dimensions[d].name)
    return f"audience `{audience}`" if audience else f"`{segment or 'this'}`"


def told(found: Mapping[str, Any]) -> str:
    """The whole of it for people."""
    lines = [f"{found['customer_id']} as of {found['as_of']}, definitions {found['definition']}"]
    lines += [
        f"warming until {until[:16].replace('T', ' ')}: earlier clicks on {name} are not known"
        for name, until in found.get("warming", {}).items()
    ]
    for name, dimension in found["dimensions"].items():
        lines += ["", _headline(name, dimension)]
        for asked in dimension.get("segments", ()):
            lines += _segment_lines(asked)
        for one in dimension.get("features", ())[:FEATURES_TOLD]:
            lines.append(f"  {one['feature']} is {one['value']:g}, {one['z']:+.1f} from the middle")
        lines += [f"  * {one['words']}" for one in dimension["counterfactuals"]]
    return "\n".join(lines)


FEATURES_TOLD = 3  # of a cluster: as many as a change has


def _headline(name: str, one: Mapping[str, Any]) -> str:
    label = f" ({one['label']})" if one["label"] else ""
    text = f"{name}: {one['segment'] or 'no segment'}{label}"
    if audience := audience_of(name):
        text = f"audience {audience}: {'in it' if one['segment'] else 'not in it'}"
    if one["since"]:
        text += f" since {one['since'][:16].replace('T', ' ')}"
    if one["valid_until"]:
        following = f"{one['next_if_silent']} follows" if one["next_if_silent"] else "it is looked at again"
        if audience:
            following = "it is entered" if one["next_if_silent"] else "it is left"
        following = "the customer is forgotten" if one["leaves"] else following
        text += f"; if silent, {following} on {one['valid_until'][:16].replace('T', ' ')}"
    if one["would_be"] != one["segment"] and one["dwells_until"]:
        waiting = one["would_be"] or "no segment"
        if audience:
            waiting = "entering it" if one["would_be"] else "leaving it"
        text += f"; {waiting} waits until {one['dwells_until'][:16].replace('T', ' ')}"
    return text


def _segment_lines(asked: Mapping[str, Any]) -> Iterator[str]:
    verdict = {"entered": "YES", "kept": "STAYS", "no": "no", "not asked": "not asked"}[asked["verdict"]]
    yield f"  {asked['segment']}: {verdict}"
    if asked["verdict"] != "not asked":
        yield from _tree_lines(asked["condition"], 2)


def _tree_lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    mark = "+" if node["holds"] else "-"
    indent = "  " * depth
    if node["kind"] != "comparison":
        yield f"{indent}{mark} {node['kind']}"
        for part in node.get("parts", ()):
            yield from _tree_lines(part, depth + 1)
        return
    threshold = "" if node["threshold"] is None else f" {_text(node['threshold'])}"
    value = "never" if node["value"] is None and "since" in node["feature"] else _text(node["value"])
    yield f"{indent}{mark} {node['feature']} {node['op']}{threshold} (is {value})"


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
