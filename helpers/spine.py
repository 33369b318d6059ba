"""The main job: one artifact through the whole house, notebook by notebook, and a report at the end.

    python -m helpers run
    python -m helpers run --only 03 04 05

Executes the spine's notebooks (or the ones asked for) with papermill into `runs/<time>/` and leaves there the executed notebooks, `adapter/` (a
plain PEFT folder), `scoreboard.json` and a self-contained `report.html`. Interrupted, the same command goes on: finished
notebooks are not run again, and training resumes at its last checkpoint.
"""

import html
import json
import os
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from helpers.bootstrap import ROOT

NOTEBOOKS = ROOT / "notebooks"
SPINE = ("00_start_here", "02_load_an_open_model", "07_fine_tune_in_malay", "11_the_mortgage_desk")


def _state(folder):
    path = folder / "state.json"
    return json.loads(path.read_text()) if path.exists() else None


def _save(folder, state):
    partial = folder / "state.part"
    partial.write_text(json.dumps(state, indent=1))
    partial.replace(folder / "state.json")


def _names(numbers):
    """The notebooks with these numbers, or the spine. ValueError for a number that does not exist."""
    if not numbers:
        return list(SPINE)
    found = {path.stem.split("_")[0]: path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    if unknown := [number for number in numbers if number not in found]:
        raise ValueError(f"there is no notebook {', '.join(unknown)}: choose among {', '.join(found)}")
    return [found[number] for number in numbers]


def _open_run(profile, fresh, names):
    """The folder and state of the run to go on with, or of a new one."""
    runs = Path(os.environ.get("LEPASLATIH_RUNS", ROOT / "runs"))
    runs.mkdir(parents=True, exist_ok=True)
    if not fresh:
        for folder in sorted((p for p in runs.iterdir() if p.is_dir()), reverse=True):
            state = _state(folder)
            if state and state["profile"] == profile and state["notebooks"] == names and not state.get("finished"):
                return folder, state
    folder = runs / datetime.now().strftime("%Y-%m-%d-%H%M%S")
    folder.mkdir()
    state = {"profile": profile, "notebooks": names, "done": {}, "finished": False, "memory": {"largest_process": 0, "sum": 0}}
    _save(folder, state)
    return folder, state


class MemoryWatch(threading.Thread):
    """Samples the resident memory of this process and its children: the largest one, and the largest sum (bytes)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.largest_process = self.sum = 0
        self.going = True

    def run(self):
        import psutil

        me = psutil.Process()
        while self.going:
            sizes = []
            for process in [me, *me.children(recursive=True)]:
                try:
                    sizes.append(process.memory_info().rss)
                except psutil.Error:
                    continue
            if sizes:
                self.largest_process, self.sum = max(self.largest_process, *sizes), max(self.sum, sum(sizes))
            time.sleep(0.25)


def run(profile="laptop", fresh=False, numbers=()):
    """Run the spine, or the notebooks with these numbers; prints progress and the table; returns an exit status."""
    import papermill

    names = _names(numbers)
    folder, state = _open_run(profile, fresh, names)
    where = os.path.relpath(folder)
    print(f"{'Going on with' if state['done'] else 'Starting'} {where} (profile {profile})", file=sys.stderr)
    watch = MemoryWatch()
    watch.start()
    os.environ.update(TOKENIZERS_PARALLELISM="false", PYTHONPATH=str(ROOT), PYDEVD_DISABLE_FILE_VALIDATION="1")
    os.environ.pop("LEPASLATIH_PROFILE", None)
    for name in names:
        if name in state["done"]:
            print(f"{name}: done before", file=sys.stderr)
            continue
        start = time.perf_counter()
        partial = folder / f"{name}.part.ipynb"
        parameters = {"profile": profile, "run_folder": str(folder)}
        try:
            papermill.execute_notebook(
                str(NOTEBOOKS / f"{name}.ipynb"),
                str(partial),
                parameters,
                kernel_name="python3",
                cwd=str(NOTEBOOKS),
                log_output=False,
                progress_bar={"desc": name, "file": sys.stderr},
            )
        except papermill.PapermillExecutionError as error:
            print(
                f"error: notebook {name} stopped in cell {error.exec_count}: {error.ename}: {error.evalue}\nIts outputs so far are in {where}/{partial.name}. Mend the cause and run the same command again.",
                file=sys.stderr,
            )
            return 1
        os.replace(partial, folder / f"{name}.ipynb")
        state["done"][name] = round(time.perf_counter() - start, 1)
        _save(folder, state)
    watch.going = False
    memory = state["memory"]
    memory["largest_process"], memory["sum"] = max(memory["largest_process"], watch.largest_process), max(memory["sum"], watch.sum)
    _report(folder, state)
    state["finished"] = True
    _save(folder, state)
    from helpers.evaluation import scoreboard

    board = scoreboard.load(folder / "scoreboard.json")
    print(f"\n{scoreboard.as_text(board, summary(board))}\n")
    minutes = sum(state["done"].values()) / 60
    print(f"{minutes:.1f} minutes; largest process {memory['largest_process'] / 1e9:.2f} GB, all together {memory['sum'] / 1e9:.2f} GB.")
    left = "   ".join(
        f"{what}: {where}/{name}"
        for what, name in (("Report", "report.html"), ("adapter", "adapter"), ("scoreboard", "scoreboard.json"))
        if (folder / name).exists()
    )
    print(left)
    return 0


def summary(board):
    """The metrics of the before/after table, in order."""
    known = [m for scores in board["columns"].values() for m in scores]
    wanted = [
        "fields",
        "letters",
        *sorted({m for m in known if m.startswith("field:")}),
        "recommendation",
        "wrongful_approvals",
        "bits_per_byte",
        "diagnostics",
        "retention",
        "routing",
        "chrf",
        "purity",
        "tokens_per_second",
        "peak_memory",
        "minutes",
    ]
    return [m for m in wanted if m in known]


_CSS = """body{font:17px/1.6 system-ui,sans-serif;max-width:54em;margin:2em auto;padding:0 1em;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.9em}td,th{padding:.3em .8em .3em 0;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
pre{background:#f6f6f4;padding:.7em;overflow-x:auto;font-size:.82em;line-height:1.45}img{max-width:100%}h1{line-height:1.2}
details{border-top:2px solid #ccc;padding:.6em 0}summary{font-size:1.2em;cursor:pointer}.jp-InputPrompt,.jp-OutputPrompt,.prompt{display:none}
@media(prefers-color-scheme:dark){body{background:#181818;color:#e6e6e6}pre{background:#262626}td,th{border-color:#444}}"""


def _report(folder, state):
    """Write `report.html`: the scoreboard, the costs, and every executed notebook, in one file without links outside."""
    import nbformat
    from nbconvert import HTMLExporter

    from helpers.evaluation import scoreboard

    board = scoreboard.load(folder / "scoreboard.json")
    header, rows = scoreboard.rows(board, summary(board), floors=True)
    table = "".join(
        "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in line) + "</tr>"
        for tag, line in [("th", header), *(("td", r) for r in rows)]
    )
    parts = []
    exporter = HTMLExporter(template_name="basic")
    for name in state["notebooks"]:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        notebook.metadata.pop("widgets", None)
        body, _ = exporter.from_notebook_node(notebook)
        parts.append(f"<details><summary>{html.escape(name.replace('_', ' '))} · {state['done'][name]:.0f} s</summary>{body}</details>")
    memory = state["memory"]
    text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>LepasLatih report</title><style>{_CSS}</style>
<h1>From an open model to the mortgage desk</h1><p>Run {html.escape(folder.name)}, profile {state["profile"]}: {sum(state["done"].values()) / 60:.1f} minutes,
largest process {memory["largest_process"] / 1e9:.2f} GB, all processes together {memory["sum"] / 1e9:.2f} GB. Intervals are 95%.</p>
<h2>Before and after</h2><table>{table}</table><h2>The notebooks</h2>{"".join(parts)}</html>"""
    partial = folder / "report.part"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / "report.html")


def make_notebooks(numbers=(), profile="laptop", run=""):
    """Make notebooks from their text twins; outputs come from a run folder, or from running them now."""
    import jupytext
    import nbformat

    status = 0
    for source in sorted((NOTEBOOKS / "source").glob("*.py")):
        if numbers and source.stem.split("_")[0] not in numbers:
            continue
        notebook = jupytext.read(source)
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        for index, cell in enumerate(notebook.cells):
            cell["id"] = f"{source.stem.split('_')[0]}-{index:03d}"
        if run:
            executed = nbformat.read(Path(run) / f"{source.stem}.ipynb", as_version=4)
            _take_outputs(notebook, executed)
        target = NOTEBOOKS / f"{source.stem}.ipynb"
        nbformat.write(notebook, target)
        print(f"wrote notebooks/{target.name}" + (f" with the outputs of {run}" if run else " without outputs"), file=sys.stderr)
    return status


def _take_outputs(notebook, executed):
    """Copy outputs from an executed notebook into the fresh one, cell by cell where the code is the same."""
    done = [c for c in executed.cells if c.cell_type == "code" and "injected-parameters" not in c.metadata.get("tags", [])]
    fresh = [c for c in notebook.cells if c.cell_type == "code"]
    for new, old in zip(fresh, done, strict=True):
        if new.source != old.source and "parameters" not in new.metadata.get("tags", []):
            raise ValueError("the run was made with another version of this notebook: run it again")
        new.outputs, new.execution_count = [_clean(o) for o in old.outputs if o.get("name") != "stderr"], old.execution_count
    if "widgets" in executed.metadata:
        notebook.metadata["widgets"] = executed.metadata["widgets"]


def _clean(output):
    """An output without what only belongs to one run."""
    output.get("metadata", {}).pop("papermill", None)
    return output
