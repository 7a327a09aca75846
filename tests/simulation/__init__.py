"""A deterministic simulator: clients, a stream and matchers over the in-memory store, one store call at a time.

``actors`` makes anything that calls the store stoppable before each call. ``world`` draws a whole run from one seed.
``every_order`` walks through all orders in which the calls of a few matchers can come. ``python -m tests.simulation``
runs many seeds (``make simulate SEEDS=10000``); a seed that fails is printed, and replays alone.
"""
