"""Trains Pip, a 3.28 M parameter Llama, on the synthetic dialogues, on the CPU.

    python train.py OUT_FOLDER [--steps 6000] [--threads 2] [--width 256] [--resume]

OUT_FOLDER already holds the tokenizer. Training has two rounds, the second with a fresh optimizer and a lower rate: copying words out of
a prompt, which calls need, comes late. With --resume it goes on from what the first round left in `checkpoint-3600`.
Weights are reproducible on one machine, close elsewhere: compare the held-out loss.
"""

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

from chat_encoder import UNSCORED, ChatEncoder
from corpus.dialogue import dialogue
from tokenizer import CONTEXT_LENGTH

STEPS, WIDTH = 6_000, 256
WARMUP_STEPS = 100
LAST_RATE_SHARE = 0.02
WEIGHT_DECAY = 0.05
BATCH_TOKENS_MAX = 2_304
DIALOGUE_TOKENS_MAX = 900
SORTED_TOGETHER = 512
MODEL_SEED, HELD_OUT_SEED = 0, 999
HELD_OUT_BATCHES = 12
REPORT_EVERY, CHECKPOINT_EVERY = 50, 500
TEMPLATE_PROBES = 200


@dataclass(frozen=True)
class Round:
    """From its first step to the next one's."""

    first_step: int
    rate: float
    cosine_steps: int  # where the cosine would end
    seed: int


ROUNDS = [Round(0, 2e-3, 4_000, seed=1), Round(3_600, 1.2e-3, 2_500, seed=2)]


def train(out, steps, threads, width, resume):
    torch.set_num_threads(threads)
    torch.manual_seed(MODEL_SEED)
    torch.use_deterministic_algorithms(True)
    chat = ChatEncoder(AutoTokenizer.from_pretrained(out))
    probes = random.Random(HELD_OUT_SEED)
    assert all(chat.agrees_with_template(dialogue(probes)) for _ in range(TEMPLATE_PROBES)), "training and serving would render differently"
    begins = ROUNDS[1].first_step if resume else 0
    model = LlamaForCausalLM.from_pretrained(Path(out, f"checkpoint-{begins}")) if resume else new_model(chat, width)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    held_out_stream = batches(chat, HELD_OUT_SEED, held_out=True)
    held_out = [next(held_out_stream) for _ in range(HELD_OUT_BATCHES)]

    started, losses, tokens = time.time(), [], 0
    for step in range(begins, steps):
        for round in ROUNDS:
            if step == round.first_step:
                now, optimizer, stream = round, new_optimizer(model, round.rate), batches(chat, round.seed)
        inputs, targets = next(stream)
        loss = answer_loss(model, inputs, targets)
        update(model, optimizer, loss, rate_at(now, step))
        losses.append(loss.item())
        tokens += inputs.numel()
        done = step + 1
        if done % REPORT_EVERY == 0 or done == steps:
            print(f"step {done} loss {sum(losses) / len(losses):.4f} tokens {tokens} {time.time() - started:.0f} s", flush=True)
            losses = []
        if done % CHECKPOINT_EVERY == 0 or done == steps or done in [round.first_step for round in ROUNDS]:
            print(f"step {done} held-out loss {mean_loss(model, held_out):.4f}", flush=True)
            model.save_pretrained(out if done == steps else Path(out, f"checkpoint-{done}"))


def new_model(chat, width):
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(chat.tokenizer), hidden_size=width, intermediate_size=5 * width // 2, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=width // 4, max_position_embeddings=CONTEXT_LENGTH, rope_theta=10_000.0, rms_norm_eps=1e-5,
        tie_word_embeddings=True, initializer_range=0.03, bos_token_id=None, eos_token_id=chat.end, pad_token_id=chat.pad))
    model.generation_config = GenerationConfig(eos_token_id=chat.end, pad_token_id=chat.pad, do_sample=False)
    return model


def batches(chat, seed, held_out=False):
    """Endless batches `[rows, tokens]`, right-padded, of dialogues of similar length."""
    rng = random.Random(seed)
    while True:
        encoded = [chat.encode(dialogue(rng, held_out)) for _ in range(SORTED_TOGETHER)]
        encoded = sorted((pair for pair in encoded if len(pair[0]) <= DIALOGUE_TOKENS_MAX), key=lambda pair: len(pair[0]))
        groups, group = [], []
        for pair in encoded:
            if group and (len(group) + 1) * len(pair[0]) > BATCH_TOKENS_MAX:
                groups.append(group)
                group = []
            group.append(pair)
        groups.append(group)
        rng.shuffle(groups)
        for group in groups:
            yield padded([ids for ids, _ in group], chat.pad), padded([targets for _, targets in group], UNSCORED)


def padded(rows, filler):
    width = max(map(len, rows))
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


def answer_loss(model, inputs, targets):
    """Padding is on the right and attention is causal, so no mask is needed; only answers are scored."""
    hidden = model.model(input_ids=inputs, use_cache=False).last_hidden_state[:, :-1]
    targets = targets[:, 1:]
    scored = targets != UNSCORED
    return cross_entropy(model.lm_head(hidden[scored]), targets[scored])


def new_optimizer(model, rate):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": norms, "weight_decay": 0.0}],
                             lr=rate, betas=(0.9, 0.95))


def rate_at(round, step):
    done = step - round.first_step
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done / round.cosine_steps)))
    return round.rate * min((done + 1) / WARMUP_STEPS, LAST_RATE_SHARE + (1 - LAST_RATE_SHARE) * cosine)


def update(model, optimizer, loss, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def mean_loss(model, held_out):
    model.eval()
    scored = [(answer_loss(model, inputs, targets).item(), int((targets != UNSCORED).sum())) for inputs, targets in held_out]
    model.train()
    return sum(loss * count for loss, count in scored) / sum(count for _, count in scored)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=WIDTH, help="of the hidden states; everything else scales with it")
    parser.add_argument("--resume", action="store_true", help="with the second round")
    arguments = parser.parse_args()
    train(arguments.out, arguments.steps, arguments.threads, arguments.width, arguments.resume)
