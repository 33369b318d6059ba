"""Pictures, tables and widgets for notebooks. Takes results, computes none."""

import html

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999"]  # Okabe and Ito: safe for colour-blind readers
FIELD_COLOURS = {
    "applicant_name": "#cfe8ff", "employment": "#ffe3b3", "years_employed": "#ffd1a8", "gross_monthly_income": "#c9f0dc",
    "monthly_commitments": "#ffd0d0", "property_type": "#e8dcf7", "property_location": "#f7d9ec", "property_price": "#fff3a8", "tenure_years": "#d6ecec",
}  # fmt: skip


def use_style():
    """One plot style for the whole course, readable from the last row: large letters, no clutter."""
    import matplotlib as mpl

    mpl.rcParams.update({
        "figure.figsize": (8, 4.2), "figure.dpi": 90, "font.size": 13, "axes.titlesize": 15, "axes.titlelocation": "left",
        "axes.spines.top": False, "axes.spines.right": False, "axes.prop_cycle": mpl.cycler(color=COLOURS), "lines.linewidth": 2.2,
        "axes.grid": True, "grid.alpha": 0.25, "legend.frameon": False, "savefig.bbox": "tight", "figure.constrained_layout.use": True,
    })  # fmt: skip


def table(rows, header):
    """Rows as a table that fits a projector and a phone; for the last line of a cell."""
    from IPython.display import HTML

    def line(cells, tag):
        return (
            "<tr>"
            + "".join(
                f"<{tag} style='text-align:left;vertical-align:top;padding:.25em .8em .25em 0'>{html.escape(str(c))}</{tag}>" for c in cells
            )
            + "</tr>"
        )

    body = "".join(line(row, "td") for row in rows)
    return HTML(f"<div style='overflow-x:auto'><table style='font-size:1em'>{line(header, 'th')}{body}</table></div>")


def tokens(tokenizer, text):
    """A text cut into its tokens, each in a colour of its own; spaces are shown as dots."""
    from IPython.display import HTML

    shades = ["#cfe8ff", "#ffe3b3", "#c9f0dc", "#f7d9ec", "#fff3a8"]
    pieces = [tokenizer.decode([i]) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
    spans = "".join(
        f"<span style='background:{shades[i % 5]};color:#111;padding:.1em .15em;margin:1px;border-radius:3px;display:inline-block'>{html.escape(p).replace(' ', '·').replace(chr(10), '↵')}</span>"
        for i, p in enumerate(pieces)
    )
    return HTML(f"<div style='font-family:monospace;font-size:1.1em;line-height:1.9'>{spans}</div><small>{len(pieces)} tokens</small>")


def shaded(tokenizer, ids, weights, legend=""):
    """Tokens in order, each the darker the greater its weight (0–1; it is shown when the pointer rests on the token)."""
    from IPython.display import HTML

    spans = []
    for token, weight in zip(ids, weights):
        piece = tokenizer.decode([token])
        shown = html.escape(piece).replace(" ", "·").replace("\n", "↵")
        spans.append(
            f"<span title='{weight:.3f}' style='background:rgba(230,159,0,{0.06 + 0.84 * min(1, max(0, weight)):.2f});padding:.1em .15em;"
            f"margin:1px;border-radius:3px;display:inline-block'>{shown}</span>" + "<br>" * piece.count("\n")
        )
    return HTML(f"<div style='font-family:monospace;line-height:1.9'>{''.join(spans)}</div><small>{html.escape(legend)}</small>")


def next_tokens(tokenizer, probabilities, count=10, title=""):
    """A bar for each of the most probable next tokens. `probabilities`: tensor [vocabulary]."""
    import matplotlib.pyplot as plt

    best = probabilities.topk(count)
    names = [repr(tokenizer.decode([i])) for i in best.indices.tolist()]
    figure, axis = plt.subplots(figsize=(8, 0.36 * count + 0.9))
    axis.barh(names[::-1], best.values.tolist()[::-1], color=COLOURS[0])
    axis.set(xlabel="probability", title=title, xlim=(0, 1))
    plt.show()


def bars(labels, values, title="", xlabel="", intervals=None, floor=None):
    """Horizontal bars, with optional intervals `[(low, high)]` and a dashed line for the floor."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 0.5 * len(labels) + 1.1))
    errors = None
    if intervals:
        errors = [
            [max(0, v - low) for v, (low, _) in zip(values, intervals)][::-1],
            [max(0, high - v) for v, (_, high) in zip(values, intervals)][::-1],
        ]
    axis.barh(list(labels)[::-1], list(values)[::-1], xerr=errors, color=COLOURS[0], ecolor="#444", capsize=4)
    if floor is not None:
        axis.axvline(floor, linestyle="--", color="#444")
    axis.set(title=title, xlabel=xlabel)
    plt.show()


def scoreboard(board, metrics=None, title=""):
    """A board as small pictures, one a metric: a dot with its interval for each stage, the floor as a dashed line."""
    import matplotlib.pyplot as plt

    columns = list(board["columns"])
    found = {m: [(c, board["columns"][c][m]) for c in columns if m in board["columns"][c]] for m in metrics}
    found = {m: points for m, points in found.items() if points and "low" in points[0][1]}
    figure, axes = plt.subplots(len(found), 1, figsize=(8, 0.7 + sum(0.5 + 0.36 * len(points) for points in found.values())), squeeze=False)
    for axis, (metric, points) in zip(axes[:, 0], found.items()):
        scale = 100 if points[0][1].get("unit", "share") == "share" else 1
        for place, (_, score) in enumerate(reversed(points)):
            axis.plot([scale * score["low"], scale * score["high"]], [place, place], color=COLOURS[0])
            axis.plot(scale * score["value"], place, "o", color=COLOURS[0], markersize=9)
        if "floor" in points[0][1]:
            axis.axvline(scale * points[0][1]["floor"], linestyle="--", color="#444")
        axis.set_yticks(range(len(points)), [name for name, _ in reversed(points)])
        axis.set_ylim(-0.6, len(points) - 0.4)
        axis.set_title(f"{metric} ({'%' if scale == 100 else points[0][1]['unit']})", fontsize=13)
    figure.suptitle(title)
    plt.show()


def reliability(bins, error):
    """How sure against how often right, with the diagonal of an honest model. `bins`: `[(confidence, right, n)]`; `error`: the ECE."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5, 4.6))
    axis.plot([0, 1], [0, 1], "--", color="#444")
    axis.plot([c for c, _, _ in bins], [r for _, r, _ in bins], "o-", markersize=9, clip_on=False)
    least, most = min(n for _, _, n in bins), max(n for _, _, n in bins)  # a label at each point would lie on its neighbours
    axis.set(
        xlabel=f"how sure ({least if least == most else f'{least}–{most}'} answers a point)",
        ylabel="how often right",
        xlim=(0, 1.03),
        ylim=(0, 1.03),
        title=f"calibration error {error:.3f}",
    )
    plt.show()


def funnel(steps, title=""):
    """How many rows each step of a pipeline kept and dropped. `steps`: `[(name, kept, dropped)]`."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 0.5 * len(steps) + 1.1))
    names = [name for name, _, _ in steps][::-1]
    kept, dropped = [k for _, k, _ in steps][::-1], [d for _, _, d in steps][::-1]
    axis.barh(names, kept, color=COLOURS[0], label="kept")
    axis.barh(names, dropped, left=kept, color=COLOURS[5], label="dropped")
    for place, (k, d) in enumerate(zip(kept, dropped)):
        axis.annotate(f"{k:,}" + (f"  −{d:,}" if d else ""), (k + d, place), textcoords="offset points", xytext=(5, -5), fontsize=11)
    axis.set(title=title, xlabel="rows", xlim=(0, 1.2 * max(k + d for k, d in zip(kept, dropped))))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)  # beside the title, clear of the bars
    plt.show()


def curve(points, title="", ylabel="loss", smooth=15, held_out=()):
    """A loss curve: every step pale, the running mean on top, `held_out` as dots. All are `[(step, loss)]`."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots()
    _draw_curve(axis, points, smooth, held_out)
    axis.set(title=title, ylabel=ylabel, xlabel="step")
    plt.show()


def _draw_curve(axis, points, smooth=15, held_out=()):
    steps, losses = [s for s, _ in points], [v for _, v in points]
    means = [sum(losses[max(0, i - smooth + 1) : i + 1]) / min(i + 1, smooth) for i in range(len(losses))]
    axis.plot(steps, losses, color=COLOURS[4], alpha=0.4, linewidth=1)
    axis.plot(steps, means, color=COLOURS[0], label="training, running mean")
    if held_out:
        axis.plot(*zip(*held_out), "o-", color=COLOURS[1], label="held out")
        axis.legend()
    if losses and min(losses) > 0:
        axis.set_yscale("log")


class LiveCurve:
    """A loss curve that grows while training runs, with a progress bar and the minutes left.

    Call it with `(step, steps, loss)` after each step; the held-out loss, where a run measures it, is drawn too. `callback()` makes a Trainer callback of it. In a notebook
    without a front end (papermill) nothing is drawn live; `curve` gives the static picture afterwards.
    """

    def __init__(self, every=10):
        import ipywidgets as widgets
        from IPython.display import display

        self.every, self.points, self.held_out = every, [], []
        self.bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="60%"))
        self.text = widgets.Label("starting …")
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        display(widgets.VBox([widgets.HBox([self.bar, self.text]), self.picture]))

    def __call__(self, step, steps, loss):
        import time

        now = time.perf_counter()
        if not self.points:
            self.first = (step, now)
        self.points.append((step, loss))
        self.bar.max, self.bar.value = steps, step
        rate = (now - self.first[1]) / max(1, step - self.first[0])
        self.text.value = f"step {step} of {steps} · loss {loss:.3f} · {rate * (steps - step) / 60:.1f} min left"
        if step % self.every == 0 or step == steps:
            self.picture.value = self._png()

    def _png(self):
        import io

        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 3.6), dpi=80)
        axis = figure.subplots()
        _draw_curve(axis, self.points, held_out=self.held_out)
        axis.set(xlabel="step", ylabel="loss")
        out = io.BytesIO()
        figure.savefig(out, format="png")
        return out.getvalue()

    def callback(self):
        """This curve as a `TrainerCallback`."""
        from transformers import TrainerCallback

        live = self

        class Callback(TrainerCallback):
            def on_log(self, args, state, control, logs=None, **kwargs):
                if logs and "loss" in logs:
                    live(state.global_step, state.max_steps, logs["loss"])
                if logs and "eval_loss" in logs:
                    live.held_out.append((state.global_step, logs["eval_loss"]))

        return Callback()


def letter(text, fields):
    """A letter with every quoted piece marked in its field's colour. `fields`: name → `{"quotes"}` or None."""
    from IPython.display import HTML

    marked = html.escape(text, quote=False)
    quotes = [(q, name) for name, found in fields.items() if found for q in found["quotes"]]
    for number, (quote, _) in enumerate(sorted(quotes, key=lambda pair: -len(pair[0]))):
        marked = marked.replace(html.escape(quote, quote=False), f"\x00{number}\x01", 1)
    for number, (quote, name) in enumerate(sorted(quotes, key=lambda pair: -len(pair[0]))):
        span = f"<mark style='background:{FIELD_COLOURS[name]};color:#111;padding:0 .15em;border-radius:3px' title='{name}'>{html.escape(quote, quote=False)}</mark>"
        marked = marked.replace(f"\x00{number}\x01", span)
    legend = " ".join(
        f"<span style='background:{FIELD_COLOURS[n]};color:#111;padding:0 .4em;border-radius:3px'>{n}</span>"
        for n, f in fields.items()
        if f
    )
    return HTML(
        f"<div style='max-width:46em;line-height:1.7;white-space:pre-wrap;border-left:4px solid #ccc;padding-left:1em'>{marked}</div><small>{legend}</small>"
    )


def approval(case, on_decision):
    """A widget in which a person decides on a case: shows the recommendation and its reasons, three buttons and a note.

    Args:
        case: a decision as `helpers.agents.desk` returns it.
        on_decision: called with `(decision, note)` when a button is pressed; its return value is shown.
    """
    import ipywidgets as widgets

    colour = {"lulus": "#d9f2e3", "rujuk": "#fff3c4", "tolak": "#ffd9d9"}[case["recommendation"]]
    reasons = "".join(f"<li>{html.escape(r)}</li>" for r in case["reasons"])
    head = widgets.HTML(
        f"<div style='background:{colour};color:#111;padding:.6em 1em;border-radius:6px'><b>Syor: {case['recommendation'].upper()}</b><ul style='margin:.3em 0'>{reasons}</ul></div>"
    )
    note = widgets.Text(placeholder="Catatan pegawai", layout=widgets.Layout(width="98%"))
    buttons = [
        widgets.Button(description=text.capitalize(), button_style=style)
        for text, style in (("lulus", "success"), ("rujuk", "warning"), ("tolak", "danger"))
    ]
    shown = widgets.HTML()

    def decide(button):
        result = on_decision(button.description.lower(), note.value)
        shown.value = f"<b>{html.escape(str(result))}</b>"
        for other in buttons:
            other.disabled = True

    for button in buttons:
        button.on_click(decide)
    return widgets.VBox(
        [head, note, widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap")), shown], layout=widgets.Layout(max_width="46em")
    )


def trace(steps):
    """The steps of a case as a table: what was done, with what result, and how long it took (milliseconds)."""
    return table(
        [(i + 1, s["step"], _short(s["result"]), f"{s['milliseconds']:.0f}") for i, s in enumerate(steps)], ["", "step", "result", "ms"]
    )


def conversation(messages, steps=()):
    """An agent's conversation as people read one: what the person said on the left, the agent on the right, between them every call with
    what it gave; a call opens with a click and shows how sure the model was of each decision.

    Args:
        messages: in the OpenAI shape, as `agents.loop.Episode` has them; the system's message is left out.
        steps: the episode's steps, for probabilities and times.
    """
    from IPython.display import HTML

    bubble = "<div style='max-width:82%;margin:.35em {};padding:.5em .8em;border-radius:10px;background:{};color:#111;white-space:pre-wrap'>{}</div>"
    parts, of_message = [], {id(step["message"]): step for step in steps}
    for message in messages[1:]:
        step = of_message.get(id(message), {})
        if message["role"] == "user":
            parts.append(bubble.format("auto .35em 0", "#eef2f7", html.escape(message["content"])))
        elif message["role"] == "assistant" and not message.get("tool_calls"):
            parts.append(bubble.format("0 .35em auto", "#d7efe3", html.escape(message["content"] or "") + _sureness(step)))
        for call in message.get("tool_calls") or []:
            answer = next((m["content"] for m in messages if m.get("tool_call_id") == call["id"]), "")
            refused = answer.startswith('{"ralat"')
            head = f"{'✗' if refused else '⚙'} <code>{html.escape(call['function']['name'] + ' ' + call['function']['arguments'])}</code>{_sureness(step)}"
            parts.append(
                f"<details style='margin:.35em 2em;color:#444;border-left:3px solid {'#D55E00' if refused else '#999'};padding-left:.7em'>"
                f"<summary style='cursor:pointer;overflow-wrap:anywhere'>{head}</summary>"
                f"<pre style='white-space:pre-wrap;font-size:.85em'>{html.escape(answer)}</pre></details>"
            )
    return HTML(f"<div style='max-width:46em;line-height:1.5'>{''.join(parts)}</div>")


def _sureness(step):
    """The probability of a step's message and the model's time, small and grey; nothing where they are not known."""
    if "confidence" not in step:
        return ""
    least = min((probability for probability, _ in step.get("decisions", ())), default=1.0)
    return f" <small style='color:#666'>{step['confidence']:.0%} sure, least {least:.0%} · {step['model_seconds']:.1f} s</small>"


def _short(value, limit=160):
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
