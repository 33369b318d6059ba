"""Who answers an agent's turn: `chat(messages, tools) -> message` in the OpenAI shape. One argument of `loop.run`.

    Choosing(model, tokenizer, says)      # a model in this process that chooses from a menu: valid by construction
    Writing(model, tokenizer)             # the same model writing freely
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

    def _logs(self, ids):
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
            return self._logs(prompt + written)

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
    """Writes freely, greedily, up to `longest` tokens; what it wrote is parsed as any server would."""

    def __init__(self, model, tokenizer, longest=120):
        super().__init__(model, tokenizer)
        self.longest = longest

    def __call__(self, messages, tools):
        """The message that the model wrote."""
        ids, written = menu.prompt(self.tokenizer, messages, tools), []
        end = self.tokenizer.convert_tokens_to_ids(menu.END)
        while len(written) < self.longest:
            token = int(self._logs(ids + written).argmax())
            if token in (end, self.tokenizer.eos_token_id):
                break
            written.append(token)
        message = calls.read(self.tokenizer, self.tokenizer.decode(written))
        return {**message, "details": {"tokens": len(written), "prompt_tokens": len(ids)}}


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
