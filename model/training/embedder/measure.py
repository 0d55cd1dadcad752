"""Measures how far vectors of honest machines are apart, and how far those of weaker models are from them.

    python embedder/measure.py CHECKPOINT MODEL_FOLDER [--texts 1000]

Honest: the shipped graph however it is run. Weaker: its weights rounded, as a cheat would that saves memory or time.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from embedder.export import GRAPH_PATH, INPUTS, OUTPUT, load, vector
from embedder.pairs import Pairs

SEED, BATCH = 5, 8


def main(arguments):
    tokenizer = AutoTokenizer.from_pretrained(arguments.folder)
    pairs = Pairs(random.Random(SEED), held_out=True)
    texts = [text for answer in pairs.answers for text in (answer, *pairs.questions[answer])]
    texts = random.Random(SEED).sample(texts, min(arguments.texts, len(texts)))
    inputs = [tokenizer(text)["input_ids"] for text in texts]
    # Long ones too: sentences put together up to the context's end.
    inputs += [[id for ids in random.Random(seed).sample(inputs, 40) for id in ids][:512] for seed in range(arguments.texts // 10)]
    graph = (arguments.folder / GRAPH_PATH).read_bytes()
    truth = [vector(session(graph), ids) for ids in inputs]
    print(f"{len(inputs)} texts, {sum(map(len, inputs))} tokens")
    honest = {
        "2 threads": lambda: [vector(session(graph, threads=2), ids) for ids in inputs],
        "eight in a batch, padded": lambda: batched(session(graph), inputs),
        "graph not optimised": lambda: [vector(session(graph, optimised=False), ids) for ids in inputs],
        "torch": lambda: by_torch(load(arguments.checkpoint), inputs),
    }
    weaker = {
        "fp16 weights": lambda: [vector(session(rounded(graph, half)), ids) for ids in inputs],
        "bf16 weights": lambda: [vector(session(rounded(graph, brain)), ids) for ids in inputs],
        "int8 weights": lambda: [vector(session(rounded(graph, lambda w: steps(w, 127))), ids) for ids in inputs],
        "4-bit weights": lambda: [vector(session(rounded(graph, lambda w: steps(w, 7))), ids) for ids in inputs],
        "last token left out": lambda: [vector(session(graph), ids[:-1] or ids) for ids in inputs],
    }
    for name, run in {**honest, **weaker}.items():
        report(name, truth, run())


def session(graph, threads=1, optimised=True):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    key = (hash(graph), threads, optimised)
    if key not in _OPEN:
        _OPEN[key] = onnxruntime.InferenceSession(graph, options)
    return _OPEN[key]


_OPEN = {}


def batched(opened, inputs):
    vectors = []
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start:start + BATCH]
        width = max(map(len, batch))
        ids = numpy.array([row + [0] * (width - len(row)) for row in batch], dtype=numpy.int64)
        mask = numpy.array([[1] * len(row) + [0] * (width - len(row)) for row in batch], dtype=numpy.int64)
        hidden = opened.run([OUTPUT], dict(zip(INPUTS, (ids, mask))))[0].astype(numpy.float64)
        vectors += [unit(rows[:len(row)].sum(0)) for rows, row in zip(hidden, batch)]
    return vectors


@torch.no_grad()
def by_torch(model, inputs):
    return [unit(model(input_ids=torch.tensor([ids])).last_hidden_state[0].double().sum(0).numpy()) for ids in inputs]


def unit(total):
    return (total / numpy.linalg.norm(total)).astype(numpy.float32)


def rounded(graph, how):
    model = onnx.load_from_string(graph)
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == numpy.float32 and values.ndim == 2:
            weight.CopyFrom(numpy_helper.from_array(how(values).astype(numpy.float32), weight.name))
    return model.SerializeToString()


def half(values):
    return values.astype(numpy.float16)


def brain(values):
    return (values.view(numpy.uint32) + 0x8000 & 0xFFFF0000).view(numpy.float32)


def steps(values, most):
    scale = numpy.abs(values).max(0, keepdims=True) / most
    return numpy.round(values / numpy.where(scale == 0, 1, scale)) * scale


def report(name, truth, found):
    largest = [float(numpy.abs(a - b).max()) for a, b in zip(truth, found)]
    cosine = [1 - float(a.astype(numpy.float64) @ b.astype(numpy.float64)) for a, b in zip(truth, found)]
    print(f"| {name} | {max(largest):.1e} | {numpy.median(largest):.1e} | {min(largest):.1e} | {max(cosine):.1e} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=1_000)
    main(parser.parse_args())
