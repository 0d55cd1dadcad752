"""The ten lines of docs/receipts.md, as they stand there."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_lines_in_the_documents_check_an_answer(demo, tmp_path):
    page = (ROOT / "docs/receipts.md").read_text()
    (tmp_path / "ten_lines.py").write_text(re.search(r"```python\n(.*?)```", page, re.S).group(1))
    with urllib.request.urlopen(demo.base_url.removesuffix("/v1") + "/log/keys", timeout=30) as keys:
        (tmp_path / "keys.json").write_bytes(keys.read())
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": demo.base_url,
        "OPENAI_API_KEY": demo.new_key()["key"],
        "MODEL": demo.model,
        "MODEL_DIR": os.environ["ASSAY_MODEL_DIR"],
        "PATH": os.environ["ASSAY_BIN_DIR"] + os.pathsep + os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "ten_lines.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "are its own draws" in done.stdout, done.stdout
