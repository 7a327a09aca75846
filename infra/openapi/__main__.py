"""Writes the committed documents anew, with the examples as they were sent last."""

from infra.openapi.document import documents, recorded, written

for file, document in documents(recorded()).items():
    file.parent.mkdir(exist_ok=True)
    file.write_text(written(document) + "\n", encoding="utf-8")
