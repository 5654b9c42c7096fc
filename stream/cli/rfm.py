"""`segstream rfm EVENTS`: the ten RFM segments as they are published, and as the live dimension has them."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.options import Definitions, Json, Mapping
from stream.cli.past import files_of_any_schema
from stream.cli.times import epoch_ms
from stream.clock import wall_ms
from stream.settings import Settings

if TYPE_CHECKING:
    from models.rfm import Scored, Split
    from stream.backtest.buyers import Buyers

app = typer.Typer()

DAY_MS = 86_400_000
WHY = (
    "The published form ranks customers by their orders and breaks ties by the order of ids, so that each fifth has\n"
    "as many customers. By cut points equal customers have equal scores, whatever they are called: so does the live\n"
    "dimension."
)


class Ties(enum.StrEnum):
    """Who decides between customers with as many orders."""

    FIRST = "first"
    EQUAL = "equal"


@app.command()
def rfm(
    events: Annotated[list[str], typer.Argument(metavar="EVENTS...", help="Parquet, CSV or JSON-lines files.")],
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="As of then; without it, midnight after the last order."),
    ] = None,
    ties: Annotated[
        Ties, typer.Option("--ties", help="equal: by cut points of orders. first: by ranks, ties by id, as published.")
    ] = Ties.EQUAL,
    mapping: Mapping = None,
    definitions: Definitions = None,
    as_json: Json = False,
) -> None:
    """Print the ten RFM segments of everybody who has ordered: customers and revenue, and what the ties change.

    Recency is whole days from the last order, by quintiles; refunds are left out. With `--ties equal` orders are
    scored by the cut points of the definitions. Whichever is chosen, the other stands beside it.
    """
    from models.rfm import by_cuts, by_rank, split
    from stream.backtest.buyers import read_buyers
    from stream.codec.definitions import load

    settings = Settings.load(definitions=definitions)
    at_ms = epoch_ms(at) if at else None
    buyers = read_buyers(files_of_any_schema(events, mapping), wall_ms() + settings.future_ms_max, at_ms)
    if at_ms is None:
        at_ms = (int(buyers.last_order_ms.max()) // DAY_MS + 1) * DAY_MS
    days = (at_ms - buyers.last_order_ms) // DAY_MS
    cuts = load(settings.definitions)[0].cuts["orders"]
    ranked, cut = by_rank(days, buyers.orders), by_cuts(days, buyers.orders, cuts)
    tables = {Ties.FIRST: _table(buyers, ranked), Ties.EQUAL: _table(buyers, cut)}
    difference = split(days, buyers.orders, ranked, cut)
    if as_json:
        typer.echo(json.dumps(_plain(at_ms, ties, tables, (ranked, cut)[ties is Ties.EQUAL], difference)))
    else:
        typer.echo(_words(buyers, at_ms, ties, tables, difference))


def _table(buyers: Buyers, scored: Scored) -> dict[str, dict[str, float]]:
    """Customers and revenue by segment, with the shares of both."""
    from models.events import MINOR_PER_MAJOR
    from models.rfm import NAMES

    customers, spend = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for name, minor in zip(scored.segments(), buyers.spend_minor.tolist(), strict=True):
        customers[name] += 1
        spend[name] += minor
    whole = max(sum(spend.values()), 1)
    return {
        name: {
            "customers": customers[name],
            "share": round(customers[name] / len(buyers), 4),
            "revenue": spend[name] / MINOR_PER_MAJOR,
            "revenue_share": round(spend[name] / whole, 4),
        }
        for name in NAMES
    }


def _plain(at_ms: int, ties: Ties, tables: dict[Ties, Any], scored: Scored, difference: Split) -> dict[str, Any]:
    from stream.codec.times import iso

    other = Ties.EQUAL if ties is Ties.FIRST else Ties.FIRST
    return {
        "at": iso(at_ms),
        "ties": ties.value,
        "customers": sum(one["customers"] for one in tables[ties].values()),
        "recency_cuts_days": [round(cut, 6) for cut in scored.recency_cuts],
        "orders_cuts": list(scored.frequency_cuts) or None,
        "segments": tables[ties],
        f"segments_ties_{other.value}": tables[other],
        "difference": {
            "customers_in_another_segment": difference.differ,
            "groups_of_equal_customers_split": difference.groups,
            "customers_in_split_groups": difference.customers,
            "one_order_by_frequency_score": {str(score): count for score, count in difference.one_order.items()},
        },
    }


def _words(buyers: Buyers, at_ms: int, ties: Ties, tables: dict[Ties, Any], difference: Split) -> str:
    from stream.backtest.words import table
    from stream.codec.times import iso

    other = Ties.EQUAL if ties is Ties.FIRST else Ties.FIRST
    rows: list[tuple[str, ...]] = [
        ("rfm", "customers", "share", "revenue", "its share", f"ties {other.value}", "difference")
    ]
    for name, one in tables[ties].items():
        there = tables[other][name]["customers"]
        cells = (
            f"{one['customers']:,}",
            f"{one['share']:.1%}",
            f"{one['revenue']:,.0f}",
            f"{one['revenue_share']:.1%}",
        )
        rows.append((name, *cells, f"{there:,}", f"{there - one['customers']:+,}"))
    once = ", ".join(f"{count:,} score {score}" for score, count in difference.one_order.items())
    return "\n".join(
        [
            f"{len(buyers):,} customers with an order before {iso(at_ms)[:10]}, ties {ties.value}",
            "",
            *table(rows, markdown=False),
            "",
            WHY,
            f"{difference.differ:,} customers are in another segment. The published form splits {difference.groups:,}",
            f"groups of equal customers, {difference.customers:,} in all; of those with one order {once}.",
        ]
    )
