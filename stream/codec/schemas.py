"""The input schemas, as msgspec types. Unknown fields are ignored; missing or wrong ones refuse the record."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

ID_LENGTH_MAX = 128  # longer ids are a mistake upstream, and would let one producer fill memory
TEXT_LENGTH_MAX = 512  # attribute strings: a name, a country, a plan; not a document
ATTRIBUTE_NAME_LENGTH_MAX = 128  # of what is sent; a name that definitions can declare has 40 at most
ATTRIBUTES_SENT_MAX = 64  # a profile with more is refused: a producer sends a whole record by mistake

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
Timestamp = int | Annotated[str, Meta(max_length=40)]  # ISO 8601 with nanoseconds and offset is 35 characters
AttributeName = Annotated[str, Meta(max_length=ATTRIBUTE_NAME_LENGTH_MAX)]
AttributeValue = int | float | bool | Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)] | None


class Click(Struct, gc=False):
    """A click; what is not used by any feature is not decoded."""

    event_id: Id
    customer_id: Id
    ts: Timestamp
    action: Literal["view", "search", "cart_add", "cart_remove", "checkout", "other"]
    category: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)  # whatever it is, it refuses no click


class Purchase(Struct, gc=False):
    """An order (positive amount) or a refund (negative)."""

    event_id: Id
    customer_id: Id
    ts: Timestamp
    order_id: Id
    amount: float
    currency: Annotated[str, Meta(min_length=3, max_length=3)]


class Email(Struct, gc=False):
    """Something that happened to an e-mail sent to a customer."""

    event_id: Id
    customer_id: Id
    ts: Timestamp
    campaign_id: Id
    action: Literal["sent", "delivered", "open", "click", "bounce", "unsubscribe", "complaint"]
    machine_open: bool = False


class Profile(Struct):
    """What is known of a customer; replaces what was known before."""

    customer_id: Id
    ts: Timestamp
    attributes: Annotated[dict[AttributeName, AttributeValue], Meta(max_length=ATTRIBUTES_SENT_MAX)]


DECODERS = tuple(msgspec.json.Decoder(kind) for kind in (Click, Purchase, Email, Profile))  # by event kind
