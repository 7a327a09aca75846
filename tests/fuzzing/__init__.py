"""Requests that schemathesis draws from the OpenAPI documents, sent to a whole service.

``schemathesis.toml`` says which checks are off, and which decision each contradicts; ``hooks`` has the credentials.
``make fuzz SECONDS=600`` sends them for so long.
"""
