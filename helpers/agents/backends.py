"""Who answers: a model in this process, or any OpenAI-compatible address. One interface, `fill(messages, slots)`."""

from helpers.models.constrained import Answer, choose, grammar


class InProcess:
    """A model in this process. `constrained=False` lets it write freely, to see what it would say unaided."""

    def __init__(self, model, tokenizer, constrained=True):
        self.model, self.tokenizer, self.constrained = model, tokenizer, constrained

    def fill(self, messages, slots):
        """The answer to a conversation as an `Answer`; its lines come from the slots unless writing freely."""
        from helpers import models

        if self.constrained:
            return choose(self.model, self.tokenizer, models.prompt_ids(self.tokenizer, messages), slots)
        # room for a right answer and a quarter more; a model that rambles is cut there
        room = sum(len(self.tokenizer(f"{s.key}: {max(s.options, key=len)}\n")["input_ids"]) for s in slots)
        text = models.chat(self.model, self.tokenizer, messages, max_new_tokens=min(320, int(1.25 * room)))
        return Answer(text, [], len(self.tokenizer(text)["input_ids"]))


class Remote:
    """An OpenAI-compatible address, such as our own server (`helpers.serving.Server`).

    With `constrained=True` the slots are sent as a GBNF grammar, which llama.cpp servers understand and others ignore.
    """

    def __init__(self, address, api_key=None, constrained=True):
        self.address, self.api_key, self.constrained = address, api_key, constrained

    def fill(self, messages, slots):
        """The server's answer as an `Answer`. Servers give no probabilities here, so every line's confidence is 1."""
        from helpers.agents.client import complete

        reply = complete(
            self.address,
            messages,
            api_key=self.api_key,
            grammar=grammar(slots) if self.constrained else None,
            max_tokens=480,
            temperature=0,
        )
        return Answer(reply["text"], [], reply["tokens"])
