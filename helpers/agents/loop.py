"""The agent loop: a model speaks, tools answer, until the person has nothing more to say.

    result = run(world, chat, person)        # chat(messages, tools) -> message, in the OpenAI shape

That is all an agent is. Who answers (`helpers.agents.backends`) is one argument; what it may do is the world's matter.
"""

import json
import time
from dataclasses import dataclass, field

from helpers.agents import calls
from helpers.worlds.base import ERROR

STEPS = 12  # an agent that has not ended by then is lost


@dataclass
class Episode:
    """What happened: all messages, one record for every step, and why it ended ("done", "steps" or "error")."""

    messages: list
    steps: list = field(default_factory=list)
    ended: str = "steps"
    seconds: float = 0.0


def run(world, chat, person, steps=STEPS, whole_policy=True, guard=None, watch=None):
    """Let an agent serve a person in a world.

    Args:
        world: a `World`; its state changes.
        chat: the model, `chat(messages, tools) -> message`.
        person: `person(text or None) -> text or None`: what they say to the agent's text (None: at first), None at the end.
        steps: the most messages that the agent may write.
        whole_policy: show the model the whole policy, or only its title, as models tuned on traces expect.
        guard: `guard(world, name, arguments, messages) -> None or a refusal`, asked before every call.
        watch: `watch(step)` is told of every step, for traces and for people who look on.

    Returns an `Episode`. What a tool refuses goes back to the model as that tool's answer.
    """
    tools, start = calls.schemas(world), time.perf_counter()
    episode = Episode([calls.system(world, whole_policy), {"role": "user", "content": person(None)}])
    for _ in range(steps):
        began = time.perf_counter()
        message = chat(episode.messages, tools)
        details = message.pop("details", {})  # probabilities and counts; not for the next prompt
        episode.messages.append(message)
        step = {"message": message, "results": [], "model_seconds": time.perf_counter() - began, **details}
        for called in message.get("tool_calls") or []:
            name, result = called["function"]["name"], None
            try:
                arguments = json.loads(called["function"]["arguments"])
                refusal = guard and guard(world, name, arguments, episode.messages)
                result = {ERROR: refusal} if refusal else world.call(name, arguments)
            except (ValueError, TypeError) as error:
                result = {ERROR: f"panggilan tidak dapat dibaca: {error}"}
            episode.messages.append(calls.result(called["id"], result))
            step["results"].append({"name": name, "result": result})
        episode.steps.append(step)
        if watch:
            watch(step)
        if not message.get("tool_calls"):
            reply = person(message.get("content") or "")
            if reply is None:
                episode.ended = "done"
                break
            episode.messages.append({"role": "user", "content": reply})
    episode.seconds = time.perf_counter() - start
    return episode
