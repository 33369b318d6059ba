# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Tools and decisions
#
# After this notebook an agent holds no mystery for you: you have watched one act token by token, let a very small model
# choose instead of write, and decided, with figures, which cases it may settle alone.
#
# In this notebook we
#
# - run an agent in a world of some twenty lines, and read the loop that every agent is;
# - turn a Python method into a tool, and see what the model is shown of it;
# - look into a tool call, token by token;
# - let the open model write freely, hold it to a grammar, and measure what the grammar costs;
# - build the menu: an agent that cannot write a broken call, with a probability for everything that it chooses;
# - ask typed questions with the library's own one-pass decisions, beside ours;
# - read a training trace, and see which of its tokens were decisions;
# - ask the tuned model how sure it is, and choose on development cases when a person takes over;
# - put the same tools behind MCP and the same agent into an application;
# - examine every rung of the ladder on the same test cases, next to rules and to floors.
#
# **Before you start:** notebook [02](02_load_an_open_model.ipynb) (tokens, logits, templates) and
# [04](04_measure_first.ipynb) (intervals, floors). The counter that we work at is the one of notebook 12.
#
# **What it takes:** three to four minutes in the `laptop` profile on two cores.
#
# The town, its council and its citizens are invented. The agencies are real; what they do here is simplified.

# %%
# Find the kit, or install it where it is not (on Colab).
import pathlib, sys

sys.path[:0] = [str(p) for p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents] if (p / "helpers").is_dir()][:1]
try:
    from helpers import lesson
except ModuleNotFoundError:
    # %pip install --quiet "lepaslatih[course,data,agents,serving]==0.1.0"
    from helpers import lesson

# %% tags=["parameters"]
profile = "laptop"
run_folder = ""

# %%
here = lesson.start("10", profile, run_folder)
sizes = here.settings["tools"]

# %% tags=["definition"]
import collections, copy, gc, inspect, json, math, time
from pathlib import Path
from typing import Literal

import matplotlib.pyplot as plt
import torch
from IPython.display import Code

from helpers import evaluation, examine, models, show, worlds
from helpers.agents import calls, chat, loop, menu, person
from helpers.evaluation import agents as examination
from helpers.worlds.base import TELL, Fact, Task, World

# %% [markdown]
# ## 1. An agent is a loop
#
# Take away the talk about agents, and this is left: a model writes a message; if the message asks for a tool, a program
# runs the tool and puts the answer into the conversation; then the model writes again. It goes on until there is nothing
# more to say. A chat bot talks. An agent *changes something*.
#
# So the first thing that an agent needs is something to change. We call it a **world**: a small database, a few
# methods that may change it, and a written policy. Here is one, a stall that sells drinks.


# %% tags=["definition"]
class Stall(World):
    """A drinks stall: what was sold stands in its book."""

    NAME, TOOLS = "gerai", ("sell",)
    SCHEMA = "CREATE TABLE sold (drink TEXT, hot INTEGER)"
    COMPARED = {"sold": ["drink", "hot"]}  # what an examiner looks at
    FACTS = {"suhu": Fact("Panas atau ais?", r"panas|\bais\b")}  # what one may ask a customer
    PRICES = {"teh": 1.80, "kopi": 2.00, "milo": 3.00}

    @classmethod
    def policy(cls):
        return "# Gerai Pak Din\n1. Tanya panas atau ais jika pelanggan tidak menyebutnya."

    def _begin(self, setup):
        """A new day: the book is empty."""


# %% [markdown]
# The policy says, in Malay as all our policies do: *ask whether hot or with ice, if the customer does not mention it*.
# One thing is missing, the method that sells. We write it as we would write any method, with type hints and with a
# docstring. Nothing in it mentions a model.


# %% tags=["definition"]
def sell(self, drink: Literal["teh", "kopi", "milo"], hot: bool) -> dict:
    """Sell one drink and write it into the book.

    Args:
        drink: What the customer wants.
        hot: Hot (true) or with ice (false).
    """
    self._db.execute("INSERT INTO sold VALUES (?, ?)", (drink, hot))
    return {TELL: f"Satu {drink} {'panas' if hot else 'ais'}, RM{self.PRICES[drink]:.2f}."}


Stall.sell = sell

# %% [markdown]
# The stall works without any agent. A call that makes no sense raises no exception: it comes back as an answer, one line
# under the key `ralat` (“error”), because whoever made the call should read it and do better. And a refused call
# changes nothing.

# %% tags=["nbval-check-output"]
stall = Stall()
print(stall.call("sell", {"drink": "teh", "hot": True}))
print(stall.call("sell", {"drink": "cendol", "hot": False}))
print(stall.call("give_away", {}))
print("the book:", stall.state())

# %% [markdown]
# Now the loop. This is not a sketch of it: the cell prints the source that every agent of this course runs in.

# %%
Code(inspect.getsource(loop.run), language="python")

# %% [markdown]
# Read it once with a pencil. Apart from bookkeeping there are four steps: the model is asked (`chat`), its calls are
# carried out (`world.call`), the results are added to the conversation, and when it has written text instead of a call,
# the person is asked (`person`). `chat` is a plain function from messages and tools to a message, in the shape that
# OpenAI made common. A model in this notebook, a server, a paid service, a rule, dice: for the loop they are all the same.
#
# They may also be nobody at all. Here `chat` is a list of sentences that we wrote ourselves. The customer is
# scripted, too: they say their opening, tell a fact when they are asked for it, and leave when nothing is asked.

# %%
order = Task(
    id="gerai-1", kind="jualan", opening={"pasar": "Milo satu, bang."}, facts={"suhu": {"pasar": "Ais la."}},
    gold=[{"ask": "suhu"}, {"tool": "sell", "arguments": {"drink": "milo", "hot": False}}], communicate=["RM3.00"],
)  # fmt: skip


def scripted(*lines):
    """An agent without a model: it says one line after another."""
    rest = iter(lines)
    return lambda messages, tools: dict(next(rest))


# %%
stall = Stall()
good = scripted(calls.say("Panas atau ais?"), calls.call("sell", {"drink": "milo", "hot": False}), calls.say("Satu milo ais, RM3.00."))
episode = loop.run(stall, good, person.Person(Stall, order))
show.conversation(episode.messages)

# %% [markdown]
# Grey is the customer, blue the agent, yellow a call and green the tool's answer. (*Milo satu, bang*: “one Milo, brother”;
# *ais la*: “with ice, of course”.) The role `tool` is a third speaker in the conversation, and the model
# learns of the world only through it.
#
# ### Judge the book, not the words
#
# How do we tell whether an agent did well? Not by what it says. Here are three more scripted agents: one serves the
# milo hot, one says that it has sold a milo and has not, and one does not ask, guesses, and is lucky.

# %%
agents = {
    "asks, sells, tells": lambda: scripted(
        calls.say("Panas atau ais?"), calls.call("sell", {"drink": "milo", "hot": False}), calls.say("Satu milo ais, RM3.00.")
    ),
    "sells it hot": lambda: scripted(calls.call("sell", {"drink": "milo", "hot": True}), calls.say("Satu milo panas, RM3.00.")),
    "only says so": lambda: scripted(calls.say("Satu milo ais, RM3.00. Terima kasih!")),
    "guesses": lambda: scripted(calls.call("sell", {"drink": "milo", "hot": False}), calls.say("Satu milo ais, RM3.00.")),
}
rows = {name: examination.examine(Stall, [order], make())[0] for name, make in agents.items()}
show.table(
    [(n, r["calls"], r["state"], r["told"], r["passed"]) for n, r in rows.items()], ["agent", "calls", "book right", "price told", "passed"]
)

# %% [markdown]
# The examination compares the **final state** with the state that the right actions leave, and checks that the customer
# was told what they had to be told. This is the idea of τ-bench (Yao and others 2024, arXiv 2406.12045). Any path
# that gets there counts, so the lucky guess passes: an examiner of states cannot see luck in a single case, only over
# many. The third agent is the dangerous one. It reads well. Somebody who grades conversations by reading them would
# let it pass, and the customer is still waiting.
#
# ## 2. From a method to a tool
#
# What does the model get to know about `sell`? A **schema**: name, description, arguments, types. Nobody writes it
# by hand. It is made from the type hints and the docstring, so it cannot say anything else than the code does.

# %% tags=["nbval-check-output"]
print(json.dumps(calls.schema(Stall.sell), indent=1))

# %% [markdown]
# `Literal[…]` became an **enum**, a closed list. This is the most useful line in the whole schema. Malay shows why:
# asked for a country, models like to answer `Amerika Syarikat` where the database says `US`; asked for a date, `esok`. With an
# enum there is nothing to translate and nothing to misspell.
#
# Now to real work. The **public counter** of Bandar Sejahtera receives messages from citizens and has five tools. It sends
# matters to twelve agencies, fills their forms, answers questions from a dated knowledge base, or hands over to an
# officer.

# %%
Counter = worlds.load("counter")
tools, says = calls.schemas(Counter), person.says(Counter)
show.table(
    [(t["function"]["name"], ", ".join(t["function"]["parameters"]["properties"]), t["function"]["description"]) for t in tools],
    ["tool", "arguments", "what it does"],
)

# %% [markdown]
# Two kinds of argument have no list of choices, and the counter marks how they are to be found. A *quote* is
# words of the citizen as they stand, a *known* id is one that the conversation has already shown. The
# marks go into the schema's `format`, where any other program may ignore them.

# %% tags=["nbval-check-output"]
for tool in tools:
    for name, kind in tool["function"]["parameters"]["properties"].items():
        how = f"one of {len(kind['enum'])}" if "enum" in kind else kind.get("format", kind["type"])
        print(f"{tool['function']['name']:17} {name:8} {how}")

# %% [markdown]
# A schema says what is *well formed*. Whether a call makes *sense* is the world's business: the counter refuses, for
# instance, `kecemasan` (“emergency”) for any agency but 999. Keep the two apart, they will matter all day.
#
# **Exercise 10.1.** `route` takes one of twelve agencies and one of three urgencies: 36 calls are well formed. How many
# of them does a fresh counter accept? Let the machine count: `Counter().call("route", {"agency": …, "urgency": …})`
# gives a dictionary, with the key `ralat` if the call was refused.

# %%
answer = None  # your answer, a whole number
lesson.check("10.1", answer)

# %% [markdown]
# ## 3. What the model sees
#
# To the model all of this is one string. The **chat template** of the tokenizer writes it: who speaks, what they said,
# which tools there are. Here is the beginning of a conversation at the counter, just before the agent's first word.
# (“The marriage certificate is fine, but I want to register an adopted child legally. Can you send my application?”,
# in the short forms of *bahasa pasar*, everyday Malay as people type it.)

# %%
model, tokenizer = models.load(device=here.plan.device)
plain = copy.deepcopy(tokenizer)  # for section 7: the tokenizer with the template that it came with
calls.adopt(tokenizer)  # our template of tool calls
dev = worlds.tasks("counter", "dev")
trace = person.trace(Counter, dev[0])
print(tokenizer.apply_chat_template(trace[:2], tools=tools, add_generation_prompt=True, tokenize=False))

# %% [markdown]
# Tools appear as signatures, one line each. The usual templates print the whole JSON schema instead. We can afford neither
# the time nor the attention of a small model for that:

# %%
signatures = len(menu.prompt(tokenizer, trace[:2], tools)) - len(menu.prompt(tokenizer, trace[:2], []))
schemas = len(tokenizer(json.dumps(tools, ensure_ascii=False))["input_ids"])
policy = len(tokenizer(calls.system(Counter)["content"])["input_ids"])
show.bars(
    ["tools as signatures", "tools as JSON schemas", "the whole policy"],
    [signatures, schemas, policy],
    title="What a prompt costs",
    xlabel="tokens",
)

# %% [markdown]
# A model that was tuned on the counter's work has the tools and the policy in its weights, and a title is enough to remind it which
# desk it sits at. One that was not has to be told everything. We shall do so below, to be fair to it.
#
# ### A call, token by token
#
# And this is what the agent should write, in tokens:

# %%
wanted = calls.call("route", {"agency": "JPN", "urgency": "biasa"})


def ids_of(before, message):
    """The token ids of a conversation up to the agent's turn, and those of the agent's message."""
    given = menu.prompt(tokenizer, before, tools)
    whole = tokenizer.apply_chat_template([*menu.harmless(before), message], tools=tools, tokenize=True, return_dict=False)
    return given, whole[len(given) : -1]  # the line break at the end belongs to the template


given, written = ids_of(trace[:2], wanted)
show.tokens(tokenizer, tokenizer.decode(written))

# %% [markdown]
# There is no magic token for a call. `<tool_call>` is spelt out like any other word, then follows a line of JSON. A
# *parser* outside the model finds it and makes a message of it. The form is the one of Hermes and Qwen, so the library's own
# parser reads it, and so do `transformers serve` and llama.cpp.
#
# How far is the open model from writing this? One forward pass over the prompt *and* the wanted call tells us, for
# each token, how probable the model found it, given everything before. The darker, the more probable.


# %% tags=["definition"]
@torch.inference_mode()
def probabilities(given, written):
    """For each token of `written`: how probable the model found it after everything before it."""
    logits = model(torch.tensor([given + written], device=model.device)).logits[0, len(given) - 1 : -1]
    return logits.float().softmax(-1)[torch.arange(len(written)), written].tolist()


def rarity(chances):
    """How rare a whole message is, in words: the product of the probabilities of its tokens."""
    return f"one in 10^{-sum(math.log10(max(p, 1e-30)) for p in chances):.1f}"


# %%
before_training = probabilities(given, written)
print(f"the whole call: {rarity(before_training)}; its least probable token: {rarity([min(before_training)])}")
show.shaded(tokenizer, written, before_training, "the open model; rest the pointer on a token to read its probability")

# %% [markdown]
# Look first at the beginning: nobody has taught this model that a call is due there. Then look inside the JSON.
# Brackets and quotation marks follow from what stands before them, and a model that has read code can continue a
# pattern: some of them will be darker. The tokens that carry the *decision* (which tool, which agency, how urgent) are a
# handful among many. Remember this picture. It returns in section 9.
#
# ## 4. The open model writes freely
#
# Enough theory, let it write. It gets the whole policy, all tools, and the citizen's message. We take its
# most probable token again and again (**greedy decoding**), up to a limit, and parse what comes.

# %%
writer = chat.Writing(model, tokenizer, longest=sizes["tokens"])
lines = []
for task in dev[: sizes["shown"]]:
    opening = person.Person(Counter, task)(None)
    message = writer([calls.system(Counter), {"role": "user", "content": opening}], tools)
    right = json.dumps(task.gold[0], ensure_ascii=False) if task.gold else "(no tool)"
    lines.append((opening, message["content"] or json.dumps(message["tool_calls"]), right))
show.table(lines, ["the citizen wrote", "the open model wrote", "right first action"])

# %% [markdown]
# Go through the rows with this list, and tick what you find.
#
# - **Words instead of a call.** Nothing happens at the counter, and nobody notices until the citizen comes back.
# - **A promise.** “Your application has been sent” is the worst of all sentences if it has not.
# - **Echo.** The policy or the question comes back in other words.
# - **An invented tool or argument**, or a call in a syntax of its own.
# - **The wrong language**, or the wrong Malay.
#
# Larger models make these faults more rarely, and none of them never. So we want a yardstick for single
# messages, and we want it to be as strict as the examination: *what would this message have done?*


# %% tags=["definition"]
def turns(tasks):
    """Every turn of the agent in the right conversations of tasks: (task, what came before, the right message)."""
    found = [(task, person.trace(Counter, task)) for task in tasks]
    return [(task, trace[:n], said) for task, trace in found for n, said in enumerate(trace) if said["role"] == "assistant"]


def after(task, messages):
    """The state of the counter after all the calls of a conversation, and whether it accepted the last one."""
    counter, result = Counter(setup=task.setup), {}
    for message in messages:
        for call in message.get("tool_calls") or []:
            result = counter.call(call["function"]["name"], json.loads(call["function"]["arguments"]))
    return counter.state(), "ralat" not in result


# %% tags=["definition"]
def verdict(task, before, right, message):
    """What a message is worth beside the right one: "right", "wrong but valid", "refused" or "only words"."""
    if not message.get("tool_calls"):
        return "right" if message["content"] == right["content"] else "only words"
    state, accepted = after(task, [*before, message])
    if not accepted:
        return "refused"
    same_tool = right.get("tool_calls") and message["tool_calls"][0]["function"]["name"] == right["tool_calls"][0]["function"]["name"]
    return "right" if same_tool and state == after(task, [*before, right])[0] else "wrong but valid"


# %% [markdown]
# **Valid** means that the counter accepted the call. **Right** means: the same tool, and afterwards the same state as after the right
# call. Between the two lies the category to be afraid of, *wrong but valid*: no error, no warning, and the
# adopted child has been sent to the tax office. We ask at turns where a call is due, each after the *right*
# conversation so far, so that every turn is a question of its own.


# %% tags=["definition"]
def measure(agent, some_turns, whole_policy=False):
    """How many messages of an agent got which verdict, and the seconds that one took."""
    start, found = time.perf_counter(), collections.Counter()
    for task, before, right in some_turns:
        message = agent([calls.system(Counter, whole_policy), *before[1:]], tools)
        found[verdict(task, before, right, message)] += 1
    return found, (time.perf_counter() - start) / len(some_turns)


# %%
def spread(things, count):
    """At most `count` of the things, evenly over the whole list."""
    count = min(count, len(things))
    return [things[i * len(things) // count] for i in range(count)]


dev_turns = turns(dev)
call_turns = [turn for turn in dev_turns if turn[2].get("tool_calls")]
print(f"{len(dev)} development conversations: {len(dev_turns)} turns of the agent, a call is due in {len(call_turns)}")

# %%
asked = spread(call_turns, sizes["base_turns"])
open_model = {"free": measure(writer, asked, whole_policy=True)}
print("written freely:", dict(open_model["free"][0]))

# %% [markdown]
# ## 5. Grammar, and its tax
#
# The obvious cure for a broken call is not to let the model break it. At each step, some tokens can continue a
# valid call and all others cannot. Set the logits of the others to minus infinity, and whatever is chosen is valid. This is
# **constrained decoding**. Toy first: at the stall there are three drinks, so there are three ways to go on after
# `{"drink":`. As token ids they make a *tree*, with a fork wherever two options part.


# %% tags=["definition"]
def encode(text):
    """Token ids of a piece of text."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def tree(options):
    """A tree of token ids: every way from the root to a leaf is one option (none may be the beginning of another)."""
    root = {}
    for option in options:
        node = root
        for token in encode(option):
            node = node.setdefault(token, {})
    return root


# %% tags=["definition"]
def scorer(given):
    """A function that gives the probabilities of the next token, after `given` and what has been written since."""
    reader = chat.Choosing(model, tokenizer)  # it keeps the keys and values of what it has read (notebook 02)
    return lambda written: reader.log_probabilities([*given, *written]).exp().cpu()


# %% tags=["definition"]
def walk(node, score):
    """Down a tree by the most probable branches: the tokens, and for each fork (branch → share, what they had among all tokens)."""
    written, forks = [], []
    while node:
        tokens = list(node)
        if len(tokens) > 1:
            chances = score(written)[tokens]
            forks.append(({tokenizer.decode([t]): float(c / chances.sum()) for t, c in zip(tokens, chances)}, float(chances.sum())))
            tokens = [tokens[int(chances.argmax())]]
        written, node = [*written, *tokens], node[tokens[0]]
    return written, forks


# %% [markdown]
# First, what the model would like to write if nobody held it. Then the forks of the tree.

# %%
messages = [calls.system(Stall), {"role": "user", "content": "Milo ais satu, bang."}]
at_stall = menu.prompt(tokenizer, messages, calls.schemas(Stall)) + encode('<tool_call>\n{"name": "sell", "arguments": {"drink":')
show.next_tokens(tokenizer, scorer(at_stall)([]), 6, 'What the model would write after {"drink":')

# %%
chosen, forks = walk(tree([f' "{drink}", "hot":' for drink in Stall.PRICES]), scorer(at_stall))
for number, (branches, mass) in enumerate(forks, 1):
    show.bars(list(branches), list(branches.values()), f"Fork {number}: {mass:.1%} of the probability was on these", "share among them")
print("chosen:", tokenizer.decode(chosen))

# %% [markdown]
# The title of each picture is worth as much as its bars: it says how much of the model's probability was on the allowed
# tokens *before* the others were struck out. If it is near 100%, the mask only tidied up. If it is near nothing, the
# mask has put words into the model's mouth, and the bars are shares of almost nothing. A valid call comes out either way, and
# the call does not say which way it was.
#
# ### The garden path
#
# There is a second trap. Greedy choosing looks one token ahead. Let us say a model believes in three agencies:

# %% tags=["nbval-check-output"]
belief = {"K": (0.6, {"PDN": 0.5, "WSP": 0.5}), "J": (0.4, {"PN": 1.0})}
wholes = {first + rest: p * q for first, (p, later) in belief.items() for rest, q in later.items()}
greedy = max(belief, key=lambda first: belief[first][0])
print("as wholes:", wholes)
print(f"greedy takes {greedy} first and cannot end better than {max(p for name, p in wholes.items() if name.startswith(greedy)):.2f}")
print(f"the most probable option is {max(wholes, key=wholes.get)} with {max(wholes.values()):.2f}")

# %% [markdown]
# Two options that share their first token add up their probability there, and together they beat an option that
# is better than either. After the first token there is no way back. Without a mask the model could at least have gone on to
# something else; with one, it is led down the path to its end. Which options share tokens is an accident of
# the tokenizer, and has nothing to do with the question.
#
# **Exercise 10.2.** First tokens and shares: M 0.50, K 0.30, J 0.20. After M: CMC 0.5 and PS 0.5. After K: PDN
# 0.9 and WSP 0.1. After J: PJ 1.0. Which agency is the most probable *as a whole*?

# %%
answer = None  # your answer, the name of an agency as text
lesson.check("10.2", answer)

# %% [markdown]
# ### A grammar for any call
#
# A tree needs a finite list. A **grammar** does the same for infinitely many strings: it is a machine that reads what was
# written and says which tokens may follow. The kit uses *llguidance*, which many servers have inside; it makes the
# grammar from the tools' schemas. There are two ways to switch it on:
#
# - **always**: from the first token. Nothing but a call can be written, whatever the citizen said.
# - **lazily**: the model writes freely, and only when it has written `<tool_call>` itself does the grammar take hold.
#
# Now the measurement: the same turns, the same model, three ways of writing.


# %%
def ways_of_writing():
    """The loaded model, writing freely, with the grammar once it has begun a call, and with the grammar from the start."""
    modes = {"free": "", "lazy grammar": "lazy", "always grammar": "always"}
    return {name: chat.Writing(model, tokenizer, sizes["tokens"], mode) for name, mode in modes.items()}


for name, way in list(ways_of_writing().items())[1:]:
    open_model[name] = measure(way, asked, whole_policy=True)

# %% tags=["definition"]
VERDICTS = {"right": 2, "wrong but valid": 5, "refused": 1, "only words": 6}


def draw_verdicts(results, title):
    """A bar for each way of writing, divided by what became of its messages."""
    figure, axis = plt.subplots(figsize=(8, 0.5 * len(results) + 1.6))
    left = [0.0] * len(results)
    for name, colour in VERDICTS.items():
        shares = [found[name] / found.total() for found, _ in results.values()]
        axis.barh(list(results), shares, left=left, color=show.COLOURS[colour], label=name)
        left = [a + b for a, b in zip(left, shares)]
    axis.set(title=title, xlim=(0, 1), xlabel="share of the messages")
    axis.invert_yaxis()
    axis.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.4, -0.35), fontsize=11)
    plt.show()


# %% tags=["definition"]
def tax(results):
    """For each way of writing: valid, right, wrong among the valid ones, seconds."""
    lines = []
    for name, (found, seconds) in results.items():
        valid = found["right"] + found["wrong but valid"]
        among = evaluation.wilson(found["wrong but valid"], valid) if valid else "–"
        lines.append(
            (name, evaluation.wilson(valid, found.total()), evaluation.wilson(found["right"], found.total()), among, f"{seconds:.1f}")
        )
    return show.table(lines, ["", "valid", "right", "wrong among the valid", "s a message"])


# %%
draw_verdicts(open_model, "The open model, where a call is due")
tax(open_model)

# %% [markdown]
# Compare the columns, not the rows. The grammar is there to raise the first column. Whether it raises the second is another
# question, and the third says what it does to the trust that you can put in a call that looks fine. The **tax** of a
# grammar has three parts:
#
# 1. *It turns loud mistakes into quiet ones.* Free text where a call was due can be noticed by a program. A well-formed call to the wrong
#    agency cannot.
# 2. *It may lower the share that is right*, by the garden path, and because a model that is forced at every token is
#    reading a history it would never have written. Published figures for small models show validity rising from 61 to
#    100 per cent while accuracy fell from 20 to 11 (arXiv 2605.26128).
# 3. *It costs time*: a mask over the vocabulary for each token. For most grammars this is the smallest part.
#
# And a warning about “always”: the citizen who only says thank you gets a call as well. A grammar that allows
# only calls has abolished the most important decision of all, whether to act. There are few messages in this
# sample, so look at the intervals before you retell any of it. With the tuned model, section 9 repeats the measurement.
#
# One more thing that a grammar cannot do: it guarantees the form *if the message comes to its end*. A string argument may
# go on for as long as the model likes, up to the limit, and a call that is cut off there is a broken one.
#
# ## 6. Choose, don't write
#
# Go one step further than grammar. What can an agent of the counter reasonably say next? It may ask one of a few questions.
# It may pass on what a tool has given it to tell. Or it may make a call, and for every argument the
# possibilities are known: an enum, an id that has been shown, words that the citizen has written. All of this can be written down
# as one big tree, the **menu**. The agent walks down it. It cannot misspell, cannot invent an id, and cannot
# quote what nobody said.

# %%
before = call_turns[0][1]
for tool in tools:
    counts = [len(menu.options(kind, before)) for kind in tool["function"]["parameters"]["properties"].values()]
    print(f"{tool['function']['name']:17} {' × '.join(map(str, counts)):10} = {math.prod(counts):5,} calls")
print(f"{'sentences':17} {'':10}   {len(says) + len(menu.tells(before)):5,}")

# %% [markdown]
# A factor of 0 takes a tool off the menu: no passage has been shown yet, so there is nothing to answer with. The large
# numbers come from quotes, since every run of up to ten words of the message is one option. The model does
# not weigh each of them. It takes one branch at each fork, and tokens between forks cost nothing at all: they are written
# without being asked for.

# %%
chooser = chat.Choosing(model, tokenizer, says)
message = chooser(before, tools)
details = message["details"]
print(message["content"] or message["tool_calls"][0]["function"])
print(f"{details['tokens']} tokens, {details['passes']} forward passes, {details['confidence']:.1%} sure of the whole")
show.bars(
    [f"{n}: {options} ways" for n, (_, options) in enumerate(details["decisions"], 1)], [p for p, _ in details["decisions"]],
    "How sure at each fork", "probability of the way taken",
)  # fmt: skip

# %% [markdown]
# What comes out for free is a **probability**. At each fork the model divides its belief among the branches, and the product
# along the way is how sure it is of the whole message. We shall need that number badly in section 10.
#
# At a single decision we can draw all of it. Which agency should deal with this message? The function below visits every
# leaf of the tree, so the probabilities are exact and sum to one, and no garden path leads it astray.


# %% tags=["definition"]
def leaves(node, score, written=(), chance=1.0):
    """Every option of a tree with its probability: the product of the shares at the forks on its way."""
    if not node:
        return {tokenizer.decode(list(written)): chance}
    tokens = list(node)
    shares = score(list(written))[tokens] if len(tokens) > 1 else torch.ones(1)
    found = {}
    for token, share in zip(tokens, (shares / shares.sum()).tolist()):
        found |= leaves(node[token], score, (*written, token), chance * share)
    return found


# %%
AGENCIES = next(t for t in tools if t["function"]["name"] == "route")["function"]["parameters"]["properties"]["agency"]["enum"]


def agencies(before):
    """The probability of each agency, if the agent routes now."""
    given = menu.prompt(tokenizer, before, tools) + encode('<tool_call>\n{"name": "route", "arguments": {"agency":')
    found = leaves(tree([f' "{name}", "urgency":' for name in AGENCIES]), scorer(given))
    return {text.split('"')[1]: chance for text, chance in found.items()}


# %%
def draw_agencies(shares, title):
    """The agencies as bars, most probable first; the dashed line is what dice would give each."""
    order = sorted(shares, key=shares.get, reverse=True)
    show.bars(order, [shares[name] for name in order], title, "probability", floor=1 / len(order))


agencies_before = agencies(trace[:2])
draw_agencies(agencies_before, "Who registers an adopted child? The open model")

# %% [markdown]
# The right answer here is `JPN`, the registration department. Whatever the picture shows, the form of the answer is no longer
# in question. All that is left is the decision, and so it is the decision that we can teach, measure and doubt.
#
# What have we given up? The agent will never phrase anything itself. It cannot comfort anybody, and it cannot say what the
# designers of its menu did not foresee. For a public counter that is a fair price, because every sentence that a citizen
# reads has been written, checked and dated by a person.

# %%
open_model["menu"] = measure(chooser, asked, whole_policy=True)
draw_verdicts(open_model, "The open model, where a call is due")
tax(open_model)

# %% [markdown]
# ## 7. Typed questions: the library's own decisions
#
# `transformers` has a pipeline called `decision` that works on the same idea. One asks **typed** questions about a
# text: a *choice* among options, a *score* on a scale, or a *noul*, which is yes or no as a probability. Each is
# answered by **one forward pass**. The options are listed with letters, and the logits of the letters are read after the prompt. No
# training is needed, and any chat model will do.

# %%
from transformers import pipeline
from transformers.decision import DecisionConfig

from helpers.worlds.counter import forms

decide = pipeline("decision", model=model, tokenizer=plain, decision_config=DecisionConfig())
matters = {name: forms.AGENCIES[name][1] for name in AGENCIES}
questions = {
    "agency": {"type": "choice", "instructions": "Agensi manakah yang mengurus hal ini?", "criteria": matters},
    "urgency": {"type": "score", "instructions": "Betapa mendesaknya hal ini?", "criteria": ["biasa", "segera", "kecemasan"]},
    "danger": {"type": "noul", "instructions": "Adakah nyawa dalam bahaya?"},
}
answers = decide({"state": before[1]["content"], "questions": questions})

# %%
print(before[1]["content"])
print(f"how urgent, from 0 to 2: {answers['urgency']['score']:.2f};  a life in danger: {answers['danger']['noul']:.0%}")
draw_agencies(answers["agency"]["probabilities"], "The same question, asked with letters")

# %% [markdown]
# Letters have a weakness: a model may like the letter A better than the option behind it. There is a simple test. Ask the same
# question with the options in the reverse order. A model that answers the *question* does not change its mind. We take
# development messages that have to be routed at once, and put our own reading of the menu beside the library's.


# %%
def by_letters(text, backwards=False):
    """The library's choice of an agency, with the options in their order or in the reverse one."""
    criteria = dict(reversed(matters.items())) if backwards else matters
    return decide({"state": text, "questions": {"a": questions["agency"] | {"criteria": criteria}}})["a"]["choice"]


routed = [t for t in call_turns if len(t[1]) == 2 and t[2]["tool_calls"][0]["function"]["name"] == "route"]
lines = []
for _, before, right in spread(routed, sizes["routes"]):
    text, shares = before[1]["content"], agencies(before)
    right_agency = json.loads(right["tool_calls"][0]["function"]["arguments"])["agency"]
    lines.append((text[:60] + "…", right_agency, by_letters(text), by_letters(text, backwards=True), max(shares, key=shares.get)))

# %%
for column, name in ((2, "letters"), (3, "letters, reversed"), (4, "menu")):
    print(f"{name:18} {evaluation.wilson(sum(line[column] == line[1] for line in lines), len(lines), floor=1 / 12)}")
print("changed by the order alone:", sum(line[2] != line[3] for line in lines), "of", len(lines))
show.table(lines, ["message", "right", "letters", "reversed", "menu"])

# %% [markdown]
# Both ways need no training and have a probability for each option; neither makes a model know what it does not
# know. For a large model the letters are a very good start, since you can change the options in the text and be done. For a tiny
# one we prefer the menu, for two reasons. It reads the same tokens that training will teach. And it needs no indirection
# (option to letter and back), which has to be *understood*, and small models are bad at exactly that.
#
# ## 8. Traces
#
# If we want a better decision, we have to teach it. What does a lesson look like? The world can make one. A **trace** is the
# conversation in which somebody takes the right actions: gold actions are replayed in the world, the tools really answer, and
# the scripted citizen really replies. Tasks are written by hand or *composed* from a grammar of situations, openings and slips of the
# finger; every composed one is checked by replaying it.

# %%
lesson_task = next(task for task in worlds.compose("counter", 20, seed=2026) if len(task.gold) > 2)
lesson_trace = person.trace(Counter, lesson_task)
print("kind:", lesson_task.kind)
show.conversation(lesson_trace)

# %% [markdown]
# Among the kinds there are deliberately some in which *nothing* is to be done (a thank-you), some that the agent must hand
# over (an appeal, somebody else's data), and some where the message tries to give orders to the machine. A model that has only
# ever seen calls will call.

# %%
kinds = collections.Counter(task.kind for task in worlds.compose("counter", 400, seed=2026))
names, counts = zip(*kinds.most_common())
show.bars(list(names), list(counts), "What 400 composed conversations are about", "conversations")

# %% [markdown]
# Which tokens of a trace should the model learn? Not those of the citizen or the tools: it will never write them. Of its own
# tokens, most are forced by the menu, and only at forks does it decide anything. So the tree that later reads
# the model also says what the model has to learn. A decision weighs 1; a fork inside a quote less, since where one begins and
# ends is partly a matter of taste; a forced token very little (enough that the model could write the call on its own);
# everything else 0.

# %%
document = menu.document(tokenizer, lesson_trace, tools, says)
own = list(zip(document.input_ids[document.prompt_length :], document.weights))
worth = collections.Counter(weight for _, weight in own)
print(f"{len(document):,} tokens in all. Of the agent's own:")
print(f"{worth[menu.DECISION]} decide, {worth[menu.QUOTE]} cut a quote, {worth[menu.FORCED]} are forced")
show.shaded(tokenizer, *zip(*own), "dark: decisions; paler: where a quote begins and ends; almost white: forced, or written by others")

# %% [markdown]
# You see how little a call really decides. The loss of a training step is the weighted sum of the tokens' losses, so nearly
# all of the gradient comes from the dark ones. It is the same trick as in notebook 07, where the *labels* of a form weighed
# more than its keys. (A handful of decisions a conversation is little to learn from. Our first attempts, four hundred conversations
# read once, taught the model beautiful calls, to an agency that did not depend on the message. So the kit's adapter first sees
# many short messages, each up to the first decision only, several times over, and then whole conversations.)
#
# All these conversations begin with the same policy and tools. So the kit lays several of them side by side as *branches* of one
# beginning, which is read once; each branch sees the beginning and itself, and the loss is the same as if they were apart.
#
# Training itself is what you know from notebooks 06 and 07: LoRA on the open model, documents like this one, nothing else. It takes
# longer than a lesson, so we take the adapter that comes with the kit (`python -m helpers checkpoints --agents` makes it again).
#
# ## 9. The tuned model
#
# First the open model has to leave (one model in memory at a time), and everything that holds on to it.

# %%
model = writer = chooser = decide = None
gc.collect()
model, tokenizer = models.load(device=here.plan.device, adapter=lesson.AGENT)
chooser = chat.Choosing(model, tokenizer, says)
after_training = probabilities(given, written)
show.shaded(tokenizer, written, after_training, "the same call, the same prompt, the tuned model")

# %%
print(f"the whole call: {rarity(before_training)} before training, {rarity(after_training)} after")
draw_agencies(agencies(trace[:2]), "Who registers an adopted child? The tuned model")

# %% [markdown]
# Compare this with the pictures of sections 3 and 6. The message is from the development set, so the model has not been trained
# on it.
#
# Now the tax again. A tuned model knows the form by heart, so what is left for a grammar to do? This time there are more turns,
# and the prompt has only the title of the policy, as in training.

# %%
asked = spread(call_turns, sizes["turns"])
tuned = {name: measure(way, asked) for name, way in ways_of_writing().items()} | {"menu": measure(chooser, asked)}
draw_verdicts(tuned, "The tuned model, where a call is due")
tax(tuned)

# %% [markdown]
# Three things to read from it. *Free* against *lazy*: how often did the form still go wrong, and did mending it make the call
# right? *Lazy* against *always*: both end with a call here, because we only asked where one is due; the harm of “always”
# is done at the other turns. And the last column: the menu asks the model only at forks, where writing asks it for every token.
# How much time that saves depends on how many of the tokens are forks, and quotes have many.
#
# ## 10. Does it know when it does not know?
#
# No rung so far is right every time, and none will be. A counter can live with that, on one condition: the doubtful cases
# must reach a person. For that the agent has to know which ones they are. We let the tuned model choose at *every* turn
# of the development conversations, and keep how sure it was and whether it was right.

# %%
readings = []
for task, before, right in spread(dev_turns, sizes["dev_turns"]):
    message = chooser(before, tools)
    readings.append((task.id, message["details"]["confidence"], verdict(task, before, right, message) == "right"))
bins, error = evaluation.calibration_bins([(sure, right) for _, sure, right in readings])
show.reliability(bins, error)

# %% [markdown]
# **Calibrated** means: of the messages of which it was 80% sure, 80% were right. Points below the dashed line are
# overconfident, points above it too modest. Two things to keep in mind. Training pushes probabilities towards 0 and 1, on
# lessons it has seen; on messages it has not seen, that shows as overconfidence. And our mark is a strict one: where two
# messages would do, only one of them counts as right.
#
# Calibration is a property of a model *on a kind of message*. Measured on composed traces, which look like the lessons, it
# would flatter us. The development messages were written one by one, by somebody who did not look at the grammar of the composed ones.
#
# ### From turns to conversations
#
# A citizen does not care about turns. A conversation goes well if all of its turns do, and it is as safe as its least safe
# turn. So for each conversation take the **smallest** confidence, and ask whether everything was right. Now we can draw what it
# is worth to hand over: let all conversations below some threshold go to a person, and look at those that remain.

# %%
conversations = []
for name in dict.fromkeys(task for task, _, _ in readings):
    own = [(sure, right) for task, sure, right in readings if task == name]
    conversations.append((min(sure for sure, _ in own), all(right for _, right in own)))


def kept(threshold, some):
    """Of conversations (how sure, right): whether each one went right that the agent settles alone at a threshold."""
    return [right for sure, right in some if sure >= threshold]


# %%
thresholds = sorted({sure for sure, _ in conversations})
wrong = [evaluation.wilson(kept(t, conversations).count(False), len(kept(t, conversations))) for t in thresholds]
automated = [len(kept(t, conversations)) / len(conversations) for t in thresholds]
plt.step(automated, [w.value for w in wrong], where="post", marker="o")
plt.fill_between(automated, [w.low for w in wrong], [w.high for w in wrong], step="post", alpha=0.15)
plt.title("Fewer automated, fewer wrong?")
plt.xlabel("share of the conversations that the agent settles alone")
plt.ylabel("share of those that went wrong")
plt.ylim(0, 1)
plt.show()

# %% [markdown]
# This is the **abstention curve**, and it is read from right to left. At the right end the agent does everything. Each step
# to the left gives one more doubtful conversation to a person. If the confidence is worth anything, the curve falls to the left; a flat
# curve says that the model doubts the wrong cases, and then no threshold helps. The shaded band is the 95% interval,
# and with so few conversations it is wide. It is *honest* to draw it, and a reason to write more of them.
#
# A threshold can be found in two ways. The first reads it off the curve: the lowest at which no more than some allowed share of
# the automated conversations goes wrong. We choose it here, on development conversations, and never touch it again.


# %% tags=["definition"]
def lowest_threshold(conversations, allowed):
    """The lowest threshold at which at most `allowed` of the automated conversations went wrong; infinite if there is none."""
    for threshold in sorted({sure for sure, _ in conversations}):
        alone = kept(threshold, conversations)
        if alone.count(False) <= allowed * len(alone):
            return threshold
    return math.inf


threshold = lowest_threshold(conversations, allowed=0.05)
alone = kept(threshold, conversations)
found = f"{threshold:.3f}" if math.isfinite(threshold) else "none: everything goes to a person"
print(f"threshold: {found}. Without a person {len(alone)} of {len(conversations)} conversations, {alone.count(False)} of them wrong")

# %% [markdown]
# The second way needs no curve, only prices, and a *calibrated* probability. If a wrong conversation costs $w$ ringgit (someone
# travels to the wrong office) and a hand-over costs $h$ (an officer's minutes), then settling a case alone that is right with
# probability $p$ costs $(1-p)\,w$ on average. It pays to hand over whenever that is more than $h$.
#
# **Exercise 10.3.** A wrong conversation costs RM60 and an officer's time RM6. From which probability of being right on should the
# agent go ahead alone?

# %%
answer = None  # your answer, a number between 0 and 1
lesson.check("10.3", answer)

# %% [markdown]
# ## 11. The agent as an application
#
# Our loop is short because it leaves out what an application needs: retries, limits, streaming, several people at a time. Libraries
# have all that. **pydantic-ai** is one; the kit wraps it in a single module, pinned, since it changes fast. The model is
# again one argument. And there is a second one: the model to fall back on when the first is not sure. In an office that
# would be a bigger model on the agency's own server. Here nothing outside this computer is needed: we fall back on the
# counter's *rules*, patterns that somebody wrote by hand.

# %%
from helpers.agents import application


async def serve(task):
    """Let the application answer the first message of a task; returns what it said and which models spoke."""
    counter = Counter(setup=task.setup)
    bigger = application.model(worlds.rules("counter"), "rules")
    outcome = await application.build(counter, chooser, bigger, threshold).run(person.Person(Counter, task)(None))
    return outcome.output, [message.model_name for message in outcome.all_messages() if message.kind == "response"]


# %%
surest = sorted(dict.fromkeys(name for name, _, _ in readings), key=lambda name: min(sure for task, sure, _ in readings if task == name))
for label, name in (("least sure", surest[0]), ("most sure", surest[-1])):
    task = next(task for task in dev if task.id == name)
    said, spoke = await serve(task)
    print(f"{label}: {person.Person(Counter, task)(None)}\n   → {said}\n   models: {', '.join(spoke)}\n")

# %% [markdown]
# The list of models shows each answer's author, turn by turn: `laptop` is ours. Fallback is decided *for each turn*. The
# conversation goes on with the first model as soon as that is sure again.
#
# ## 12. The same tools for everybody: MCP
#
# So far the tools live in our process. The **Model Context Protocol** (MCP) is how agents of different makers find tools that
# are not theirs: a program offers tools, another one lists and calls them, over standard input and output or over the
# web. Each of our worlds is such a server, by the same schemas. The cell starts the counter as a process of its own, and
# talks to it with the *official* client, which knows nothing about this kit.

# %%
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

book, root = here.folder / "counter.sqlite", str(Path(lesson.__file__).parents[1])
book.unlink(missing_ok=True)
server = StdioServerParameters(command=sys.executable, args=["-m", "helpers.agents.mcp_server", "counter", str(book.resolve())], cwd=root)
with (here.folder / "mcp.log").open("w") as log:
    async with Client(stdio_client(server, errlog=log)) as client:
        offered = (await client.list_tools()).tools
        sent = await client.call_tool("route", {"agency": "JPN", "urgency": "biasa"})
        refused = await client.call_tool("route", {"agency": "JPN", "urgency": "kecemasan"})

# %%
print("offered: ", ", ".join(tool.name for tool in offered))
print("accepted:", sent.structured_content)
print("refused: ", refused.content[0].text)
print("left in the file:", Counter(path=str(book)).state()["routes"])

# %% [markdown]
# What the client did in another process is in the counter's book, and the nonsense was refused there. Notice who
# refused: not the model, not the client, but the world. A protocol that lets anybody call your tools is safe only if the
# tools themselves are. Notebook 14 takes this up.
#
# ## 13. The ladder, examined
#
# Now whole conversations, with the citizen's replies, judged by the book. These are *test* tasks: nobody has looked at
# them while anything was built or chosen, and they are used once, with everything side by side.
#
# | rung | what changes |
# |---|---|
# | prompt only | the open model writes; it has the whole policy |
# | menu | the open model chooses; same prompt |
# | traces | the tuned model chooses; only the policy's title |
# | traces + officer | as before, and below the threshold a person takes over |
#
# **Floors** show what a score is worth. *Nothing* thanks the citizen and does nothing; *refusing* hands everything
# over; *dice* chooses from the menu by chance. And **rules** are the yardstick: what careful handwork achieves without any model.

# %%
test = worlds.tasks("counter", "test")
tasks = spread(test, sizes["tests"])
rungs = {name: examination.examine(Counter, tasks, examine.agent(name, "counter")) for name in ("nothing", "refusing", "dice", "rules")}
rungs["traces"] = examination.examine(Counter, tasks, chooser, whole_policy=False)
several = spread([task for task in test if len(task.opening) > 2], sizes["repeated"])
repeated = examination.examine(Counter, several, chooser, trials=3, whole_policy=False)  # for section 14

# %% [markdown]
# The open model's turn; it is loaded again. It gets fewer tasks, because prompts are long and its conversations are
# slow, and at most six messages for each.

# %%
model = chooser = None
gc.collect()
model, tokenizer = models.load(device=here.plan.device)
few = spread(tasks, sizes["base_tests"])
rungs["prompt only"] = examination.examine(Counter, few, chat.Writing(model, tokenizer, sizes["tokens"]), steps=6)
rungs["menu"] = examination.examine(Counter, few, chat.Choosing(model, tokenizer, says), steps=6)
model = None

# %% [markdown]
# The last rung needs no run at all. Up to its first doubtful turn the agent with an officer does exactly what the one
# without does. So we take the conversations of the rung before, and set aside those in which some turn was below the threshold.

# %%
alone = [row for row in rungs["traces"] if (row["confidence"] or 0) >= threshold]
handed = len(tasks) - len(alone)
right_alone = evaluation.wilson(sum(row["passed"] for row in alone), len(alone))
print(f"{len(tasks)} test conversations: {handed} to an officer, {len(alone)} alone; right alone: {right_alone if alone else '–'}")

# %%
reports = {name: examination.report(rungs[name]) for name in ("nothing", "refusing", "dice", "rules", "prompt only", "menu", "traces")}
floor = max(reports[name]["passed"].value for name in ("nothing", "refusing", "dice"))
for name, found in reports.items():
    scores = {f"counter_{k}": found[k] for k in ("executable", "wrong_but_valid", "no_tool")}
    board = here.record(name, counter_passed=evaluation.with_floor(found["passed"], floor), **scores)
board = here.record("traces + officer", counter_passed_alone=right_alone, counter_alone=evaluation.wilson(len(alone), len(tasks)))

# %%
passed = {name: found["passed"] for name, found in reports.items()} | {"traces + officer, settled alone": right_alone}
show.bars(
    list(passed), [0.0 if math.isnan(p.value) else p.value for p in passed.values()], "Conversations passed", "share, with 95% interval",
    [(p.low, p.high) for p in passed.values()], floor=floor,
)  # fmt: skip

# %%
measures = ("passed", "executable", "wrong_but_valid", "no_tool")
shown = {name: [found[m] if found[m].n else "–" for m in measures] for name, found in reports.items()}
show.table(
    [(name, len(rungs[name]), *cells, f"{reports[name]['seconds']:.1f}") for name, cells in shown.items()],
    ["", "n", "passed", "executable calls", "wrong but valid", "no tool where none is due", "s each"],
)

# %% [markdown]
# How to read it:
#
# - **The floor first** (the dashed line). Some tasks are passed by doing nothing, or by handing over. A score near the floor is no score.
# - **Executable** is about calls, *passed* about citizens. The menu raises the first by construction. Only knowledge
#   raises the second.
# - **Wrong but valid** is the column for the person in charge: nothing was refused, and the book is wrong. Of these failures no
#   log file will tell them. (Whoever does nothing at all is in this column too. A silence is never refused.)
# - **No tool where none is due**: whoever acts on every message is caught here.
# - **The rules**: if they are level with the tuned model or above it, say so in your report, and think hard about whether you want the model.
#   What rules do not have is a confidence, and their patterns end where their author's imagination ended. What they do
#   have is an explanation, and no electricity bill.
# - The last bar counts only what the agent settled alone, so it is not the same quantity as the others. The fair reading has two
#   numbers: how much it settled, and how much of that was right.
#
# Which conversations went wrong, and did the agent doubt them?

# %%
failed = [row for row in rungs["traces"] if not row["passed"]]
failed.sort(key=lambda row: row["confidence"] or 0)
show.table(
    [(r["task"], r["kind"], r["register"], r["state"], r["told"], r["refused"], f"{r['confidence'] or 0:.2f}") for r in failed],
    ["task", "kind", "register", "book right", "told", "refused calls", "least sure"],
) if failed else print("none in this sample")

# %% [markdown]
# The rows at the top are the good failures: a person would have got them. Those at the bottom are the ones to learn from,
# but *not* by training on them: they are test tasks. Write new training tasks of that kind instead.
#
# ## 14. Once is not enough: pass^k
#
# One passed conversation is a demonstration. An office wants to know whether the *same* request is served well every time.
# For that, τ-bench has **pass^k** (“pass hat k”): the chance that $k$ trials of a task *all* succeed. From $n$
# trials with $c$ successes it is estimated as $\binom{c}{k} / \binom{n}{k}$, and averaged over tasks. If the trials were
# independent and equally likely to succeed, it would simply be $p^k$:

# %%
for p in (0.99, 0.95, 0.9, 0.8):
    plt.plot(range(1, 11), [p**k for k in range(1, 11)], "o-", label=f"p = {p}", markersize=5)
plt.title("Ten times in a row")
plt.xlabel("k")
plt.ylabel("chance that all k succeed")
plt.ylim(0, 1)
plt.legend()
plt.show()

# %% [markdown]
# An agent that is right nine times out of ten is wrong at least once in ten requests more often than not. The same
# arithmetic works *inside* a conversation, where all turns have to go well.
#
# **Exercise 10.4.** A conversation has five turns of the agent, which go right independently of each other and equally often. How often must a
# single turn be right, so that nine conversations out of ten are?

# %%
answer = None  # your answer, a number between 0 and 1
lesson.check("10.4", answer)

# %% [markdown]
# Our agent is deterministic: the same words get the same answer, always. So what differs from trial to trial? The
# *citizen*. Some tasks have an opening in three registers, rasmi (formal), pasar (everyday) and campur (mixed with English).
# It is the same matter, and the same right actions. A person from the office and a teenager from the flats are owed the same service.

# %%
marks = {(row["task"], row["register"]): "✓" if row["passed"] else "✗" for row in repeated}
registers = list(dict.fromkeys(row["register"] for row in repeated))
show.table([(task.id, *(marks[task.id, register] for register in registers)) for task in several], ["task", *registers])

# %%
chances = [examination.pass_k(repeated, k) for k in (1, 2, 3)]
print("  ".join(f"pass^{k} = {chance:.2f}" for k, chance in enumerate(chances, 1)))
if all(chances):
    print(f"if trials were independent: {chances[0] ** 2:.2f} and {chances[0] ** 3:.2f} for two and three")

# %% [markdown]
# pass^k can only stay or fall as $k$ grows. How it falls tells you something. If it stays where it was, tasks are either always
# or never passed, and the *matter* decides. If it falls as fast as the independent case, it is the *wording* that decides, or
# luck. A service that depends on how elegantly somebody writes is unfair, even if its average is high.
#
# ## What this cannot do
#
# - **Say anything new.** The menu holds what its authors foresaw. Whatever else a citizen needs has to end with a person, and
#   the agent has to notice that it does.
# - **Be sure of being right.** The confidence tells the doubtful cases from the others only as well as section 10 has shown, on messages
#   like those. A new kind of message (a new scam, a flood) can make a model surely wrong.
# - **Replace the world's own rules.** Whatever must never happen is forbidden in the tools, and not in the prompt or in
#   the training.
# - **Speak for all Malays.** Registers and dialects here come from few authors. Test it with your own citizens before
#   you trust it with them.
# - **Prove much with few tasks.** Look at the widths of the intervals once more.
#
# ## What you can now do
#
# In this notebook we have taken an agent apart, and put it together again. You can
#
# - write a world with typed tools, and run an agent in it, whoever the agent is;
# - read a prompt as the model sees it, and a call as the tokens that it is;
# - say what a grammar guarantees and what it hides, and measure its tax;
# - turn writing into choosing, and get a probability for each decision;
# - tell which tokens of a trace teach anything;
# - draw an abstention curve, choose a threshold from it or from prices, and keep test cases out of that choice;
# - examine an agent by what it left behind, beside floors and rules, and say how often it succeeds *every* time;
# - offer the same tools to any other agent.
#
# **What to remember.** Much of an agent's reliability is a matter of *taking away*: words that need not be written, options that make
# no sense, cases that a person should see. What is left for the model is small, and can be measured. That gives a small model its chance.
#
# ## What comes next
#
# [11 · The mortgage desk](11_the_mortgage_desk.ipynb) puts a tuned model behind a server and lets code, policy and a person share
# the work with it.
