"""Embeddings through OpenAI's own package, which asks for base64 and decodes it."""

from array import array

import pytest
from openai import BadRequestError, NotFoundError

EMBEDDER, DIMENSIONS = "assay-pip-embedder", 128
ALIKE, OTHER = ["Who are you?", "What is your name?"], "How much is two and three?"


def test_vectors_of_several_texts_come_in_order_and_say_what_is_alike(demo):
    made = demo.client().embeddings.create(model=EMBEDDER, input=[*ALIKE, OTHER])
    assert made.object == "list" and made.model == EMBEDDER
    assert [entry.index for entry in made.data] == [0, 1, 2]
    one, same, other = (entry.embedding for entry in made.data)
    assert len(one) == DIMENSIONS
    assert likeness(one, one) == pytest.approx(1, abs=1e-5)
    assert likeness(one, same) > likeness(one, other)
    assert made.usage.prompt_tokens == made.usage.total_tokens > 0
    assert made.x_assay["rule"] in ("agreement", "majority", "spot_checks", "trusted")


def test_base64_and_numbers_are_the_same(demo):
    client = demo.client()
    by_default = client.embeddings.create(model=EMBEDDER, input=OTHER).data[0].embedding
    numbers = client.embeddings.create(model=EMBEDDER, input=OTHER, encoding_format="float").data[0].embedding
    # Numbers are written as short as 32 bits allow.
    assert list(by_default) == array("f", numbers).tolist()


def test_what_cannot_be_embedded_is_refused_by_name(demo):
    client = demo.client()
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(model=EMBEDDER, input=OTHER, dimensions=16)
    assert refused.value.param == "dimensions"
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(model=demo.model, input=OTHER)
    assert refused.value.param == "model"
    with pytest.raises(NotFoundError) as refused:
        client.embeddings.create(model="none", input=OTHER)
    assert refused.value.code == "model_not_found"


def likeness(one, other):
    return sum(a * b for a, b in zip(one, other))
