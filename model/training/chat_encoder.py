"""Turns a dialogue into token ids as the chat template does, and marks the tokens that the model must learn to write."""

from chat_format import plain_messages
from tokenizer import MESSAGE_END, MESSAGE_START, PAD

UNSCORED = -100


class ChatEncoder:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.pad, self.start, self.end = tokenizer.convert_tokens_to_ids([PAD, MESSAGE_START, MESSAGE_END])
        self.newline = self._ids("\n")

    def encode(self, dialogue):
        """Token ids, and as many targets: the ids of the answers with their end tokens, `UNSCORED` elsewhere."""
        ids, targets = [], []
        for message in plain_messages(dialogue):
            header = [self.start, *self._ids(message["role"] + "\n")]
            body = [*self._ids(message["content"]), self.end]
            learned = body if message["role"] == "assistant" else [UNSCORED] * len(body)
            ids += header + body + self.newline
            targets += [UNSCORED] * len(header) + learned + [UNSCORED] * len(self.newline)
        return ids, targets

    def agrees_with_template(self, dialogue):
        text = self.tokenizer.apply_chat_template(dialogue.messages, tools=dialogue.tools, tokenize=False)
        return self.encode(dialogue)[0] == self._ids(text)

    def _ids(self, text):
        return self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
