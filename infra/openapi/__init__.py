"""OpenAPI documents of the desks: what ``/openapi.json`` serves. ``make openapi`` writes them."""
