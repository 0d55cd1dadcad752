"""Whatever is asked of the gateway, it answers as its own document says, and never with a 5xx."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DOCUMENT = Path(__file__).resolve().parents[3] / "openapi/openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EMBEDDER = "assay-pip-embedder"
#: Of each operation, beside those that follow from the borders of its schema.
EXAMPLES = 6
#: Ends the session that it is asked with.
LOGOUT = "/operator/v1/logout"
#: Fewer than a key's bucket holds; see ../gateway.toml.
REQUESTS_OF_A_KEY = 30

schema = schemathesis.openapi.from_path(DOCUMENT)


@dataclass
class Callers:
    """Who asks: an admin, an operator, or a client whose key is changed before its bucket is empty."""

    demo: object
    #: Begun after all that admins do, which may end it.
    operator: str = ""
    key: str = ""
    asked: int = field(default=REQUESTS_OF_A_KEY)

    def header_for(self, operation):
        for scheme in [name for one in operation.definition.raw.get("security", []) for name in one]:
            return {"authorization": f"Bearer {self.token_for(scheme, operation.path)}"}
        return {}

    def token_for(self, scheme, path):
        if scheme == "admin_session":
            return self.demo.admin_token
        if scheme == "api_key":
            return self.client()
        if path == LOGOUT:
            return self.demo.new_operator_token()
        self.operator = self.operator or self.demo.new_operator_token()
        return self.operator

    def client(self):
        self.asked += 1
        if self.asked >= REQUESTS_OF_A_KEY:
            self.key, self.asked = self.demo.new_key()["key"], 0
        return self.key


@pytest.fixture(scope="session")
def callers(demo):
    return Callers(demo)


def shorten(body, path, model):
    """Most models are unknown: half of the requests are for one that is served, and short."""
    if isinstance(body, dict) and "model" in body and len(str(body)) % 2:
        body["model"] = EMBEDDER if path.endswith("/embeddings") else model
        body |= dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens"), 3)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_in_the_document(case, callers):
    shorten(case.body, case.operation.path, callers.demo.model)
    headers = callers.header_for(case.operation)
    response = case.call(base_url=callers.demo.url, headers=headers, timeout=60)
    # Some examples leave the token out on purpose.
    is_known = "authorization" in response.request.headers
    assert response.status_code != 401 or not is_known, "who is known was turned away"
    case.validate_response(response, checks=CHECKS)
