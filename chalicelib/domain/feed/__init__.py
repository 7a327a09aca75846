"""The feed: one event for each change, derived from the logs of an instance, and cursors that name places in them.

``event``: what an event is, and who receives it. ``logs``: the logs of an instance. ``cursor``: a place in each.
"""
