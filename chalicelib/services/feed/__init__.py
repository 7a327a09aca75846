"""The feed: reads the logs of an instance from a cursor on, as events (docs/decisions/feed.md)."""
