"""Writes the model's graph in form B, as onnxruntime-genai shapes it, without a second copy of the weights.

    python form_b.py CHECKPOINT MODEL_FOLDER

Form B takes no position_ids: GroupQueryAttention finds every row's length in the mask, turns keys and queries by their
positions itself, and keeps the cache at each row's own length. The weights stay where they are, in the file of form A;
this graph names their places there (ONNX external data), so it is a few kilobytes long.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from borrowed import Lender
from manifest import FORM_A_PATH, FORM_B_PATH

CONTRIB = "com.microsoft"
OPSET, CONTRIB_VERSION, IR_VERSION = 18, 1, 8
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


def write_form_b(checkpoint, folder):
    config = json.loads((checkpoint / "config.json").read_text())
    weights = load_file(checkpoint / "model.safetensors")
    graph = FormB(config, weights, Lender(folder / FORM_A_PATH)).graph()
    model = helper.make_model(graph, producer_name="assay", ir_version=IR_VERSION, opset_imports=[
        helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, CONTRIB_VERSION)])
    (folder / FORM_B_PATH).write_bytes(model.SerializeToString())


class FormB:
    """A Llama, written operator by operator."""

    def __init__(self, config, weights, lender):
        self.config, self.weights, self.lender = config, weights, lender
        self.nodes, self.constants = [], []
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.width = config["head_dim"]

    def graph(self):
        layers = range(self.config["num_hidden_layers"])
        lengths = self.lengths()
        turns = self.turns()
        hidden = self.add("Gather", [self.weight("model.embed_tokens.weight"), "input_ids"], "hidden")
        normed, residual = self.first_norm(hidden), hidden
        for layer in layers:
            at = f"model.layers.{layer}."
            attended = self.attention(at + "self_attn.", layer, normed, lengths, turns)
            normed, residual = self.next_norm(attended, residual, at + "post_attention_layernorm.weight")
            after = f"model.layers.{layer + 1}.input_layernorm.weight" if layer + 1 < len(layers) else "model.norm.weight"
            normed, residual = self.next_norm(self.feed_forward(at + "mlp.", normed), residual, after)
        vocabulary = self.add("Transpose", [self.weight("model.embed_tokens.weight")], "head", perm=[1, 0])
        self.add("MatMul", [normed, vocabulary], "logits")
        return helper.make_graph(self.nodes, "form_b", self.inputs(layers), self.outputs(layers), self.constants)

    def inputs(self, layers):
        ids = [helper.make_tensor_value_info(name, INT64, ["batch", length])
               for name, length in (("input_ids", "tokens"), ("attention_mask", "total"))]
        return ids + [self.cache("past_key_values", layer, half, "past") for layer in layers for half in ("key", "value")]

    def outputs(self, layers):
        logits = helper.make_tensor_value_info("logits", FLOAT, ["batch", "tokens", self.config["vocab_size"]])
        return [logits] + [self.cache("present", layer, half, "total") for layer in layers for half in ("key", "value")]

    def cache(self, name, layer, half, length):
        return helper.make_tensor_value_info(f"{name}.{layer}.{half}", FLOAT, ["batch", self.kv_heads, length, self.width])

    def lengths(self):
        """Of each row, the place of its last token; and the longest row."""
        ones = self.add("ReduceSum", ["attention_mask", self.constant("axis", np.array([1]))], "row_lengths", keepdims=1)
        last = self.add("Sub", [ones, self.constant("one", np.array([1]))], "row_ends_64")
        last = self.add("Cast", [last], "row_ends", to=INT32)
        shape = self.add("Shape", ["attention_mask"], "mask_shape")
        total = self.add("Gather", [shape, self.constant("second", np.array(1))], "total_64")
        return last, self.add("Cast", [total], "total_length", to=INT32)

    def turns(self):
        """Cosine and sine of every position's angles: computed once, when the runtime folds constants."""
        halves = np.arange(0, self.width, 2, dtype=np.float32) / self.width
        frequencies = (1.0 / np.float32(self.config["rope_theta"]) ** halves).astype(np.float32)[None]
        positions = np.arange(self.config["max_position_embeddings"], dtype=np.float32)[:, None]
        angles = self.add("MatMul", [self.constant("positions", positions), self.constant("frequencies", frequencies)], "angles")
        return self.add("Cos", [angles], "cosines"), self.add("Sin", [angles], "sines")

    def attention(self, at, layer, normed, lengths, turns):
        query, key, value = (self.project(at + name, normed) for name in ("q_proj", "k_proj", "v_proj"))
        past = [f"past_key_values.{layer}.{half}" for half in ("key", "value")]
        present = [f"present.{layer}.{half}" for half in ("key", "value")]
        self.nodes.append(helper.make_node(
            "GroupQueryAttention", [query, key, value, *past, *lengths, *turns], [at + "attended", *present], domain=CONTRIB,
            num_heads=self.heads, kv_num_heads=self.kv_heads, scale=self.width ** -0.5, do_rotary=1, rotary_interleaved=0))
        return self.project(at + "o_proj", at + "attended")

    def feed_forward(self, at, normed):
        gate, up = self.project(at + "gate_proj", normed), self.project(at + "up_proj", normed)
        gate = self.add("Mul", [gate, self.add("Sigmoid", [gate], at + "sigmoid")], at + "silu")
        return self.project(at + "down_proj", self.add("Mul", [gate, up], at + "gated"))

    def first_norm(self, hidden):
        weight = self.weight("model.layers.0.input_layernorm.weight")
        return self.add("SimplifiedLayerNormalization", [hidden, weight], "first_normed", epsilon=self.config["rms_norm_eps"],
                        axis=-1, stash_type=1)

    def next_norm(self, change, residual, weight):
        """The residual with what the last block adds, normalized and as it is."""
        normed, summed = weight + ".normed", weight + ".residual"
        self.nodes.append(helper.make_node(
            "SkipSimplifiedLayerNormalization", [change, residual, self.weight(weight)], [normed, "", "", summed],
            domain=CONTRIB, epsilon=self.config["rms_norm_eps"]))
        return normed, summed

    def project(self, at, value):
        """Form A holds the matrices as `[in, out]`, a checkpoint as `[out, in]`."""
        matrix = self.lend(at + ".weight", self.weights[at + ".weight"].T)
        return self.add("MatMul", [value, matrix], at + ".out")

    def weight(self, name):
        return self.lend(name, self.weights[name])

    def lend(self, name, array):
        if all(tensor.name != name for tensor in self.constants):
            self.constants.append(self.lender.tensor(name, array))
        return name

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


if __name__ == "__main__":
    write_form_b(Path(sys.argv[1]), Path(sys.argv[2]))
