"""Exports the trained embedder as the model folder that ships: graph, tokenizer, manifest.

    python embedder/export.py CHECKPOINT MODEL_FOLDER

The graph takes input_ids and attention_mask and gives last_hidden_state; whoever runs it takes the mean over
the tokens and brings it to length 1.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from transformers import AutoTokenizer, BertModel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from embedder.train import embed
from export import strip_local_paths
from manifest import CREATED, TOKENIZER, fingerprints

MODEL_ID, GRAPH_PATH = "assay-pip-embedder", "onnx/model.onnx"
INPUTS, OUTPUT = ["input_ids", "attention_mask"], "last_hidden_state"
SHIPPED = ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
PROBES = ["What is Assay?", "How do you count to nine?"]
TOLERANCE = 1e-5


def export(checkpoint, folder):
    graph = folder / GRAPH_PATH
    graph.parent.mkdir(parents=True, exist_ok=True)
    for name in SHIPPED:
        shutil.copyfile(checkpoint / name, folder / name)
    write_graph(checkpoint, graph)
    parameters = agree_with_torch(checkpoint, folder)
    write_manifest(folder, parameters)
    print(f"{graph.stat().st_size} bytes of graph, {parameters} parameters in {folder}")


def write_graph(checkpoint, graph):
    """Optimum's exporter probes with two types of tokens, and this model has one."""
    probe = torch.ones(1, 8, dtype=torch.long)
    axes = {name: {0: "batch", 1: "tokens"} for name in [*INPUTS, OUTPUT]}
    torch.onnx.export(Hidden(load(checkpoint)), (probe, probe), graph, input_names=INPUTS, output_names=[OUTPUT], dynamic_axes=axes,
                      opset_version=17, dynamo=False)
    exported = onnx.load(graph)
    strip_local_paths(exported)
    onnx.save(exported, graph)


class Hidden(torch.nn.Module):
    """Hidden states, and nothing else."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def load(checkpoint):
    return BertModel.from_pretrained(checkpoint, add_pooling_layer=False, attn_implementation="eager").eval()


@torch.no_grad()
def agree_with_torch(checkpoint, folder):
    """Asserts that the graph gives the checkpoint's vectors; returns its parameters."""
    model, tokenizer = load(checkpoint), AutoTokenizer.from_pretrained(folder)
    session = onnxruntime.InferenceSession(folder / GRAPH_PATH)
    for probe in PROBES:
        gap = numpy.abs(vector(session, tokenizer(probe)["input_ids"]) - embed(model, tokenizer, [probe])[0].numpy()).max()
        assert gap < TOLERANCE, f"ONNX Runtime and torch differ by {gap}"
    print(f"ONNX Runtime and torch agree within {gap:.1e}")
    return model.num_parameters()


def vector(session, ids):
    feeds = {name: numpy.array([row], dtype=numpy.int64) for name, row in zip(INPUTS, (ids, [1] * len(ids)))}
    total = session.run([OUTPUT], feeds)[0][0].astype(numpy.float64).sum(0)
    return (total / numpy.linalg.norm(total)).astype(numpy.float32)


def write_manifest(folder, parameters):
    config = json.loads((folder / "config.json").read_text())
    manifest = {
        "format": "assay-model/1",
        "id": MODEL_ID,
        "family": config["model_type"],
        "owner": "assay",
        "created": CREATED,
        "description": "Pip's embedder, a very small model that puts questions and answers that mean the same side by side.",
        "licence": "Apache-2.0",
        "parameters": parameters,
        "context_length": config["max_position_embeddings"],
        "vocab_size": config["vocab_size"],
        "tokenizer": TOKENIZER,
        "runtime": "onnxruntime 1.32.0",
        "layers": config["num_hidden_layers"],
        "embedding": {"dimensions": config["hidden_size"], "pooling": "mean"},
        "graphs": [{"form": "embedding", "precision": "fp32", "path": GRAPH_PATH}],
        "files": fingerprints(folder),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
