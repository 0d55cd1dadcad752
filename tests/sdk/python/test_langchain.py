"""LangChain's own integration suite of chat models, on `ChatOpenAI` unchanged."""

from itertools import cycle

import pytest
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


@pytest.fixture(scope="module")
def keys(demo):
    """More than one: together they ask faster than a key may."""
    return cycle([demo.new_key()["key"] for _ in range(4)])


class TestChatOpenAI(ChatModelIntegrationTests):
    """What it skips: images, audio, PDFs and Anthropic's form of them, which the demo model does not read, and a
    benchmark that replays a recording."""

    @pytest.fixture(autouse=True)
    def _with_a_key(self, demo, keys):
        self.demo, self.key = demo, next(keys)

    @property
    def chat_model_class(self):
        return ChatOpenAI

    @property
    def chat_model_params(self):
        return {
            "model": self.demo.model,
            "base_url": self.demo.base_url,
            "api_key": self.key,
            "temperature": 0,
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def has_tool_calling(self):
        return True

    @property
    def has_tool_choice(self):
        return True

    @property
    def has_structured_output(self):
        return True

    @property
    def supports_json_mode(self):
        return True

    @property
    def supports_model_override(self):
        return True

    @property
    def model_override_value(self):
        return self.demo.model

    @pytest.mark.xfail(reason="JSON mode keeps to JSON, not to keys: those this model takes from a schema, not from a sentence")
    def test_json_mode(self, model):
        super().test_json_mode(model)

    @pytest.mark.xfail(reason="the demo model was never shown Chinese or Japanese and cannot repeat it")
    def test_unicode_tool_call_integration(self, model):
        super().test_unicode_tool_call_integration(model)
