"""Bodies and queries of webhook endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic_core import core_schema

from chalicelib.apis.book.schema import (
    FROM_ONE,
    FROM_ONE_MESSAGE,
    ID_MESSAGE,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    REF_CHARACTERS_MAX,
    Body,
    Parameters,
    bounded,
    integer,
    one_of,
    text,
)
from chalicelib.apis.kit.forms import several
from chalicelib.domain.webhooks.endpoint import (
    CUSTOMERS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    TYPE_PATTERN,
    TYPE_RULE,
    TYPES_MAX,
    DeliveryStatus,
)

URL_CHARACTERS_MAX = 1000
_DELIVERY_ID = re.compile(r"[!-~]{1,100}")
ROTATION_HOURS_MAX = 168
TYPES_MESSAGE = f"must be a list of 1 to {TYPES_MAX}, each {TYPE_RULE}"
CUSTOMERS_MESSAGE = f"must be a list of 1 to {CUSTOMERS_MAX} strings of 1 to {REF_CHARACTERS_MAX} characters"

Url = Annotated[str, text(1, URL_CHARACTERS_MAX)]
Types = Annotated[
    list[str],
    several(TYPES_MESSAGE, core_schema.str_schema(strict=True, pattern=f"^({TYPE_PATTERN})$"), TYPES_MAX),
]
Customers = Annotated[
    list[str],
    several(
        CUSTOMERS_MESSAGE,
        core_schema.str_schema(
            strict=True, min_length=1, max_length=REF_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
        CUSTOMERS_MAX,
    ),
]
Description = Annotated[str, text(0, DESCRIPTION_CHARACTERS_MAX)]


class StatusAsked(StrEnum):
    """What an endpoint's status can be set to."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class CreateWebhookBody(Body):
    """Body of POST offchain/webhooks."""

    url: Url
    types: Types
    customerRefs: Customers | None = None
    description: Description = ""


class ChangeWebhookBody(Body):
    """Body of PATCH offchain/webhooks/{webhookId}. A customerRefs of null: all customers."""

    null_counts: ClassVar = frozenset({"customerRefs"})

    url: Url | None = None
    types: Types | None = None
    customerRefs: Customers | None = None
    description: Description | None = None
    status: Annotated[StatusAsked, one_of(StatusAsked)] | None = None

    def members(self) -> dict[str, Any]:
        """Return the members of the endpoint that were named, but for its status."""
        named: dict[str, Any] = {"url": self.url, "description": self.description}
        named["types"] = None if self.types is None else tuple(self.types)
        found = {name: value for name, value in named.items() if value is not None}
        if "customerRefs" in self.model_fields_set:
            found["customers"] = tuple(self.customerRefs or ())
        return found


class RotateSecretBody(Body):
    """Body of POST offchain/webhooks/{webhookId}/rotate-secret. hours: how long the old secret signs too."""

    hours: Annotated[int, integer(0, ROTATION_HOURS_MAX)] = 24


def deliveries_query(query: Mapping[str, list[str]]) -> tuple[DeliveryStatus, int, str | None]:
    """Return which deliveries are listed, DEAD by default, how many, and behind which one. Raises Fault."""
    parameters = Parameters(query)
    status = parameters.word("status", (DeliveryStatus.DEAD.value, DeliveryStatus.WAITING.value))
    limit = parameters.single("limit", FROM_ONE, FROM_ONE_MESSAGE)
    after = parameters.single("after", _DELIVERY_ID, ID_MESSAGE)
    parameters.refuse_faulty()
    listed = LIMIT_DEFAULT if limit is None else bounded(limit, LIMIT_MAX)
    return DeliveryStatus(status or DeliveryStatus.DEAD), listed, after
