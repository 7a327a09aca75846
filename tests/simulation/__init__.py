"""Deterministic simulation: clients, a stream and matchers over the in-memory store, scheduled by store calls.

``actors`` makes code stop before each of its store calls. ``world`` derives a whole run from one seed.
``interleavings`` explores all interleavings of the calls of a few matchers. ``python -m tests.simulation`` runs many
seeds (``make simulate SEEDS=10000``); a failed seed is printed and can be replayed alone.
"""
