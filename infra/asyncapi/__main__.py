"""Writes the committed document anew."""

from infra.asyncapi.document import DOCUMENT, as_text, document

DOCUMENT.write_text(as_text(document()), encoding="utf-8")
