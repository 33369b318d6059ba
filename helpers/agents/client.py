"""A client for OpenAI-compatible servers: one call, one-line errors. It keeps no key and logs nothing."""

import re
import time
from contextlib import contextmanager
from functools import lru_cache


class ServingError(RuntimeError):
    """An export, a server or a request failed. The message is one line and says what to do."""


@lru_cache
def _client(local):
    import httpx

    return httpx.Client(trust_env=not local, timeout=300)  # a proxy for the internet is none for this machine


def _is_local(address):
    return re.match(r"https?://(127\.|localhost\b|\[::1\])", address) is not None


def healthy(address):
    """Whether the server at an API address answers and has loaded its model."""
    import httpx

    try:
        return _client(_is_local(address)).get(address.removesuffix("/v1") + "/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def complete(address, messages, api_key=None, grammar=None, max_tokens=256, temperature=0, model="served", timeout=300, **options):
    """Ask an OpenAI-compatible server for the answer to a conversation.

    Args:
        address: base address of the API, such as `server.address`.
        messages: list of `{"role", "content"}`.
        grammar: a GBNF grammar the answer must follow (`models.constrained.grammar(slots)`); llama.cpp servers only.
        temperature: 0 is greedy.
        timeout: seconds.
        options: more fields of the request, such as `seed`.

    Returns a dict: `text`, `tokens` (of the answer), `prompt_tokens`, `finish` ("stop", or "length" where it was cut
    off) and `seconds` of wall time. Raises `ServingError` with one line that says what to do.
    """
    body = {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature, **options}
    if grammar is not None:
        body["grammar"] = grammar
    start = time.perf_counter()
    answer = _ask(address, body, api_key, timeout)
    with _as_openai(address):
        choice, usage = answer["choices"][0], answer["usage"]
        return {
            "text": choice["message"]["content"] or "",
            "tokens": usage["completion_tokens"],
            "prompt_tokens": usage["prompt_tokens"],
            "finish": choice["finish_reason"],
            "seconds": time.perf_counter() - start,
        }


def message(address, messages, tools, model="served", api_key=None, timeout=300, **options):
    """Ask an OpenAI-compatible server for the next message of a conversation with tools.

    Returns the assistant's message in the OpenAI shape (`content`, `tool_calls`) with `details`: tokens and seconds.
    Raises `ServingError` with one line that says what to do.
    """
    start = time.perf_counter()
    answer = _ask(address, {"model": model, "messages": messages, "tools": tools, **options}, api_key, timeout)
    with _as_openai(address):
        found, usage = answer["choices"][0]["message"], answer.get("usage") or {}
        calls = [
            {"id": call["id"], "type": "function", "function": {"name": f["name"], "arguments": f["arguments"]}}
            for call in found.get("tool_calls") or []
            for f in [call["function"]]
        ]
        details = {"tokens": usage.get("completion_tokens"), "prompt_tokens": usage.get("prompt_tokens")}
        made = {"role": "assistant", "content": found.get("content"), "details": {**details, "seconds": time.perf_counter() - start}}
        return {**made, "tool_calls": calls} if calls else made


def _ask(address, body, api_key, timeout):
    """The server's answer to one request, as parsed JSON."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        response = _client(_is_local(address)).post(f"{address.rstrip('/')}/chat/completions", json=body, headers=headers, timeout=timeout)
    except httpx.TimeoutException as error:
        raise ServingError(f"{address} did not answer within {timeout} s: ask for fewer tokens, or give a longer timeout") from error
    except httpx.HTTPError as error:
        raise ServingError(
            f"no server answers at {address} ({type(error).__name__}): start one with serving.serve, or check the address"
        ) from error
    except (httpx.InvalidURL, ValueError) as error:
        raise ServingError(f"{address!r} is not an address: it looks like http://127.0.0.1:8080/v1") from error
    if response.status_code in (401, 403):
        raise ServingError(f"{address} refused the API key: pass api_key=server.api_key")
    with _as_openai(f"{address} ({response.status_code})"):
        answer = response.json()
        if response.status_code != 200:
            raise ServingError(f"{address} refused the request ({response.status_code}): {_reason(answer)}")
        return answer


@contextmanager
def _as_openai(address):
    """Whatever is not shaped as an OpenAI server's answer becomes one line."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise ServingError(f"{address} did not answer as an OpenAI server does: check the address, which ends in /v1") from error


def _reason(answer):
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    return one_line(error.get("message", error) if isinstance(error, dict) else error)


def one_line(text):
    """Text as one line of at most 300 characters."""
    return " ".join(str(text).split())[:300]
