"""The ten lines of docs/receipts.md, as they stand there; and what that page says about streams."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def fetch(url, key=None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as page:
        return page.read()


@pytest.fixture
def environment(demo, tmp_path):
    (tmp_path / "keys.json").write_bytes(fetch(demo.base_url.removesuffix("/v1") + "/log/keys"))
    return {
        **os.environ,
        "OPENAI_BASE_URL": demo.base_url,
        "OPENAI_API_KEY": demo.new_key()["key"],
        "MODEL": demo.model,
        "MODEL_DIR": os.environ["ASSAY_MODEL_DIR"],
        "PATH": os.environ["ASSAY_BIN_DIR"] + os.pathsep + os.environ["PATH"],
    }


def run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_lines_in_the_documents_check_an_answer(environment, tmp_path):
    page = (ROOT / "docs/receipts.md").read_text()
    (tmp_path / "ten_lines.py").write_text(re.search(r"```python\n(.*?)```", page, re.S).group(1))
    done = run([sys.executable, "ten_lines.py"], tmp_path, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "are its own draws" in done.stdout, done.stdout


def test_the_chunks_of_a_stream_are_a_response_too(demo, environment, tmp_path):
    client = demo.client(api_key=environment["OPENAI_API_KEY"])
    request = {"model": demo.model, "messages": [{"role": "user", "content": "Hi!"}], "stream": True}
    chunks = [chunk.model_dump() for chunk in client.chat.completions.create(**request)]
    receipt = next(chunk["x_assay"]["receipt"] for chunk in chunks if chunk.get("x_assay"))
    (tmp_path / "request.json").write_text(json.dumps(request))
    (tmp_path / "response.json").write_text(json.dumps(chunks))
    url = f"{demo.base_url}/receipts/{receipt}"
    (tmp_path / "receipt.bin").write_bytes(fetch(url, environment["OPENAI_API_KEY"]))
    files = "receipt.bin --request request.json --response response.json --trust keys.json".split()
    check = ["verifier", "--json", "check", *files, "--model", environment["MODEL_DIR"]]
    done = run(check, tmp_path, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["holds"] and said["figures"]["positions_checked"] > 0, said

    chunks[1]["choices"][0]["delta"]["content"] = "Something else."
    (tmp_path / "response.json").write_text(json.dumps(chunks))
    done = run(check, tmp_path, environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "content" in json.loads(done.stdout)["wrong"][0], done.stdout
