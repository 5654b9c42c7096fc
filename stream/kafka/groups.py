"""Who is in the consumer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaConnectionError, KafkaError, for_code

from stream.errors import SegstreamError
from stream.kafka import client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.settings import Settings

CODE, MEMBERS = 0, 5  # places of the error and the members in the description of a group: aiokafka gives a tuple


async def members(settings: Settings) -> int:
    """How many members the group of the settings has; a killed one counts until its session has ended.

    Raises
    ------
    SegstreamError : no broker answers, or they do not say.
    """
    admin = client.admin(settings)
    name = settings.prefix + settings.group
    try:
        await admin.start()
        answers = await admin.describe_consumer_groups([name])
    except KafkaConnectionError as error:
        raise await client.unreachable(settings, error) from error
    except KafkaError as error:  # a cluster that never had a group makes room for them now
        raise _unknown(name, type(error).__name__) from error
    finally:
        await admin.close()
    return counted(name, answers)


def counted(name: str, answers: Sequence[Any]) -> int:
    """The members in the brokers' answers about one group; raises SegstreamError when an answer is none."""
    groups = [group for answer in answers for group in answer.groups]
    codes = [group[CODE] for group in groups if group[CODE]]
    if codes or not groups:
        raise _unknown(name, for_code(codes[0]).__name__ if codes else "no answer")
    return sum(len(group[MEMBERS]) for group in groups)


def _unknown(name: str, cause: str) -> SegstreamError:
    return SegstreamError(
        f"whether workers are in the group {name} is not known: {cause}",
        "ask for the right to describe the group, or run this again when the brokers answer",
    )
