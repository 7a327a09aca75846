"""The schemas of a desk in its document: answers and forms, references in full, a description for each member."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chalicelib.apis.kit.description import Description, Lines, Schema, nullable
from chalicelib.apis.kit.routing import Route

_SCHEMAS = "#/components/schemas/"


class DeskSchemas:
    """Names in a document begin with the desk's, because those of several desks stand in one."""

    def __init__(self, description: Description[Any]) -> None:
        self.prefix = description.desk.capitalize()
        self._description = description
        self._by_name = {name: one for name, one in description.answers.items() if not isinstance(one, Lines)}
        self._by_name |= self._forms()

    def components(self) -> dict[str, Schema]:
        return {self.named(name): self.linked(schema) for name, schema in self._by_name.items()}

    def form(self, route: Route[Any]) -> Schema:
        """Return the schema of a route's body."""
        return self._by_name[self.form_name(route)]

    def _forms(self) -> dict[str, Schema]:
        """Return the schemas of all bodies, and of the forms within them, by name."""
        found: dict[str, Schema] = {}
        for route in self._description.table:
            if route.body is not None:
                found |= self._forms_of(route)
        return found

    def form_name(self, route: Route[Any]) -> str:
        _, _, name = (route.body or "").partition(":")
        return name if name[0].isupper() and not name.isupper() else self._description.of(route)[1].id + "Body"

    def _forms_of(self, route: Route[Any]) -> dict[str, Schema]:
        module, _, name = (route.body or "").partition(":")
        shown = self.form_name(route)
        if name in self._description.bodies:
            return {shown: self._description.bodies[name]}
        form = getattr(import_module(f"chalicelib.apis.{self._description.desk}.{module}"), name)
        if hasattr(form, "model_json_schema"):
            schema = form.model_json_schema(ref_template="{model}")
            within = schema.pop("$defs", {})
            found = {shown: _plain(schema)} | {inner: _plain(one) for inner, one in within.items()}
        else:
            found = {shown: form.described()}
        for member, more in self._description.narrowed.get(name, {}).items():
            found[shown]["properties"][member] |= more
        return found

    def linked(self, schema: Schema) -> Schema:
        """Return a schema of a document: references in full, and a description for each member."""
        found: Schema = {}
        for key, value in schema.items():
            if key == "$ref":
                found[key] = _SCHEMAS + self.named(value)
            elif key == "properties":
                found[key] = {name: self._member(name, one) for name, one in value.items()}
            elif key in ("const", "enum", "default", "examples", "required"):
                found[key] = value
            elif isinstance(value, dict):
                found[key] = self.linked(value)
            elif isinstance(value, list):
                found[key] = [self.linked(one) if isinstance(one, dict) else one for one in value]
            else:
                found[key] = value
        return found

    def _member(self, name: str, schema: Schema) -> Schema:
        linked = self.linked(schema)
        meaning, says = self._description.members.get(name), linked.get("description")
        if meaning and (says is None or says.startswith("must ")):
            bounds = f" It {says}." if says else ""
            linked = {"description": meaning + bounds} | {
                key: one for key, one in linked.items() if key != "description"
            }
        return linked

    def named(self, name: str) -> str:
        return self.prefix + name[0].upper() + name[1:]


def _plain(schema: Any) -> Any:
    """Return a form's schema without what pydantic adds for itself; a choice of something or null is one schema."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(one) for key, one in schema.items() if not (key == "title" and isinstance(one, str))}
    if found.get("default", ...) is None:
        del found["default"]
    choices = found.get("anyOf")
    if isinstance(choices, list) and len(choices) == 2 and choices[1] == {"type": "null"} and "type" in choices[0]:
        found = {**{key: one for key, one in found.items() if key != "anyOf"}, **nullable(choices[0])}
    if "description" in found and "properties" in found:
        found["description"] = _first_line(found["description"])
    return found


def _first_line(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())
