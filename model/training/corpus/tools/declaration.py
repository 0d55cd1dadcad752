"""A function as clients declare it: the same thing in the many JSON forms that SDKs write."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: dict
    about: str = ""
    required: bool = True


@dataclass(frozen=True)
class Function:
    name: str
    about: str
    parameters: list = field(default_factory=list)


def declared(rng, function):
    """The tool's JSON, as one of the SDKs would send it."""
    body = {"name": function.name}
    if function.about and rng.random() < 0.85:
        body["description"] = function.about
    body["parameters"] = _parameters(rng, function)
    if rng.random() < 0.15:
        body["strict"] = True
    return {"type": "function", "function": body}


def _parameters(rng, function):
    told, titled = rng.random() < 0.4, rng.random() < 0.2
    properties = {parameter.name: _property(parameter, told, titled) for parameter in function.parameters}
    required = [parameter.name for parameter in function.parameters if parameter.required]
    parts = [("type", "object"), ("properties", properties)]
    if required:
        parts.append(("required", required))
    if rng.random() < 0.25:
        parts.append(("additionalProperties", False))
    if rng.random() < 0.35:
        parts = parts[1:] + parts[:1]
    return dict(parts)


def _property(parameter, told, titled):
    written = dict(parameter.schema)
    if told and parameter.about:
        written["description"] = parameter.about
    if titled:
        written["title"] = parameter.name.replace("_", " ").title()
    return written
