"""Greedy chat on the exported graph with ONNX Runtime, as a node would run it."""

import json

import numpy as np
import onnxruntime
from transformers import AutoTokenizer

RUNTIME_VERSION = "1.32.0"


class ChatSession:
    """One model folder, one thread, one dialogue at a time."""

    def __init__(self, folder):
        assert onnxruntime.__version__ == RUNTIME_VERSION, onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.graph = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", options, providers=["CPUExecutionProvider"])
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.end = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        self.past = {i.name: i.shape for i in self.graph.get_inputs() if i.name.startswith("past_key_values")}
        self.outputs = ["logits", *(name.replace("past_key_values", "present") for name in self.past)]

    def prompt_ids(self, messages, tools=None):
        text = self.tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def answer(self, messages, tokens_max=200, tools=None):
        """The answer's text, and whether the model ended it by itself."""
        ids, _ = self.generate(self.prompt_ids(messages, tools), tokens_max)
        ended = ids[-1] == self.end
        return self.tokenizer.decode(ids[:-1] if ended else ids), ended

    def generate(self, prompt, tokens_max):
        """Greedy token ids, the end token included, and the logits row `[vocab]` behind each."""
        ids, rows, cache, fed = [], [], self._empty_cache(), prompt
        while len(ids) < tokens_max:
            logits, cache = self._forward(fed, cache)
            rows.append(logits[-1])
            ids.append(int(logits[-1].argmax()))
            if ids[-1] == self.end:
                break
            fed = ids[-1:]
        return ids, np.stack(rows)

    def score(self, ids):
        """The logits `[len(ids), vocab]` behind the next token at every position, in one pass."""
        logits, _ = self._forward(ids, self._empty_cache())
        return logits

    def _forward(self, ids, cache):
        before = cache[0].shape[2]
        feed = {"input_ids": np.array([ids], np.int64),
                "attention_mask": np.ones((1, before + len(ids)), np.int64),
                "position_ids": np.arange(before, before + len(ids), dtype=np.int64)[None]}
        logits, *cache = self.graph.run(self.outputs, feed | dict(zip(self.past, cache)))
        return logits[0], cache

    def _empty_cache(self):
        return [np.zeros((1, heads, 0, width), np.float32) for _, heads, _, width in self.past.values()]
