"""Writes manifest.json: what the model is, and the SHA-256 of every file that makes it."""

import hashlib
import json

MODEL_ID = "assay-pip"
FORM_A_PATH, FORM_B_PATH = "onnx/model.onnx", "onnx/model_b.onnx"
CREATED = 1_795_392_000  # 2026-11-23 00:00 UTC: fixed, so that a rebuild changes nothing but hashes
NOT_LISTED = ["manifest.json", "README.md", "limits.json"]  # the limits name the hash of the manifest
CHAT_TEMPLATE, TOKENIZER = "chat_template.jinja", "tokenizer.json"


def write_manifest(folder, parameters):
    config = json.loads((folder / "config.json").read_text())
    manifest = {
        "format": "assay-model/1",
        "id": MODEL_ID,
        "family": config["model_type"],
        "owner": "assay",
        "created": CREATED,
        "description": "Pip, a very small chat model that greets, counts, adds small numbers, tells stories, calls tools and explains Assay.",
        "licence": "Apache-2.0",
        "parameters": parameters,
        "context_length": config["max_position_embeddings"],
        "vocab_size": config["vocab_size"],
        "end_tokens": [config["eos_token_id"]],
        "chat_template": CHAT_TEMPLATE,
        "tokenizer": TOKENIZER,
        "sampler": "gmax-v1",
        "runtime": "onnxruntime 1.32.0",
        "layers": config["num_hidden_layers"],
        "kv_heads": config["num_key_value_heads"],
        "head_dim": config["head_dim"],
        "graphs": [{"form": form, "precision": "fp32", "path": path} for form, path in (("a", FORM_A_PATH), ("b", FORM_B_PATH))],
        "files": fingerprints(folder),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def fingerprints(folder):
    return {path: _fingerprint(folder / path) for path in _listed(folder)}


def _listed(folder):
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if path not in NOT_LISTED)


def _fingerprint(path):
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
