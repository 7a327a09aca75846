"""Commands for webhook endpoints: of an instance's operator or, with --merchant, of a merchant's world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.apis.kit.webhook_views import delivery_view, endpoint_view
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.endpoint import (
    CUSTOMERS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    TYPE_PATTERN,
    TYPE_RULE,
    TYPES_MAX,
    DeliveryStatus,
    Owner,
    merchant_owner,
)
from chalicelib.ops.cli import arguments
from chalicelib.ops.cli.arguments import (
    Instance,
    Printed,
    characters,
    customer_ref,
    each_read_by,
    pattern,
    read_by,
    whole,
)
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.tenants import tenants
from chalicelib.tables.escrow_settings import EscrowDesks

if TYPE_CHECKING:
    from chalicelib.services.webhooks.endpoints import EndpointDesk

LISTED_MAX = 100
_TYPE = pattern(TYPE_PATTERN, f"must be {TYPE_RULE}")
Endpoint = Annotated[str, Parameter(help="as webhook list shows it")]
Limit = Annotated[int, read_by(whole(1, LISTED_MAX), f"1 to {LISTED_MAX}")]
After = Annotated[str | None, Parameter(help="the last one of an earlier list: those behind it", metavar="DELIVERY")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose endpoints: the operator's, or a merchant's in one world."""

    merchant: Annotated[arguments.Merchant | None, Parameter(help="whose endpoints: a merchant of the escrow desk")] = (
        None
    )
    world: Annotated[World | None, Parameter(help="of the merchant (production)")] = None

    def owner(self, instance: str) -> Owner:
        found = tenants().get(instance).instance
        if self.merchant is None:
            if self.world is not None:
                raise CommandFailed("--world is a merchant's: it is of no use without --merchant", Code.USAGE)
            return Owner(found)
        merchant = EscrowDesks(wiring.database()).merchant(found, self.merchant)
        return merchant_owner(found, self.world or World.PRODUCTION, merchant.merchant)


_OPERATORS = Whose()

app = App(name="webhook", help="Endpoints that events are posted to.")


def _desk() -> EndpointDesk:
    from chalicelib.wiring.webhooks import new_endpoint_desk

    return new_endpoint_desk(wiring.database())


@app.command
def create(
    instance: Instance,
    url: Annotated[str, Parameter(help="an https URL")],
    /,
    *,
    types: Annotated[
        list[str] | None, each_read_by(_TYPE, "* (the default), order.*, ...; repeatable", TYPES_MAX, name="--type")
    ] = None,
    customer: Annotated[
        list[str] | None, each_read_by(customer_ref, "only what this customer receives; repeatable", CUSTOMERS_MAX)
    ] = None,
    description: Annotated[str, read_by(characters(0, DESCRIPTION_CHARACTERS_MAX))] = "",
    whose: Whose = _OPERATORS,
) -> Printed:
    """Make an endpoint; its secret is printed this once.

    $ tallybook webhook create inst_demo0001 https://venue.example/events
    """
    if customer and whose.merchant:
        raise CommandFailed("--customer is of no use with --merchant: escrow orders are of no customer", Code.USAGE)
    asked = tuple(types or ("*",)), tuple(customer or ())
    made = _desk().create(whose.owner(instance), url, *asked, description)
    return endpoint_view(made.endpoint) | {"secret": made.secret}


@app.command(name="list")
def list_endpoints(instance: Instance, /, *, whose: Whose = _OPERATORS) -> Printed:
    """List the endpoints; no secrets.

    $ tallybook webhook list inst_demo0001
    """
    return {"webhooks": list(map(endpoint_view, _desk().all(whose.owner(instance))))}


@app.command
def pause(instance: Instance, endpoint: Endpoint, /, *, whose: Whose = _OPERATORS) -> Printed:
    """Send nothing more to an endpoint, until it is resumed.

    $ tallybook webhook pause inst_demo0001 ENDPOINT
    """
    return endpoint_view(_desk().pause(whose.owner(instance), endpoint))


@app.command
def resume(instance: Instance, endpoint: Endpoint, /, *, whose: Whose = _OPERATORS) -> Printed:
    """Send to an endpoint again.

    $ tallybook webhook resume inst_demo0001 ENDPOINT
    """
    return endpoint_view(_desk().resume(whose.owner(instance), endpoint))


@app.command(name="test")
def send_test(instance: Instance, endpoint: Endpoint, /, *, whose: Whose = _OPERATORS) -> Printed:
    """Send a test event to an endpoint.

    $ tallybook webhook test inst_demo0001 ENDPOINT
    """
    return {"deliveryId": _desk().test(whose.owner(instance), endpoint)}


@app.command
def rotate(
    instance: Instance,
    endpoint: Endpoint,
    /,
    *,
    hours: Annotated[int, read_by(whole(0, 168), "how long the old one signs too, 0 to 168")] = 24,
    whose: Whose = _OPERATORS,
) -> Printed:
    """Give an endpoint a new secret, which is printed this once.

    $ tallybook webhook rotate inst_demo0001 ENDPOINT --hours 48
    """
    rotated = _desk().rotate(whose.owner(instance), endpoint, hours)
    return endpoint_view(rotated.endpoint) | {"secret": rotated.secret}


@app.command
def dead(
    instance: Instance,
    endpoint: Endpoint,
    /,
    *,
    limit: Limit = LISTED_MAX,
    after: After = None,
    whose: Whose = _OPERATORS,
) -> Printed:
    """List an endpoint's dead letters, oldest first.

    $ tallybook webhook dead inst_demo0001 ENDPOINT
    """
    return _deliveries(whose.owner(instance), endpoint, DeliveryStatus.DEAD, limit, after)


@app.command
def waiting(
    instance: Instance,
    endpoint: Endpoint,
    /,
    *,
    limit: Limit = LISTED_MAX,
    after: After = None,
    whose: Whose = _OPERATORS,
) -> Printed:
    """List what is to be sent to an endpoint, what is tried next first.

    $ tallybook webhook waiting inst_demo0001 ENDPOINT
    """
    return _deliveries(whose.owner(instance), endpoint, DeliveryStatus.WAITING, limit, after)


def _deliveries(owner: Owner, endpoint: str, status: DeliveryStatus, limit: int, after: str | None) -> Printed:
    return {"deliveries": list(map(delivery_view, _desk().deliveries(owner, endpoint, status, limit, after)))}


@app.command
def redeliver(
    instance: Instance,
    endpoint: Endpoint,
    delivery: Annotated[str, Parameter(help="as webhook dead shows it")],
    /,
    *,
    whose: Whose = _OPERATORS,
) -> Printed:
    """Send a dead letter again, under its id.

    $ tallybook webhook redeliver inst_demo0001 ENDPOINT DELIVERY
    """
    return delivery_view(_desk().redeliver(whose.owner(instance), endpoint, delivery))


@app.command
def remove(instance: Instance, endpoint: Endpoint, /, *, whose: Whose = _OPERATORS) -> Printed:
    """Remove an endpoint for good, with its dead letters.

    $ tallybook webhook remove inst_demo0001 ENDPOINT
    """
    _desk().remove(whose.owner(instance), endpoint)
    return {"id": endpoint, "removed": True}
