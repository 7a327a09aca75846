"""The AsyncAPI 3 description of the feed: what ``/asyncapi.json`` serves. ``python -m infra.asyncapi`` writes it."""
