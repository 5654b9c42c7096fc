"""The JSON Schema of definitions files: for editors, from the catalogue and the parser's own limits and patterns.

What the parser accepts the schema accepts, and a mistake of the shape both refuse. What needs more than shape (names
that must be known elsewhere, what a row can answer) only `segstream definitions check` finds.
"""

from __future__ import annotations

import re
from typing import Any

from models import events as e
from models.cases import language as cases
from models.changes import TRIGGERS
from models.customers.row import AUDIENCES_MAX, CATEGORIES_MAX, DIMENSIONS_MAX
from models.definitions import language
from models.definitions.comparison import FORMS, TEXT_MAX, patterns
from models.definitions.document import CLUSTER, RULES
from models.features.catalogue import ALIASES, BY_NAME, FEATURES, WINDOW_ALIASES

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": "string"}
_FEATURE_GROUP = r"(?P<feature>[a-z_]\w*(?:\.\w+)?)"  # of a comparison: here only names that there are


def schema() -> Schema:
    """The schema of a whole document, draft 2020-12."""
    name = {"type": "string", "pattern": f"^{language.NAME_PATTERN}$"}
    return {
        "$schema": DIALECT,
        "title": "Definitions of segstream",
        "description": "What a segment is. `segstream definitions check FILE` finds more than a schema can say.",
        **_object(
            {
                "version": {"const": 1},
                "name": {**name, "description": "names the document for people"},
                "attributes": _attributes(),
                "categories": {
                    "type": "array",
                    "description": "what conditions may ask of the categories of clicks",
                    "maxItems": CATEGORIES_MAX,
                    "uniqueItems": True,
                    "items": {"type": "string", "pattern": f"^{language.CATEGORY_PATTERN}$"},
                },
                "cuts": {"$ref": "#/$defs/cuts"},
                "dimensions": {
                    "type": "object",
                    "description": "questions that have one answer for each customer",
                    "minProperties": 1,
                    "maxProperties": DIMENSIONS_MAX,
                    "propertyNames": name,
                    "additionalProperties": {"anyOf": [{"$ref": "#/$defs/rules"}, {"$ref": "#/$defs/cluster"}]},
                },
                "audiences": {
                    "type": "object",
                    "description": "a customer is in one or not",
                    "minProperties": 1,
                    "maxProperties": AUDIENCES_MAX,
                    "propertyNames": name,
                    "additionalProperties": _audience(name),
                },
                "budget": {
                    "type": "array",
                    "description": "limits that a backtest holds the document to",
                    "maxItems": language.SEGMENTS_MAX,
                    "items": TEXT,
                },
                "tests": {"type": "array", "maxItems": cases.CASES_MAX, "items": {"$ref": "#/$defs/case"}},
            },
            "version", "cuts",
        ),
        "anyOf": [{"required": ["dimensions"]}, {"required": ["audiences"]}],
        "$defs": {
            "rules": _rules(name),
            "cluster": _cluster(),
            "condition": _condition(),
            "comparison": _comparison(),
            "cuts": _cuts(),
            "case": _case(),
            "given": _given(),
            "span": {"type": "string", "pattern": rf"^\s*(?:now|{_plain(cases.SPAN_PATTERN)})\s*$"},
            "segment": {"type": ["string", "null"], "description": "a segment's name; null: none"},
        },
    }  # fmt: skip


def _object(properties: dict[str, Schema], *required: str) -> Schema:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
    }  # fmt: skip


def _attributes() -> Schema:
    return {
        "type": "object",
        "description": "what conditions may ask of the profiles topic",
        "maxProperties": e.ATTRIBUTES_MAX,
        "propertyNames": {"pattern": f"^{language.ATTRIBUTE_PATTERN}$"},
        "additionalProperties": {"enum": ["number", "string"]},
    }


def _cuts() -> Schema:
    point = {"type": "number", "minimum": 0, "maximum": language.CUT_MAX}
    lists = {
        name: {"type": "array", "items": point, "minItems": count, "maxItems": count}
        for name, count in language.CUTS.items()
    }
    return {"description": "cut points of the scores until a model brings its own", **_object(lists, *lists)}


def _days(least: float, meaning: str) -> Schema:
    return {"type": "number", "minimum": least, "maximum": language.DAYS_MAX, "description": meaning}


def _membership() -> dict[str, Schema]:
    """What a segment and an audience have in common."""
    return {
        "when": {"$ref": "#/$defs/condition", "description": "who enters"},
        "stay": {"$ref": "#/$defs/condition", "description": "who stays besides those who may enter"},
        "dwell_days": _days(0, "the least time in a segment"),
        "cooldown_days": _days(0, "the least time until it is entered again; of a segment without others"),
        "description": TEXT,
    }


def _audience(name: Schema) -> Schema:
    known = {**name, "description": "what it is known by for ever, where that is not its name"}
    return _object({"id": known, **_membership()}, "when")


def _rules(name: Schema) -> Schema:
    dwell = _days(0, "the least time in a segment")
    known = {**name, "description": "what it is known by for ever, where that is not its name"}
    segment = _object({"id": known, "name": name, **_membership()}, "name", "when")
    segments = {"type": "array", "minItems": 1, "maxItems": language.SEGMENTS_MAX, "items": segment}
    return _object(
        {
            "kind": {"const": RULES},
            "description": TEXT,
            "segments": {**segments, "description": "in order: the first whose condition holds is the answer"},
            "dwell_days": dwell,
        },
        "segments",
    )


def _cluster() -> Schema:
    margin = {"type": "number", "minimum": 0, "maximum": language.MARGIN_MAX}
    return _object(
        {
            "kind": {"const": CLUSTER},
            "description": TEXT,
            "margin": {**margin, "description": "how much nearer another cluster must be, as a share"},
            "review_days": _days(language.REVIEW_DAYS_MIN, "how often a silent customer is looked at again"),
            "dwell_days": _days(0, "the least time in a cluster"),
        },
        "kind",
    )


def _condition() -> Schema:
    this = {"$ref": "#/$defs/condition"}
    parts = {"type": "array", "minItems": 1, "items": this}
    return {
        "anyOf": [
            {"$ref": "#/$defs/comparison"},
            _object({"all": parts}, "all"),
            _object({"any": parts}, "any"),
            _object({"not": this}, "not"),
        ]
    }


def _comparison() -> Schema:
    names = sorted({*BY_NAME, *ALIASES, *WINDOW_ALIASES}, key=lambda one: (-len(one), one))
    known = f"(?:{'|'.join(names)}|profile\\.\\w+)"
    forms = [_plain(one.replace(_FEATURE_GROUP, known)) for one in patterns()]
    features = ", ".join(f"{one.name}{' in ...' if one.windowed else ''} ({one.meaning})" for one in FEATURES)
    return {
        "type": "string",
        "description": f"one comparison. Features: {features}",
        "examples": list(FORMS),
        "pattern": rf"^\s*(?:always|{'|'.join(forms)})\s*$",
        "maxLength": TEXT_MAX,
    }


def _plain(pattern: str) -> str:
    """A pattern without names of groups: ECMAScript, whose dialect JSON Schema has, writes those otherwise."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _given() -> Schema:
    inner: dict[str, Schema] = {
        "purchase": {"type": "number", "description": "an amount of money, negative for a refund"},
        "click": {"enum": list(e.CLICK_ACTIONS)},
        "email": {"enum": list(e.EMAIL_ACTIONS)},
        "profile": {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean", "null"]}},
    }
    common: dict[str, Schema] = {
        "at": {"$ref": "#/$defs/span"},
        "times": {"type": "integer", "minimum": 1, "maximum": cases.GIVEN_MAX},
        "category": {"type": "string", "description": "of a click: one of those declared"},
        "machine": {"type": "boolean", "description": "of an e-mail: a machine did it"},
    }
    return {**_object({**common, **inner}, "at"), "oneOf": [{"required": [kind]} for kind in cases.KINDS]}


def _case() -> Schema:
    segment, features = {"$ref": "#/$defs/segment"}, {"type": "array", "items": TEXT}
    change = _object(
        {
            "dimension": TEXT,
            "segment": segment,
            "previous": segment,
            "at": {"$ref": "#/$defs/span"},
            "trigger": {"enum": [*TRIGGERS, None]},
            "reasons": features,
        },
        "dimension", "segment",
    )  # fmt: skip
    until = {"anyOf": [{"const": "never"}, {"$ref": "#/$defs/span"}]}
    deadline = {**_object({"valid_until": until, "next_if_silent": segment}), "minProperties": 1}
    expect = _object(
        {
            "segments": {"type": "object", "additionalProperties": segment},
            "changes": {"type": "array", "items": change},
            "reasons": {"type": "object", "additionalProperties": features},
            "deadlines": {"type": "object", "additionalProperties": deadline},
        }
    )
    return _object(
        {
            "name": {"type": "string", "pattern": "^[^\\x00-\\x1f]+$", "maxLength": cases.NAME_LENGTH_MAX},
            "description": TEXT,
            "at": {"type": "string", "description": "the time at which it is looked, in ISO 8601"},
            "cuts": {"$ref": "#/$defs/cuts"},
            "given": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/given"}},
            "expect": {**expect, "minProperties": 1},
        },
        "name", "given", "expect",
    )  # fmt: skip
