"""LlamaIndex's `OpenAILike`: chats, streams, completions and a tool."""

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

QUESTION = "What is the weather in Berlin?"


@pytest.fixture
def llm(demo):
    def make(**options):
        return OpenAILike(
            model=demo.model, api_base=demo.base_url, api_key=demo.new_key()["key"], temperature=0,
            context_window=1024, max_retries=0, **options,
        )

    return make


def test_a_chat_and_its_stream_say_the_same(llm):
    llm, asked = llm(is_chat_model=True), [ChatMessage(role="user", content="Hello!")]
    answer = llm.chat(asked)
    assert answer.message.role == "assistant" and answer.message.content
    assert answer.raw.usage.completion_tokens > 0
    pieces = [piece.delta or "" for piece in llm.stream_chat(asked)]
    assert "".join(pieces) == answer.message.content
    assert llm.complete("Hello!").text == answer.message.content


async def test_an_async_chat_streams(llm):
    stream = await llm(is_chat_model=True).astream_chat([ChatMessage(role="user", content="Hello!")])
    assert [piece.delta async for piece in stream if piece.delta]


def test_what_is_no_chat_goes_on_from_its_prompt(llm):
    llm = llm(is_chat_model=False, max_tokens=12)
    text = llm.complete("Once upon a time").text
    assert text
    assert "".join(piece.delta for piece in llm.stream_complete("Once upon a time")) == text


def test_a_tool_is_called_and_its_result_answered_with(llm):
    def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        return "sunny"

    llm = llm(is_chat_model=True, is_function_calling_model=True)
    tool = FunctionTool.from_defaults(get_weather)
    asked = ChatMessage(role="user", content=QUESTION)
    answer = llm.chat_with_tools([tool], chat_history=[asked])
    [call] = llm.get_tool_calls_from_response(answer)
    assert (call.tool_name, call.tool_kwargs) == ("get_weather", {"city": "Berlin"})
    result = ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": call.tool_id})
    said = llm.chat_with_tools([tool], chat_history=[asked, answer.message, result])
    assert said.message.content == "The weather in Berlin: sunny."


def test_a_streamed_call_is_whole_at_its_end(llm):
    def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        return "sunny"

    llm = llm(is_chat_model=True, is_function_calling_model=True)
    tool = FunctionTool.from_defaults(get_weather)
    *_, last = llm.stream_chat_with_tools([tool], user_msg=QUESTION)
    [call] = llm.get_tool_calls_from_response(last)
    assert call.tool_kwargs == {"city": "Berlin"}
