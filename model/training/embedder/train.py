"""Trains Pip's embedder, a two-layer BERT of 0.7 M parameters, to put texts that mean the same side by side, on the CPU.

    python train.py TOKENIZER_FOLDER OUT_FOLDER [--steps 700] [--threads 2]
"""

import argparse
import math
import random
import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoTokenizer, BertConfig, BertModel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from embedder.pairs import Pairs

STEPS, WARMUP_STEPS, LEARNING_RATE = 700, 60, 1e-3
WIDTH, LAYERS, HEADS, TEXT_TOKENS_MAX = 128, 2, 4, 512
PAIRS_A_STEP, TEMPERATURE = 96, 0.05
TRAIN_TOKENS_MAX = 128
MODEL_SEED, TRAIN_SEED, HELD_OUT_SEED, PROBES = 0, 1, 999, 200
REPORT_EVERY = 100


def train(tokenizer_folder, out, steps, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(MODEL_SEED)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    model = BertModel(BertConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=4 * WIDTH,
        max_position_embeddings=TEXT_TOKENS_MAX, type_vocab_size=1, pad_token_id=tokenizer.pad_token_id,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.0), add_pooling_layer=False)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    rng, pairs = random.Random(TRAIN_SEED), Pairs(random.Random(TRAIN_SEED))
    held_out = Pairs(random.Random(HELD_OUT_SEED), held_out=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    started, losses = time.time(), []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min((step + 1) / WARMUP_STEPS, 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        loss = contrast(model, tokenizer, pairs.draw(rng, PAIRS_A_STEP))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % REPORT_EVERY == 0:
            found = nearest_first(model, tokenizer, held_out)
            print(f"step {step + 1} loss {sum(losses) / len(losses):.4f} held-out partners found first {found:.3f} {time.time() - started:.0f} s", flush=True)
            losses = []
    model.eval().save_pretrained(out)
    tokenizer.save_pretrained(out)


def contrast(model, tokenizer, pairs):
    """Of all second texts, a first text's own one must be the nearest, and the other way round."""
    left, right = (embed(model, tokenizer, list(texts)) for texts in zip(*pairs))
    likeness = left @ right.T / TEMPERATURE
    own = torch.arange(len(pairs))
    return (cross_entropy(likeness, own) + cross_entropy(likeness.T, own)) / 2


def embed(model, tokenizer, texts):
    batch = tokenizer(texts, padding=True, truncation=True, max_length=TRAIN_TOKENS_MAX, return_tensors="pt")
    mask = batch["attention_mask"]
    hidden = model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


@torch.no_grad()
def nearest_first(model, tokenizer, pairs):
    """The share of held-out texts whose partner is the nearest of all."""
    model.eval()
    drawn = pairs.draw(random.Random(HELD_OUT_SEED), PROBES)
    left, right = (embed(model, tokenizer, list(texts)) for texts in zip(*drawn))
    model.train()
    return ((left @ right.T).argmax(1) == torch.arange(len(drawn))).float().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    train(arguments.tokenizer, arguments.out, arguments.steps, arguments.threads)
