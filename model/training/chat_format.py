"""How a dialogue with or without tools becomes text: the chat template, and the same as messages of plain text, which training takes."""

import json

SYSTEM_ROLES = ("system", "developer")
TOOLS_BEFORE = "# Tools\n\nYou may call these functions:\n<tools>\n"
TOOLS_AFTER = '</tools>\nA call looks like this:\n<tool_call>\n{"name": "function", "arguments": {}}\n</tool_call>'
CALL_BEFORE, CALL_AFTER = "<tool_call>\n", "\n</tool_call>"


def _literal(text):
    """A Jinja string."""
    return "'" + text.replace("\n", "\\n") + "'"


# One line, no indentation: it renders the same with and without Jinja's trim_blocks, so in every engine. A call's arguments are
# an object, or the text that the model wrote, which is kept to the letter.
CHAT_TEMPLATE = (
    "{% set first = messages[0] if messages else {'role': ''} %}"
    "{% set leads = first['role'] in ['system', 'developer'] %}"
    "{% if tools %}{{ '<|im_start|>system\\n' }}"
    "{% if leads and first['content'] %}{{ first['content'] + '\\n\\n' }}{% endif %}"
    f"{{{{ {_literal(TOOLS_BEFORE)} }}}}"
    "{% for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{% endfor %}"
    f"{{{{ {_literal(TOOLS_AFTER + '<|im_end|>' + chr(10))} }}}}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if not (tools and leads and loop.first) %}"
    "{% set role = 'system' if message['role'] == 'developer' else message['role'] %}"
    "{% set content = message['content'] if message['content'] else '' %}"
    "{{ '<|im_start|>' + role + '\\n' + content }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{% if content or not loop.first %}{{ '\\n' }}{% endif %}"
    f"{{{{ {_literal(CALL_BEFORE)} }}}}"
    "{{ '{\"name\": \"' + call['function']['name'] + '\", \"arguments\": ' }}"
    "{% if call['function']['arguments'] is string %}{{ call['function']['arguments'] }}{% else %}{{ call['function']['arguments'] | tojson }}{% endif %}"
    f"{{{{ {_literal('}' + CALL_AFTER)} }}}}"
    "{% endfor %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def plain_messages(dialogue):
    """The dialogue as `{"role", "content"}` whose contents are the text that the template puts there."""
    messages, system = dialogue.messages, ""
    if dialogue.tools:
        if messages[0]["role"] in SYSTEM_ROLES:
            system, messages = messages[0]["content"] + "\n\n", messages[1:]
        listed = "".join(f"{json.dumps(tool, ensure_ascii=False)}\n" for tool in dialogue.tools)
        messages = [{"role": "system", "content": f"{system}{TOOLS_BEFORE}{listed}{TOOLS_AFTER}"}, *messages]
    return [{"role": message["role"], "content": _content(message)} for message in messages]


def _content(message):
    parts = [message["content"]] if message["content"] else []
    for call in message.get("tool_calls") or []:
        function = call["function"]
        arguments = json.dumps(function["arguments"], ensure_ascii=False)
        parts.append(f'{CALL_BEFORE}{{"name": "{function["name"]}", "arguments": {arguments}}}{CALL_AFTER}')
    return "\n".join(parts)
