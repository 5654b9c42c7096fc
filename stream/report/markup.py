"""HTML as values: every text that becomes part of a page goes through here and is escaped, wherever it comes from."""

from __future__ import annotations

import html
from collections.abc import Iterable

from stream.codec import plain_json

VOID = frozenset({"meta", "col"})  # have no end tag


class Markup(str):
    """Text that is HTML already, because it was made here."""

    __slots__ = ()


Child = str | Markup | None


def escaped(text: str) -> Markup:
    """A text as HTML; what is HTML already stays."""
    return text if isinstance(text, Markup) else Markup(html.escape(text, quote=True))


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. `class_` and `data_x` become `class` and `data-x`; an attribute that is None is left out."""
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"')
    parts.append(">")
    parts += [escaped(child) for child in children if child is not None]
    if name not in VOID:
        parts.append(f"</{name}>")
    return Markup("".join(parts))


def joined(children: Iterable[Child]) -> Markup:
    """One after the other."""
    return Markup("".join(escaped(child) for child in children if child is not None))


def script_json(value: object) -> Markup:
    """A value as JSON that no parser of HTML can leave: `<`, `>` and `&` are written as their numbers.

    Raises
    ------
    TypeError, ValueError : JSON has no word for it.
    """
    text = plain_json.encode(value).decode()
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
