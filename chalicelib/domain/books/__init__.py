"""The pure core: no AWS, no clock, no randomness, no environment. Integers only."""
