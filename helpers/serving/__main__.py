"""The server's own process: llama.cpp with the OpenAI API, until it is told to stop.

    LEPASLATIH_API_KEY=… python -m helpers.serving --model model.gguf --port 8080

Endpoints: /v1/chat/completions, /v1/models, /health, /metrics, /lora-adapters. It stops on Ctrl-C or SIGTERM.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from helpers import machine
from helpers.serving import KEY_VARIABLE, ServingError, _gguf_file


def parameters(arguments, key):
    """The command line as llama.cpp's parameters."""
    import xllamacpp

    chosen = xllamacpp.CommonParams()
    chosen.model.path = arguments.model
    chosen.model_alias = {os.path.basename(arguments.model).removesuffix(".gguf")}
    if arguments.chat_template:
        chosen.chat_template = Path(arguments.chat_template).read_text(encoding="utf-8")
    if arguments.adapter:
        chosen.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(arguments.adapter, 1.0)]
    chosen.hostnames, chosen.port, chosen.api_keys = [arguments.host], arguments.port, [key]
    chosen.n_ctx, chosen.n_parallel = arguments.context * arguments.parallel, arguments.parallel
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = arguments.threads
    chosen.endpoint_metrics, chosen.endpoint_slots, chosen.ui = True, False, False  # slots would show one user's text to another
    chosen.cache_ram_mib = 64  # prompts kept for later; the default of 8 GB is more than the machine
    chosen.verbosity = 1  # errors only
    return chosen


def main(argv=None):
    """Serve until stopped. Returns the exit status; errors are one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m helpers.serving", description="Serve a GGUF model with the OpenAI API.")
    parser.add_argument("--model", default="smollm2-135m", help="an embedded model of the catalogue, or a .gguf file")
    parser.add_argument("--adapter", "--lora", help="a GGUF adapter")
    parser.add_argument("--chat-template", help="a Jinja file that replaces the model's own, such as the one of tool calls")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 127.0.0.1 is this machine only")
    parser.add_argument("--port", type=int, default=8080, help="0 chooses a free one")
    parser.add_argument("--context", type=int, default=2048, help="tokens of a prompt and its answer")
    parser.add_argument("--parallel", type=int, default=1, help="requests served at once")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)  # stop when stdin closes: the parent is gone
    arguments = parser.parse_args(argv)
    key, stop = os.environ.pop(KEY_VARIABLE, ""), threading.Event()
    try:
        if not key:
            raise ServingError(f"the server needs an API key: set the environment variable {KEY_VARIABLE}")
        try:
            import xllamacpp
        except ImportError:
            raise ServingError("xllamacpp is not installed: pip install 'lepaslatih[serving]'") from None
        arguments.model = _gguf_file(arguments.model)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        server = xllamacpp.Server(parameters(arguments, key))
    except (ServingError, RuntimeError, ValueError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    print(server.listening_address, flush=True)
    if arguments.child:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), stop.set()), daemon=True).start()
    while not stop.wait(1):  # in slices, so that signals are seen on every system
        pass
    del server
    return 0


if __name__ == "__main__":
    sys.exit(main())
