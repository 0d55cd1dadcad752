"""Errors arrive as the exceptions that the official `openai` package documents."""

import openai
import pytest

HELLO = [{"role": "user", "content": "Hello!"}]
#: More requests than a key's bucket holds; see ../gateway.toml.
MORE_THAN_THE_BURST = 60


def counting_client(demo, **options):
    """A client that counts the requests it really sends."""
    sent = []
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    return demo.client(http_client=http, **options), sent


def use_up(client):
    """Asks until the gateway has enough of it."""
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(MORE_THAN_THE_BURST):
            client.models.list()
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_key_is_an_authentication_error(demo, stream):
    client, sent = counting_client(demo, api_key="ak-nonsense", max_retries=2)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=demo.model, messages=HELLO, stream=stream)
    error = caught.value
    assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "invalid_request_error")
    assert error.request_id
    assert len(sent) == 1, "trying again would not help"


def test_a_revoked_key_is_an_authentication_error(demo):
    key = demo.new_key()
    client = demo.client(api_key=key["key"])
    client.models.list()
    demo.admin("DELETE", f"keys/{key['id']}")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(client, stream):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-0", messages=HELLO, stream=stream)
    error = caught.value
    assert (error.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert "gpt-0" in error.message


def test_an_unknown_model_cannot_be_looked_up(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody/gpt-0")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0].role"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"extra_body": {"stream": "yes"}}, "stream"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_names_the_field(client, demo, wrong, param):
    request = {"model": demo.model, "messages": HELLO, **wrong}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**request)
    error = caught.value
    assert (error.status_code, error.type, error.param) == (400, "invalid_request_error", param)
    assert error.message


def test_a_prompt_that_is_too_long_has_its_own_code(client, demo):
    messages = [{"role": "user", "content": "one two three four " * 2_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=demo.model, messages=messages)
    assert caught.value.code == "context_length_exceeded"


def test_too_many_requests_say_when_to_come_back(demo):
    client, _ = counting_client(demo)
    error = use_up(client)
    assert (error.status_code, error.type, error.code) == (429, "requests", "rate_limit_exceeded")
    headers = error.response.headers
    assert int(headers["retry-after"]) >= 1
    assert int(headers["retry-after-ms"]) >= 1
    assert int(headers["x-ratelimit-remaining-requests"]) == 0


def test_the_sdk_waits_as_told_and_then_gets_its_answer(demo):
    client, sent = counting_client(demo)
    use_up(client)
    sent.clear()
    assert list(client.with_options(max_retries=2).models.list())
    assert len(sent) >= 2, "the first try was refused"


def test_no_credit_is_insufficient_quota_and_not_tried_again(demo):
    client, sent = counting_client(demo, api_key=demo.new_key(credit_nano=0)["key"], max_retries=2)
    for stream in (False, True):
        sent.clear()
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=demo.model, messages=HELLO, stream=stream)
        error = caught.value
        assert (error.status_code, error.type, error.code) == (429, "insufficient_quota", "insufficient_quota")
        assert error.response.headers["x-should-retry"] == "false"
        assert "retry-after" not in error.response.headers
        assert len(sent) == 1
