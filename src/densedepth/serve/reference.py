"""The page about the API, made from its OpenAPI description: no script, nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]


def page(openapi: Schema) -> str:
    """HTML of an OpenAPI 3.1 description."""
    title = f"{openapi['info']['title']} {openapi['info']['version']}"
    sections = [
        _operation(method, path, operation, openapi)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    links = "".join(
        f'<li><a href="#{_anchor(method, path)}"><b>{method.upper()}</b> {escape(path)}</a> '
        f"{escape(operation.get('summary', ''))}</li>"
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}: API</title><link rel="icon" href="/icon.svg">'
        '<link rel="stylesheet" href="/docs.css"></head><body><main>'
        f"<h1>{escape(title)}: API</h1><p>{escape(openapi['info'].get('description', ''))} "
        'The same for machines: <a href="/openapi.json">openapi.json</a>.</p>'
        f"<nav><ul>{links}</ul></nav>{''.join(sections)}</main></body></html>"
    )


def _anchor(method: str, path: str) -> str:
    return f"{method}{path}".replace("/", "-").replace("{", "").replace("}", "")


def _operation(method: str, path: str, operation: Schema, openapi: Schema) -> str:
    parts = [f'<section id="{_anchor(method, path)}"><h2><b>{method.upper()}</b> {escape(path)}</h2>']
    parts.append(f"<p>{escape(operation.get('summary', ''))}</p>")
    if parameters := operation.get("parameters"):
        rows = "".join(
            _row(
                [
                    f"<code>{escape(parameter['name'])}</code>",
                    escape(_kind(parameter.get("schema", {}))),
                    _text(parameter),
                ]
            )
            for parameter in parameters
        )
        parts.append(f"<h3>Parameters</h3><table><tbody>{rows}</tbody></table>")
    if body := operation.get("requestBody"):
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in body["content"])
        parts.append(f"<h3>Body</h3><p>{kinds}</p>")
    rows = "".join(_response(status, response) for status, response in operation["responses"].items())
    parts.append(f"<h3>Answers</h3><table><tbody>{rows}</tbody></table>")
    for name, schema in _objects(operation, openapi):
        fields = "".join(
            _row([f"<code>{escape(key)}</code>", escape(_kind(value)), _text(value)])
            for key, value in schema.get("properties", {}).items()
        )
        parts.append(f"<h3>{escape(name)}</h3><p>{_text(schema)}</p><table><tbody>{fields}</tbody></table>")
    return "".join(parts) + "</section>"


def _text(described: Schema) -> str:
    """A description, with `words` set as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(described.get("description", "")))


def _row(cells: list[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _response(status: str, response: Schema) -> str:
    kinds = " ".join(f"<code>{escape(kind)}</code>" for kind in response.get("content", {}))
    names = " ".join(f"<code>{escape(name)}</code>" for name in response.get("headers", {}))
    headers = f"<br>headers {names}" if names else ""
    return _row([f"<b>{status}</b>", kinds, _text(response) + headers])


def _kind(schema: Schema) -> str:
    """A type in few words, with its bounds and its default."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        kinds = [_kind(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(kinds) + _default(schema)
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"]) + _default(schema)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f", {low:.10g} to {high:.10g}" if low is not None and high is not None else ""
    return f"{schema.get('const') or schema.get('type', 'any')}{bounds}{_default(schema)}"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default is None else f", by default {str(default).lower() if default in (True, False) else default}"


def _objects(operation: Schema, openapi: Schema) -> Iterator[tuple[str, Schema]]:
    """The objects in the good answers, those inside them included."""
    known = openapi.get("components", {}).get("schemas", {})
    good = [response for status, response in operation["responses"].items() if status.startswith("2")]
    pending, seen = _references(good), set()
    while pending:
        name = pending.pop(0)
        if name not in seen:
            seen.add(name)
            yield name, known[name]
            pending += _references(known[name])


def _references(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        here = [str(value["$ref"]).rpartition("/")[2]] if "$ref" in value else []
        return here + [name for inner in value.values() for name in _references(inner)]
    return [name for inner in value for name in _references(inner)] if isinstance(value, list) else []
