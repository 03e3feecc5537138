"""A sweep's curves as a Vega-Lite 5 specification, for reviewers who want to hover."""

from typing import Any

from blockstack.present.plots.sweep import name_of, scale
from blockstack.results.sweep import Sweep

_TYPES = {
    "bool": "nominal",
    "string": "nominal",
    "int64": "quantitative",
    "float64": "quantitative",
}
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def vega_lite(
    found: Sweep, x: str, y: str, colour: str | None = None, facet: str | None = None
) -> dict[str, Any]:
    """The specification, with the points in it; units as in the pictures.

    Raises
    ------
    ConfigError
        No such column.
    """
    encoding: dict[str, Any] = {"x": _channel(found, x), "y": _channel(found, y)}
    if colour is not None:
        encoding["color"] = _channel(found, colour) | {"type": "nominal"}
    if facet is not None:
        encoding["facet"] = _channel(found, facet) | {"type": "nominal", "columns": 3}
    shown = [c.name for c in found.columns if c.kind != "string" or c.name in found.axes]
    encoding["tooltip"] = [_channel(found, name) for name in shown]
    return {
        "$schema": _SCHEMA,
        "title": name_of(found),
        "data": {
            "values": [
                {_field(name): _in_units(name, row[name]) for name in shown}
                for row in found.rows()
                if row[x] is not None and row[y] is not None
            ]
        },
        "mark": {"type": "line", "point": True},
        "encoding": encoding,
    }


def _field(name: str) -> str:
    """A dot in a field is a path to Vega-Lite."""
    return name.replace(".", "_")


def _channel(found: Sweep, name: str) -> dict[str, str]:
    kind = _TYPES[found.column(name).kind]
    return {"field": _field(name), "type": kind, "title": scale(name)[1]}


def _in_units(name: str, value: Any) -> Any:
    return value / scale(name)[0] if type(value) in (int, float) else value
