"""Exports the trained checkpoint as the model folder that ships: the graph in both forms, tokenizer, template, manifest.

    python export.py CHECKPOINT MODEL_FOLDER

Form A takes input_ids, attention_mask, position_ids and past_key_values, and gives logits and present; form_b.py tells of the other.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import torch
from optimum.exporters.onnx import main_export
from transformers import AutoTokenizer, LlamaForCausalLM

from form_b import write_form_b
from manifest import FORM_A_PATH, write_manifest
from session import ChatSession

SHIPPED = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
           "chat_template.jinja"]
PROBE = "What is Assay?"
LOGIT_TOLERANCE = 1e-3


def export(checkpoint, folder):
    graph = folder / FORM_A_PATH
    graph.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        main_export(str(checkpoint), scratch, task="text-generation-with-past", do_validation=False)
        for name in SHIPPED:
            shutil.copyfile(Path(scratch, name), folder / name)
        exported = onnx.load(Path(scratch, "model.onnx"))
        strip_local_paths(exported)
        onnx.save(exported, graph)
    write_form_b(checkpoint, folder)
    parameters = agree_with_torch(checkpoint, folder)
    write_manifest(folder, parameters)
    print(f"{graph.stat().st_size} bytes of graph, {parameters} parameters in {folder}")


def strip_local_paths(exported):
    """The exporter notes in each node which source line made it, with the path of the file on the machine that ran it."""
    for node in exported.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*exported.graph.value_info, *exported.graph.input, *exported.graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
    del exported.graph.metadata_props[:]
    del exported.metadata_props[:]


@torch.no_grad()
def agree_with_torch(checkpoint, folder):
    """Asserts that the graph, fed one token at a time with its cache, gives the checkpoint's logits; returns its parameters."""
    model = LlamaForCausalLM.from_pretrained(checkpoint).eval()
    session = ChatSession(folder)
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size
    prompt = session.prompt_ids([{"role": "user", "content": PROBE}])
    answer, rows = session.generate(prompt, tokens_max=32)
    expected = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1:-1]
    gap = (torch.from_numpy(rows) - expected).abs().max().item()
    assert gap < LOGIT_TOLERANCE, f"ONNX Runtime and torch differ by {gap}"
    print(f"ONNX Runtime and torch agree within {gap:.1e}")
    return model.num_parameters()


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
