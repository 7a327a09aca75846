"""The AsyncAPI 3 description of the feed: what ``/asyncapi.json`` serves. ``make asyncapi`` writes it."""
