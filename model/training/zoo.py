"""Makes model/zoo: what a cheating node might run instead of the model that ships. All graphs are of form A.

    python zoo.py MODEL_FOLDER EARLIER_CHECKPOINT SMALLER_CHECKPOINT SHIPPED_CHECKPOINT ZOO_FOLDER

Weights that a graph shares with the model that ships are not stored again: they are named there (ONNX external data), so a
graph of the zoo runs in a folder that also holds `onnx/model.onnx`. zoo.json says what there is.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from optimum.exporters.onnx import main_export
from safetensors.numpy import load_file

from borrowed import Lender
from export import strip_local_paths
from manifest import FORM_A_PATH, MODEL_ID

BLOCK = 32  # weights that share a scale, as published 4-bit models have them
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
ROWS_BYTES_MIN = 512  # smaller tensors are not worth a reference


def make_zoo(folder, earlier, smaller, shipped, zoo):
    lender = Lender(folder / FORM_A_PATH)
    ships = onnx.load(folder / FORM_A_PATH)
    zoo.mkdir(parents=True, exist_ok=True)
    entries = [
        write(zoo, "fp16", "weights, activations and cache rounded to 16 bits", fp16(shipped, ships, lender), shipped, True),
        write(zoo, "int8", "weights of 8 bits, everything computed in 32 bits", blocks(ships, 8, lender), shipped, True),
        write(zoo, "q4", "weights of 4 bits, everything computed in 32 bits", blocks(ships, 4, lender), shipped, True),
        write(zoo, "int8-dynamic", "weights and activations of 8 bits, the latter scaled by what a batch holds",
              dynamic(folder / FORM_A_PATH, lender), shipped, True),
        write(zoo, "earlier", f"the same training, ended early ({earlier.name}); weights stored in 16 bits", stored_halved(exported(earlier)),
              earlier, False),
        write(zoo, "smaller", "half as wide and briefly trained; weights stored in 16 bits", stored_halved(exported(smaller)), smaller, False),
    ]
    (zoo / "zoo.json").write_text(json.dumps({"format": "assay-zoo/1", "model": MODEL_ID, "models": entries}, indent=2) + "\n")


def write(zoo, name, about, model, checkpoint, borrows):
    strip_local_paths(model)
    (zoo / f"{name}.onnx").write_bytes(model.SerializeToString())
    config = json.loads((checkpoint / "config.json").read_text())
    shape = {"layers": config["num_hidden_layers"], "kv_heads": config["num_key_value_heads"], "head_dim": config["head_dim"]}
    parameters = sum(array.size for array in load_file(checkpoint / "model.safetensors").values())
    return {"name": name, "about": about, "graph": f"{name}.onnx", "borrows_weights": borrows, "parameters": parameters, **shape}


def exported(checkpoint, **options):
    with tempfile.TemporaryDirectory() as scratch:
        main_export(str(checkpoint), scratch, task="text-generation-with-past", do_validation=False, **options)
        return onnx.load(Path(scratch, "model.onnx"))


def blocks(ships, bits, lender):
    quantizer = MatMulNBitsQuantizer(copy_of(ships), bits=bits, block_size=BLOCK, is_symmetric=True)
    quantizer.process()
    return borrowing(quantizer.model.model, lender)


def dynamic(graph, lender):
    with tempfile.TemporaryDirectory() as scratch:
        quantized = Path(scratch, "model.onnx")
        quantize_dynamic(graph, quantized, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True})
        return borrowing(onnx.load(quantized), lender)


def borrowing(model, lender):
    """The large tensors that the shipped file holds too, named there."""
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT and len(tensor.raw_data) >= ROWS_BYTES_MIN and tensor.raw_data in lender.content:
            tensor.CopyFrom(lender.tensor(tensor.name, numpy_helper.to_array(tensor)))
    return model


def fp16(checkpoint, ships, lender):
    """The exporter's own 16-bit graph; its weights are the shipped ones, rounded when it is opened."""
    model = exported(checkpoint, dtype="fp16", device="cpu")
    full = [numpy_helper.to_array(tensor) for tensor in ships.graph.initializer]
    by_rounding = {array.astype(np.float16).tobytes(): array for array in full}
    for tensor in list(model.graph.initializer):
        array = by_rounding.get(tensor.raw_data)
        if tensor.data_type == HALF and array is not None and array.nbytes >= ROWS_BYTES_MIN:
            cast_from(model, tensor, lender.tensor(f"{tensor.name}.wide", array), HALF)
    with_wide_ends(model)
    return model


def stored_halved(model):
    """Stores the weights in 16 bits; they are widened when the graph is opened, and everything is computed in 32 bits."""
    for tensor in list(model.graph.initializer):
        if tensor.data_type == FLOAT and len(tensor.raw_data) >= ROWS_BYTES_MIN:
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}.half")
            cast_from(model, tensor, half, FLOAT)
    return model


def cast_from(model, tensor, stored, kind):
    """Lets a cast of `stored` stand for `tensor`."""
    name = tensor.name
    model.graph.initializer.remove(tensor)
    model.graph.initializer.append(stored)
    model.graph.node.insert(0, helper.make_node("Cast", [stored.name], [name], to=kind))


def with_wide_ends(model):
    """Caches and logits go in and out in 32 bits, as engines of this project want them; nothing is lost by that."""
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == HALF:
            value.type.tensor_type.elem_type = FLOAT
            rename_uses(model, value.name, f"{value.name}.half")
            model.graph.node.insert(0, helper.make_node("Cast", [value.name], [f"{value.name}.half"], to=HALF))
    for value in model.graph.output:
        if value.type.tensor_type.elem_type == HALF:
            value.type.tensor_type.elem_type = FLOAT
            rename_uses(model, value.name, f"{value.name}.half")
            model.graph.node.append(helper.make_node("Cast", [f"{value.name}.half"], [value.name], to=FLOAT))


def rename_uses(model, old, new):
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new


def copy_of(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


if __name__ == "__main__":
    make_zoo(*map(Path, sys.argv[1:6]))
