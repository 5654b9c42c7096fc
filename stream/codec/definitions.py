"""Definitions and snapshots as documents: YAML files in, JSON records in and out. The owner of the YAML parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from models.cases.case import Case
from models.cases.language import parse_cases
from models.clusters.snapshot import Snapshot, from_document, to_document
from models.definitions.analysis.remarks import ERROR, remarks_on
from models.definitions.document import Definitions
from models.definitions.language import DefinitionError, mistakes, parse
from stream.errors import SegstreamError

_DUPLICATE = re.compile(r'found duplicate key ("[^"]{0,80}")')
_DIGEST = re.compile("[0-9a-f]{16}")
FILE_BYTES_MAX = 1_000_000  # a definitions file or a snapshot is a few kilobytes; a megabyte is something else
CASES_SUFFIX = ".tests.yaml"  # of the file of cases beside a definitions file
NODES_MAX = 100_000  # of a definitions file with its aliases written out: a thousand times the shipped one


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake in a definitions file, or an oddity, where an editor can go to it (lines and columns from 1)."""

    path: str
    problem: str
    line: int
    column: int
    level: str = ERROR
    rule: str = "invalid"


def gallery_names() -> list[str]:
    """The documents that come with segstream: one for each kind of segmentation, and `shipped`."""
    entries = (files("models.definitions") / "gallery").iterdir()
    names = [entry.name for entry in entries if entry.name.endswith(".yaml")]
    return sorted(name.removesuffix(".yaml") for name in names if not name.endswith(CASES_SUFFIX))


def gallery_text(name: str) -> str:
    """A document of the gallery as YAML; raises SegstreamError when there is none of the name."""
    names = gallery_names()
    if name not in names:
        raise SegstreamError(f"the gallery has no {name!r}", f"take one of {', '.join(names)}")
    return (files("models.definitions") / "gallery" / f"{name}.yaml").read_text(encoding="utf-8")


def shipped_text() -> str:
    """The definitions that segstream ships with, as YAML."""
    return gallery_text("shipped")


def text_of(path: str) -> str:
    """A definitions file, or the shipped one for an empty path; raises SegstreamError when it cannot be read."""
    if not path:
        return shipped_text()
    file = Path(path)
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise SegstreamError(f"{path} is larger than {FILE_BYTES_MAX} bytes", "give a definitions file")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SegstreamError(f"{path} cannot be read: {error}", "give the path of a segments.yaml") from None


def plain(text: str) -> Any:
    """Plain dicts, lists, strings and numbers of a YAML text."""
    tree = _yaml(text, "safe")
    if _nodes(tree, {}) > NODES_MAX:  # ten lines of aliases to aliases would fill the memory
        raise DefinitionError("", f"has more than {NODES_MAX} values once its aliases are written out")
    return orjson.loads(orjson.dumps(tree, option=orjson.OPT_NON_STR_KEYS))


def _nodes(tree: Any, known: dict[int, int]) -> int:
    """How many values a tree has, each alias counted as what it stands for; an alias inside itself as too many."""
    if not isinstance(tree, dict | list):
        return 1
    if id(tree) not in known:
        known[id(tree)] = NODES_MAX  # until it is counted
        children = tree.values() if isinstance(tree, dict) else tree
        known[id(tree)] = 1 + sum(_nodes(child, known) for child in children)
    return known[id(tree)]


def load(path: str) -> tuple[Definitions, bytes]:
    """Definitions of a file and the document to publish; raises SegstreamError naming line and column."""
    text = text_of(path)
    findings = check(text)
    if findings:
        first = findings[0]
        raise SegstreamError(
            f"{path or 'shipped definitions'}:{first.line}:{first.column}: {first.path}: {first.problem}",
            f"`segstream definitions check {path}` shows it",
        )
    document = plain(text)
    definitions = parse(document)
    return definitions, orjson.dumps({key: value for key, value in document.items() if key != "tests"})


def check(text: str) -> list[Finding]:
    """What is wrong with a YAML text, in its order; empty when it can be adopted."""
    try:
        tree = _yaml(text, "rt")
    except Exception as error:  # noqa: BLE001 - ruamel raises ValueError, TypeError and more for odd scalars
        return [_not_yaml(error)]
    document: Any = None
    try:
        document = plain(text)
        definitions = parse(document)
        parse_cases(document.get("tests", []), definitions)
    except DefinitionError as error:
        found = [(_place(tree, one.path), one) for one in _mistakes(document) or [error]]
        found.sort(key=lambda one: one[0][:2])
        return [Finding(one.path, one.problem, line, column) for (line, column, _), one in found]
    except YAMLError as error:  # a tag: the tree keeps it, plain values have none
        return [_not_yaml(error)]
    except orjson.JSONEncodeError as error:
        return [Finding("", f"holds something that is no text, number, list or mapping: {error}", 1, 1)]
    return []


def _mistakes(document: Any) -> list[DefinitionError]:
    return [] if document is None else mistakes(document)


def _not_yaml(error: Exception) -> Finding:
    """What the parser said, at its place."""
    mark = (error.problem_mark or error.context_mark) if isinstance(error, MarkedYAMLError) else None
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if isinstance(error, DuplicateKeyError):  # it shows both values, each of which may be pages long
        key = _DUPLICATE.match(error.problem or "")
        return Finding("", f"not YAML: the key {key[1] if key else ''} is there twice", line, column)
    return Finding("", f"not YAML: {error.problem if isinstance(error, MarkedYAMLError) else error}", line, column)


def remarks(text: str) -> list[Finding]:
    """What is odd about a text in which nothing is wrong: see models/definitions/analysis."""
    tree = _yaml(text, "rt")
    found = []
    for one in remarks_on(parse(plain(text))):
        line, column, path = _place(tree, one.path)
        found.append(Finding(path, one.problem, line, column, one.level, one.rule))
    return found


def refusals(text: str) -> list[Finding]:
    """What keeps a text from being put in force: mistakes or, where there are none, what is proved to be an error."""
    return check(text) or [one for one in remarks(text) if one.level == ERROR]


def cases_of(text: str, definitions: Definitions) -> tuple[tuple[Case, ...], list[Finding]]:
    """The cases under `tests:` of a YAML text, a file of their own or not; or what is wrong with them."""
    try:
        document = plain(text)
        tests = document.get("tests", []) if isinstance(document, dict) else None
        return parse_cases(tests, definitions), []
    except DefinitionError as error:
        line, column, _ = Places(text).of(error.path)
        return (), [Finding(error.path, error.problem, line, column)]
    except Exception as error:  # noqa: BLE001 - as in check
        return (), [_not_yaml(error)]


class Places:
    """Where everything of a YAML text stands."""

    def __init__(self, text: str) -> None:
        self._tree = _yaml(text, "rt")

    def of(self, path: str) -> tuple[int, int, str]:
        """Line and column, from 1, of the nearest node on the way to `path`, and that way."""
        return _place(self._tree, path)


def _yaml(text: str, kind: str) -> Any:
    """The tree of a text: "safe" for plain values, "rt" with the places of everything."""
    return YAML(typ=kind, pure=True).load(text)  # YAML 1.2: `no` is a word and not false


def _place(tree: Any, path: str) -> tuple[int, int, str]:
    """Line and column, from 1, of the nearest node on the way to `path`, and the way that the text has."""
    line, column, way = 0, 0, ""
    node = tree
    for part in path.replace("[", ".[").split("."):
        if isinstance(node, CommentedMap) and part in node:
            line, column = node.lc.key(part)
            way, node = f"{way}.{part}", node[part]
        elif isinstance(node, CommentedSeq) and part.startswith("[") and int(part[1:-1]) < len(node):
            line, column = node.lc.item(int(part[1:-1]))
            way, node = f"{way}{part}", node[int(part[1:-1])]
        else:
            break
    return line + 1, column + 1, way.lstrip(".")


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """A snapshot's record value."""
    return orjson.dumps(to_document(snapshot))


def decode_snapshot(value: bytes) -> Snapshot:
    """The snapshot of a record; raises ValueError when it is not whole."""
    return from_document(document_of(value))


def document_of(value: bytes) -> Any:
    """A record's JSON, of a size that ours have."""
    if len(value) > FILE_BYTES_MAX:
        raise ValueError(f"larger than {FILE_BYTES_MAX} bytes")
    return orjson.loads(value)


def encode_approval(name: str) -> tuple[bytes, bytes]:
    """Key and value of the record that approves a held snapshot, named by its digest."""
    return f"approval-{name}".encode(), orjson.dumps({"approves": name})


def decode_model(value: bytes) -> Snapshot | str:
    """A snapshot, or the digest of one that is approved; raises ValueError when the record is neither."""
    document = document_of(value)
    if isinstance(document, dict) and "approves" in document:
        name = document["approves"]
        if not isinstance(name, str) or not _DIGEST.fullmatch(name):
            raise ValueError("approves no digest")
        return name
    return from_document(document)
