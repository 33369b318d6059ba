"""Who answers an agent's turn: `chat(messages, tools) -> message` in the OpenAI shape. One argument of `loop.run`.

    Choosing(model, tokenizer, says)      # a model in this process that chooses from a menu: valid by construction
    Writing(model, tokenizer)             # the same model writing freely, or held to the tools' grammar
    Address("http://127.0.0.1:8080/v1")   # any OpenAI-compatible server: ours, vLLM, a paid service
    Nothing(), Refusing(), Dice(says)     # floors: what does a score mean?
    Unsure(first, second, threshold)      # a small model that passes to another what it is not sure of

A message may carry `details` (probabilities, counts), which the loop takes out.
"""

import json
import random

from helpers.agents import calls, menu


class _InProcess:
    """A model in this process, with the keys and values of what it has read kept for the next turn."""

    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = model, calls.adopt(tokenizer)
        self._cache, self._seen = None, []

    def log_probabilities(self, ids):
        """Log-probabilities of the token after `ids`; only what differs from the last call goes through the model."""
        import torch
        from transformers import DynamicCache

        same = 0
        for a, b in zip(self._seen, ids):
            if a != b:
                break
            same += 1
        same = min(same, len(ids) - 1)
        if self._cache is None or not same:
            self._cache, same = DynamicCache(config=self.model.config), 0
        elif same < len(self._seen):
            self._cache.crop(same - len(self._seen))  # so many tokens less
        with torch.inference_mode():
            output = self.model(torch.tensor([ids[same:]], device=self.model.device), past_key_values=self._cache, logits_to_keep=1)
        self._seen = list(ids)
        return torch.log_softmax(output.logits[0, -1].float(), -1)


class Choosing(_InProcess):
    """Chooses its next message from the menu. `says`: what it may always say; `temperature` 0 takes the most probable."""

    def __init__(self, model, tokenizer, says=(), temperature=0.0, seed=0):
        super().__init__(model, tokenizer)
        self.says, self.temperature, self.rng = tuple(says), temperature, random.Random(seed)

    def __call__(self, messages, tools):
        """The chosen message; `details` has the probability of every decision and of all together."""
        prompt, passes = menu.prompt(self.tokenizer, messages, tools), 0

        def score(written):
            nonlocal passes
            passes += 1
            return self.log_probabilities(prompt + written)

        written, decisions = menu.Menu(self.tokenizer, messages, tools, self.says).choose(score, self._pick if self.temperature else None)
        message = calls.read(self.tokenizer, self.tokenizer.decode(written))
        confidence = 1.0
        for probability, _ in decisions:
            confidence *= probability
        details = {"confidence": confidence, "decisions": decisions, "passes": passes, "tokens": len(written), "prompt_tokens": len(prompt)}
        return {**message, "details": details}

    def _pick(self, logs):
        weights = (logs / self.temperature).softmax(-1).tolist()
        return self.rng.choices(range(len(weights)), weights)[0]


class Writing(_InProcess):
    """Writes greedily, up to `longest` tokens; what it wrote is parsed as any server would.

    `grammar`: "" writes freely; "lazy" holds a call to its tool's schema once `<tool_call>` has been written; "always" from the
    first token, so that nothing but a call can be written. The grammar is llguidance's, which many servers use too.
    """

    def __init__(self, model, tokenizer, longest=120, grammar=""):
        super().__init__(model, tokenizer)
        if grammar not in ("", "lazy", "always"):
            raise ValueError(f"grammar is {grammar!r}: choose '', 'lazy' or 'always'")
        self.longest, self.grammar, self._vocabulary = longest, grammar, None

    def __call__(self, messages, tools):
        """The message that the model wrote; `details["forced"]` counts the tokens that the grammar changed."""
        ids, written, forced, matcher = menu.prompt(self.tokenizer, messages, tools), [], 0, None
        ends = {self.tokenizer.convert_tokens_to_ids(menu.END), self.tokenizer.eos_token_id}
        if self.grammar == "always":
            written, matcher = self._encode(calls.OPEN), self._matcher(tools)
        while len(written) < self.longest:
            logs = self.log_probabilities(ids + written)
            token = int(logs.argmax())
            if matcher is not None:
                allowed = self._allowed(matcher, len(logs))
                best = int(logs.masked_fill(~allowed, float("-inf")).argmax())
                forced, token = forced + (best != token), best
            if token in ends and matcher is None:
                break
            if matcher is not None and (token in ends or not matcher.consume_token(token) or matcher.is_stopped()):
                written += self._encode(calls.CLOSE) if token in ends else [token, *self._encode(calls.CLOSE)]
                break
            written.append(token)
            if matcher is None and self.grammar and self.tokenizer.decode(written[-8:]).endswith(calls.OPEN):
                matcher = self._matcher(tools)
        message = calls.read(self.tokenizer, self.tokenizer.decode(written))
        return {**message, "details": {"tokens": len(written), "prompt_tokens": len(ids), "forced": forced}}

    def _encode(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _matcher(self, tools):
        """A matcher of llguidance for one call of any of the tools."""
        import llguidance
        import llguidance.hf

        if self._vocabulary is None:
            self._vocabulary = llguidance.hf.from_tokenizer(self.tokenizer, n_vocab=self.model.config.vocab_size)
        forms = [
            {
                "type": "object", "required": ["name", "arguments"], "additionalProperties": False,
                "properties": {"name": {"const": f["name"]}, "arguments": {**_plain(f["parameters"]), "additionalProperties": False}},
            }
            for f in (tool["function"] for tool in tools)
        ]  # fmt: skip
        spaces = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        grammar = llguidance.LLMatcher.grammar_from_json_schema({"anyOf": forms}, overrides=spaces)
        matcher = llguidance.LLMatcher(self._vocabulary, grammar)
        if matcher.is_error():
            raise ValueError(f"no grammar for these tools: {matcher.get_error()}")
        return matcher

    def _allowed(self, matcher, size):
        import numpy
        import torch

        bits = numpy.unpackbits(numpy.frombuffer(matcher.compute_bitmask(), dtype=numpy.uint8), bitorder="little")
        return torch.from_numpy(bits[:size].astype(bool))


class Address:
    """A model behind an OpenAI-compatible address. `options` go into every request (temperature, seed …)."""

    def __init__(self, address, model="served", api_key=None, timeout=300, **options):
        self.address, self.model, self.api_key, self.timeout = address, model, api_key, timeout
        self.options = {"temperature": 0, "max_tokens": 400, **options}

    def __call__(self, messages, tools):
        """The server's message. Raises `client.ServingError` with one line."""
        from helpers.agents import client

        plain = [{**tool, "function": {**tool["function"], "parameters": _plain(tool["function"]["parameters"])}} for tool in tools]
        return client.message(self.address, messages, plain, self.model, self.api_key, self.timeout, **self.options)


def _plain(parameters):
    """A schema without our own formats, which strict servers refuse."""
    properties = {name: {k: v for k, v in kind.items() if k != "format"} for name, kind in parameters["properties"].items()}
    return {**parameters, "properties": properties}


class Nothing:
    """Floor: ends every conversation politely and does nothing."""

    def __call__(self, messages, tools):
        """A thank-you."""
        return calls.say("Terima kasih kerana menghubungi kami.")


class Refusing:
    """Floor: hands everything over to a person, or whatever of its tools comes nearest to that."""

    def __init__(self, tool, arguments):
        self.tool, self.arguments = tool, arguments

    def __call__(self, messages, tools):
        """One call, then what the tool gave to tell."""
        if messages[-1]["role"] == "tool":
            return calls.say((menu.tells(messages) or ["Permintaan ini diserahkan kepada pegawai."])[0])
        return calls.call(self.tool, self.arguments)


class Dice:
    """Floor: a message from the menu by dice, as often as there are kinds of message."""

    def __init__(self, says=(), seed=0):
        self.says, self.rng = tuple(says), random.Random(seed)

    def __call__(self, messages, tools):
        """Any sentence or any call with any possible arguments."""
        told, made = menu.tells(messages), []
        for tool in tools:
            choices = {n: menu.options(kind, messages) for n, kind in tool["function"]["parameters"]["properties"].items()}
            if all(choices.values()):
                made.append((tool["function"]["name"], choices))
        kind = self.rng.randrange(len(self.says) + len(told) + len(made))
        if kind < len(self.says) + len(told):
            return calls.say((*self.says, *told)[kind])
        name, choices = made[kind - len(self.says) - len(told)]
        return calls.call(name, {n: json.loads(self.rng.choice(values)) for n, values in choices.items()})


class Unsure:
    """Asks `second` whenever `first` is less sure than `threshold`: a bigger model, or a person."""

    def __init__(self, first, second, threshold):
        self.first, self.second, self.threshold = first, second, threshold

    def __call__(self, messages, tools):
        """The first's message if it is sure enough, else the second's."""
        message = self.first(messages, tools)
        if message.get("details", {}).get("confidence", 0.0) >= self.threshold:
            return message
        other = self.second(messages, tools)
        return {**other, "details": {**other.get("details", {}), "passed_on": True}}
