"""The book desk's webhook endpoints."""

from __future__ import annotations

from chalicelib.apis.kit.description import Example, Operation, Parameter, text, words
from chalicelib.domain.webhooks.endpoint import DeliveryStatus

OPERATIONS: dict[str, dict[str, Operation]] = {
    "Webhooks": {
        "POST /offchain/webhooks": Operation(
            "createWebhook",
            "Make a webhook endpoint",
            "Has events posted to a URL, signed by the Standard Webhooks specification. The secret is shown this once "
            "(docs/webhooks.md).",
            Example(
                body={"url": "https://hooks.example.com/tallybook", "types": ["order.*"], "description": "orders"},
                gives={"webhookId": "/data/id"},
            ),
        ),
        "GET /offchain/webhooks": Operation(
            "listWebhooks", "List webhook endpoints", "All of the instance's endpoints, oldest first.", Example()
        ),
        "GET /offchain/webhooks/{webhookId}": Operation(
            "getWebhook",
            "Show a webhook endpoint",
            "One endpoint, without its secret.",
            Example({"webhookId": "{webhookId}"}),
        ),
        "PATCH /offchain/webhooks/{webhookId}": Operation(
            "changeWebhook",
            "Change a webhook endpoint",
            "Changes the members that are given; a `status` pauses or resumes the endpoint.",
            Example({"webhookId": "{webhookId}"}, body={"types": ["order.*", "fill.created"]}),
        ),
        "POST /offchain/webhooks/{webhookId}/rotate-secret": Operation(
            "rotateWebhookSecret",
            "Give a webhook endpoint a new secret",
            "The old secret signs too for some hours, 24 unless the body says otherwise.",
            Example({"webhookId": "{webhookId}"}, body={"hours": 1}),
            body_is_optional=True,
        ),
        "POST /offchain/webhooks/{webhookId}/test": Operation(
            "testWebhook",
            "Send a test event",
            "Queues a `webhook.test` event for the endpoint.",
            Example({"webhookId": "{webhookId}"}, gives={"deliveryId": "/data/deliveryId"}),
        ),
        "GET /offchain/webhooks/{webhookId}/deliveries": Operation(
            "listDeliveries",
            "List dead letters",
            "Deliveries that were given up, or those that wait.",
            Example({"webhookId": "{webhookId}"}, {"status": "WAITING"}),
            {
                "status": Parameter(
                    "Which deliveries.", words((DeliveryStatus.DEAD, DeliveryStatus.WAITING)) | {"default": "DEAD"}
                ),
                "after": Parameter(
                    "The last delivery of an earlier answer: those behind it (T171).", text("[!-~]{1,100}")
                ),
            },
        ),
        "GET /offchain/webhooks/{webhookId}/deliveries/{deliveryId}": Operation(
            "getDelivery",
            "Show a delivery",
            "One delivery with the body that is posted.",
            Example({"webhookId": "{webhookId}", "deliveryId": "{deliveryId}"}),
        ),
        "POST /offchain/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver": Operation(
            "redeliver",
            "Send a delivery again",
            "Queues the delivery again, under its id.",
            Example({"webhookId": "{webhookId}", "deliveryId": "{deliveryId}"}),
        ),
        "DELETE /offchain/webhooks/{webhookId}": Operation(
            "removeWebhook",
            "Remove a webhook endpoint",
            "Its deliveries and dead letters are gone too.",
            Example({"webhookId": "{webhookId}"}),
        ),
    },
}
