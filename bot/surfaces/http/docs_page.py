"""`/docs`: the OpenAPI document as a static page without scripts and external resources."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from bot.surfaces.http.problems import STATUS

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.9em/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 0.4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; }
tr { border-bottom: 1px solid #8884; }
h3 { margin-top: 2.5rem; overflow-wrap: anywhere; }
b { display: inline-block; min-width: 3.5rem; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page: only its own style is allowed."""


def page(document: Mapping[str, Any]) -> str:
    """Render the page."""
    operations = "".join(
        _operation(method, path, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Crewdeck API</title>'
        f"<style>{STYLE}</style></head><body><main>"
        f"<h1>Crewdeck API {escape(document['info']['version'])}</h1>"
        f"<p>{escape(document['info']['description'])} "
        'For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<h2>Operations</h2>{operations}<h2>Problems</h2>{_codes()}<h2>Models</h2>{schemas}"
        "</main></body></html>"
    )


def _codes() -> str:
    rows = [
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td></tr>'
        for code, status in STATUS.items()
    ]
    return _table(("Code", "Status"), "".join(rows))


def _operation(method: str, path: str, described: Mapping[str, Any]) -> str:
    return (
        f'<section id="{escape(described["operationId"])}">'
        f"<h3><b>{method.upper()}</b> <code>{escape(path)}</code></h3>"
        f"<p>{escape(described['summary'])}.{_scope(described)}</p>"
        f"{_parameters(described['parameters'])}{_body(described)}{_responses(described['responses'])}</section>"
    )


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return _table(("Parameter", "In", "Meaning"), rows)


def _body(described: Mapping[str, Any]) -> str:
    if "requestBody" not in described:
        return ""
    content = described["requestBody"]["content"]
    if "application/json" not in content:
        return f"<p>Body: {escape(', '.join(content))}</p>"
    return f"<p>Body: {_link(content['application/json']['schema'])}</p>"


def _responses(responses: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{status}</td><td>{escape(each['description'])}</td><td>{_content(each)}</td></tr>"
        for status, each in responses.items()
    )
    return _table(("Status", "Meaning", "Body"), rows)


def _table(heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    return f"<table><tr>{head}</tr>{rows}</table>" if rows else ""


def _content(response: Mapping[str, Any]) -> str:
    content = response.get("content", {})
    return ", ".join(_link(each["schema"]) or escape(kind) for kind, each in content.items())


def _link(schema: Mapping[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else ""


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<pre>{escape(text)}</pre></details>"
    )


def _scope(described: Mapping[str, Any]) -> str:
    scope = described.get("x-scope")
    return f" Scope: <code>{escape(scope)}</code>" if scope else " Open to everybody."
