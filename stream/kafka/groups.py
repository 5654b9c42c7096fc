"""Who is in the consumer group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.kafka import client

if TYPE_CHECKING:
    from stream.settings import Settings

MEMBERS = 5  # place of the members in the description of a group, which aiokafka gives as a tuple


async def members(settings: Settings) -> int:
    """How many members the group of the settings has; a killed one counts until its session has ended."""
    admin = client.admin(settings)
    await admin.start()
    try:
        answers = await admin.describe_consumer_groups([settings.prefix + settings.group])
        return sum(len(group[MEMBERS]) for answer in answers for group in answer.groups)
    finally:
        await admin.close()
