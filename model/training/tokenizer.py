"""Trains Pip's tokenizer: byte-level BPE, single digits, ChatML, in Hugging Face's layout.

    python tokenizer.py OUT_FOLDER
"""

import random
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from chat_format import CHAT_TEMPLATE, plain_messages
from corpus.dialogue import dialogue

VOCAB_SIZE = 2048
CONTEXT_LENGTH = 1024
DIALOGUES = 20_000
SEED = 7

PAD, MESSAGE_START, MESSAGE_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

# Qwen2's pre-tokenizer: contractions, words with one leading mark or space, digits one by one, punctuation, newlines.
_PIECES = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def train_tokenizer():
    rng = random.Random(SEED)
    texts = [f"{message['role']}\n{message['content']}" for _ in range(DIALOGUES) for message in plain_messages(dialogue(rng))]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_PIECES), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=[PAD, MESSAGE_START, MESSAGE_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=MESSAGE_END, pad_token=PAD, model_max_length=CONTEXT_LENGTH,
        additional_special_tokens=[MESSAGE_START], clean_up_tokenization_spaces=False)
    tokenizer.chat_template = CHAT_TEMPLATE
    assert len(tokenizer) == VOCAB_SIZE, len(tokenizer)
    return tokenizer


def main(out):
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(out)
    print(f"tokenizer of {len(tokenizer)} tokens in {out}: {tokenizer.tokenize('What is 2 + 10? Assay.')}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
