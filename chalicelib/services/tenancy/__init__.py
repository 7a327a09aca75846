"""Tenancy: rate limits of credentials and of anonymous callers."""
