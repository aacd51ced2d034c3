"""The part of JSON Schema that the control API's document uses: type, properties, required, items, enum, $ref, format, anyOf,
additionalProperties. Unknown keywords are an error: a schema that is not checked promises nothing."""

import re

KNOWN = {"type", "properties", "required", "items", "enum", "$ref", "format", "description", "anyOf", "additionalProperties"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}[name])


def problems(value, schema, document, path="$", closed=True):
    """What is wrong with a value, as texts. `closed`: members that the schema does not name are wrong."""
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"{path}: the schema uses {unknown}"]
    if "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return problems(value, target, document, path, closed)
    if "anyOf" in schema:
        tries = [problems(value, one, document, path, closed) for one in schema["anyOf"]]
        return [] if any(not one for one in tries) else tries[0]
    found = []
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(is_type(value, name) for name in names):
            return [f"{path}: {value!r} is no {names}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if schema.get("format") == "date-time" and isinstance(value, str) and not TIME.match(value):
        found.append(f"{path}: {value!r} is no time")
    if isinstance(value, dict):
        found += [f"{path}: '{name}' is missing" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            if name in schema.get("properties", {}):
                found += problems(member, schema["properties"][name], document, f"{path}.{name}", closed)
            elif isinstance(schema.get("additionalProperties"), dict):
                found += problems(member, schema["additionalProperties"], document, f"{path}.{name}", closed)
            elif closed and schema.get("properties") and schema.get("additionalProperties") is not True:
                found.append(f"{path}: '{name}' is not in the schema")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += problems(item, schema["items"], document, f"{path}[{index}]", closed)
    return found
