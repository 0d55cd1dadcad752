"""Log probabilities with the official `openai` package."""

HELLO = [{"role": "user", "content": "Hello!"}]


def told(content):
    return [(token.token, round(token.logprob, 2), len(token.top_logprobs)) for token in content]


def test_every_token_of_a_chat_has_its_log_probability(client, demo):
    def ask(**options):
        return client.chat.completions.create(
            model=demo.model, messages=HELLO, temperature=0, logprobs=True, top_logprobs=3, **options
        )

    [choice] = ask().choices
    content = choice.logprobs.content
    assert "".join(token.token for token in content) == choice.message.content
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        # At temperature 0 the likeliest is taken.
        assert token.top_logprobs[0].logprob == token.logprob
    assert b"".join(bytes(token.bytes) for token in content).decode() == choice.message.content
    pieces = [chunk.choices[0].logprobs for chunk in ask(stream=True)]
    assert told([token for piece in pieces if piece for token in piece.content]) == told(content)


def test_a_completion_has_them_in_its_own_shape(client, demo):
    answer = client.completions.create(
        model=demo.model, prompt="Once upon a time", temperature=0, logprobs=2
    )
    [choice] = answer.choices
    assert "".join(choice.logprobs.tokens) == choice.text
    assert len(choice.logprobs.token_logprobs) == len(choice.logprobs.tokens)
    assert choice.logprobs.text_offset[0] == 0
