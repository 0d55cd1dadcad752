"""Where the demo is, and fresh accounts and keys on it."""

import json
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

CREDIT_NANO = 10 * 1_000_000_000
JOB_ENDS_WITHIN_S = 20


@dataclass(frozen=True)
class Demo:
    """A running demo, as its ready file describes it."""

    base_url: str
    model: str
    admin_url: str
    admin_token: str
    end_token: int
    #: Whether the model's chat template shows it tools.

    @property
    def url(self):
        return self.base_url.removesuffix("/v1")

    def admin(self, method, path, body=None):
        return self.ask(method, f"{self.admin_url}/{path}", body, token=self.admin_token)

    def new_operator_token(self):
        """A session of a new operator."""
        operator = self.admin("POST", "operators", {"name": "sdk"})["id"]
        secret = self.admin("POST", f"operators/{operator}/secret", {})
        return self.ask("POST", f"{self.url}/operator/v1/login", secret)["token"]

    def ask(self, method, url, body=None, token=""):
        request = urllib.request.Request(
            url,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or "null")

    def new_key(self, credit_nano=CREDIT_NANO):
        """A key of a new account; its own bucket of the rate limit, too."""
        account = self.admin("POST", "accounts", {"name": "sdk"})["id"]
        if credit_nano:
            self.admin("POST", f"accounts/{account}/credits", {"amount_nano": credit_nano})
        return self.admin("POST", "keys", {"account_id": account, "name": "sdk"})

    def client(self, **options):
        options = {"api_key": self.new_key()["key"], "max_retries": 0, "timeout": 60, **options}
        return openai.OpenAI(base_url=self.base_url, **options)

    def ended_job(self, completion_id):
        """The job behind an answer, once its money is settled."""
        job_id = completion_id.removeprefix("chatcmpl-")
        deadline = time.monotonic() + JOB_ENDS_WITHIN_S
        while True:
            job = self.admin("GET", f"jobs/{job_id}")
            if job["state"] != "running":
                return job
            assert time.monotonic() < deadline, f"job {job_id} still runs"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def demo():
    path = os.environ.get("ASSAY_READY_FILE")
    assert path, "these tests need a demo: run `cargo xtask test --only sdk`"
    ready = json.loads(Path(path).read_text())
    model_dir = Path(os.environ["ASSAY_MODEL_DIR"])
    manifest = json.loads((model_dir / "manifest.json").read_text())
    return Demo(
        base_url=ready["base_url"],
        model=ready["model"],
        admin_url=ready["admin_url"],
        admin_token=ready["admin_token"],
        end_token=manifest["end_tokens"][0],
    )


@pytest.fixture
def client(demo):
    with demo.client() as client:
        yield client
