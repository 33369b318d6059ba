"""The repository itself: pins, the twins of the notebooks, links, the floors of the house, commands."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from helpers import __main__ as command_line
from helpers import bootstrap, lesson

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TWINS = sorted((ROOT / "notebooks" / "source").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
MODULES = sorted((ROOT / "helpers").glob("**/*.py"))


def files(*options):
    listed = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


# Pins and addresses


def test_every_pin_is_exact():
    wanted = [pin for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()) for pin in group]
    assert len(wanted) > 15
    assert [pin for pin in wanted if not re.fullmatch(r"[A-Za-z0-9_.-]+==\d[\w.]*", pin)] == []
    left_out = PROJECT["optional-dependencies"]["gpu"]  # for GPUs only: not in the lock
    assert len(bootstrap.pinned()) == len(wanted) - len(left_out)


def test_generated_files_agree_with_the_pins():
    assert bootstrap.pins(check=True) == 0
    names = {str(path.relative_to(ROOT)) for path in bootstrap.generated()}
    assert {"environment.yml", "binder/requirements.txt", "binder/runtime.txt", "binder/postBuild"} <= names


def test_a_changed_pin_is_noticed(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "pinned", lambda: {"torch": "0.0.1"})
    assert bootstrap.pins(check=True) == 1
    assert "environment.yml differs" in capsys.readouterr().err


def test_the_lock_holds_the_pins():
    locked = dict(line.split(" ;")[0].split("==") for line in bootstrap.LOCK.read_text().splitlines() if line[:1].isalpha())
    assert {name: locked.get(re.sub(r"[-_.]+", "-", name).lower()) for name in bootstrap.pinned()} == bootstrap.pinned()


def test_the_address_of_the_repository_stands_in_one_file():
    (address,) = PROJECT["urls"].values()
    owner_and_name = "/".join(address.rstrip("/").split("/")[-2:])
    # as a link, in a Colab badge, and in a Binder badge
    forms = [address.split("//")[1], f"github/{owner_and_name}", f"gh/{owner_and_name}"]
    holding = [path for path in files("--cached", "--others", "--exclude-standard") if any(f.encode() in path.read_bytes() for f in forms)]
    assert [str(path.relative_to(ROOT)) for path in holding] == ["pyproject.toml"]


def test_no_large_file_is_tracked():
    assert [str(path.relative_to(ROOT)) for path in files() if path.stat().st_size > 10_000_000] == []


# Notebooks


@pytest.fixture(params=TWINS, ids=lambda path: path.stem)
def twin(request):
    import jupytext

    return request.param, jupytext.read(request.param)


def test_there_are_notebooks():
    assert len(TWINS) >= 4
    assert {path.stem for path in TWINS} == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_notebooks_begin_alike(twin):
    path, notebook = twin
    first, *others = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert first.source == lesson.FIRST_CELL
    tagged = [cell for cell in others if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1 and tagged[0] is others[0]
    found = {}
    exec(compile(tagged[0].source, path.name, "exec"), found)
    assert (found["profile"], found["run_folder"]) == ("laptop", "")
    assert f'lesson.start("{path.stem.split("_")[0]}", profile, run_folder)' in others[1].source
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")


def test_a_notebook_and_its_twin_are_equal(twin):
    import nbformat

    path, source = twin
    made = nbformat.read(ROOT / "notebooks" / f"{path.stem}.ipynb", as_version=4)
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [(cell.cell_type, cell.source) for cell in source.cells]
    assert [cell.metadata.get("tags", []) for cell in made.cells] == [cell.metadata.get("tags", []) for cell in source.cells]


def broken_links(text, folder):
    links = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    local = [link.split("#")[0].split("?")[0] for link in links if not re.match(r"[a-z][a-z+.-]*:|#|//", link)]
    return [link for link in local if link and not (folder / link).exists()]


def test_broken_links_are_found(tmp_path):
    (tmp_path / "here.md").touch()
    text = '[a](here.md#part) [b](gone.md) <img src="gone.png"> [c](https://example.org/x) [d](#part)'
    assert broken_links(text, tmp_path) == ["gone.md", "gone.png"]


def test_links_of_notebooks_exist(twin):
    _, notebook = twin
    assert broken_links("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"), ROOT / "notebooks") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_of_pages_exist(page):
    assert broken_links(page.read_text(encoding="utf-8"), page.parent) == []


# The house

FLOORS = {
    "machine": 1, "malay": 1, "models": 2, "corpus": 2, "worlds": 3, "training": 3, "agents": 3, "evaluation": 4, "serving": 4,
    "show": 5, "lesson": 5, "exercises": 5,
    "bootstrap": 6, "commands": 6, "batch": 6, "spine": 6, "checkpoint": 6, "ablations": 6, "examine": 6, "__main__": 6,
}  # fmt: skip


def room_of(path):
    return path.relative_to(ROOT / "helpers").with_suffix("").parts[0]


def imported_rooms(path):
    """`(line, room)` of every import of another room, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for parts in (name.split(".") for name in names):
            if parts[0] == "helpers" and len(parts) > 1 and parts[1] != "__version__":
                yield node.lineno, parts[1]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} - {"__init__"} <= FLOORS.keys()


def test_lower_rooms_never_import_higher_ones():
    climbing = [
        f"{path.relative_to(ROOT)}, line {line}: {room_of(path)} (floor {FLOORS[room_of(path)]}) imports {room} (floor {FLOORS[room]})"
        for path in MODULES
        if room_of(path) != "__init__"
        for line, room in imported_rooms(path)
        if FLOORS[room] > FLOORS[room_of(path)]
    ]
    assert climbing == []


def test_no_room_imports_itself_in_a_circle():
    needs = {}
    for path in MODULES:
        needs.setdefault(room_of(path), set()).update(room for _, room in imported_rooms(path) if room != room_of(path))

    def reachable(room, seen):
        for other in needs.get(room, set()) - seen:
            seen.add(other)
            reachable(other, seen)
        return seen

    assert [room for room in needs if room in reachable(room, set())] == []


def test_nothing_loads_pickles():
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    f"{path.name}: {name}" for name in names if name.split(".")[0] in ("pickle", "dill", "joblib", "shelve", "marshal")
                ]
                found += [f"{path.name}: torch.load" for name in names if getattr(node, "module", "") == "torch" and name == "load"]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found += [f"{path.name}: {node.value.id}.load"] if (node.value.id, node.attr) == ("torch", "load") else []
            elif isinstance(node, ast.keyword) and (node.arg, getattr(node.value, "value", None)) in (
                ("allow_pickle", True),
                ("use_safetensors", False),
            ):
                found.append(f"{path.name}: {node.arg}")
    assert found == []


INDONESIAN = r"\b(?:karena|bahwa|mobil|kantor|uang|gratis|silakan|bisnis|nomor|kualitas|butuh|sepeda\s+motor|handphone)\b"


def test_the_malay_is_malaysian():
    data = ROOT / "helpers" / "worlds" / "mortgage"
    texts = {"policy.md": (data / "policy.md").read_text(encoding="utf-8")}
    for path in sorted((data / "data").glob("phrases_*.json")):
        bank = json.loads(path.read_text(encoding="utf-8"))
        texts |= {f"{path.name} {kind} {number}": phrase for kind, phrases in bank.items() for number, phrase in enumerate(phrases)}
    for path in sorted((data / "data").glob("written_*.jsonl")):
        texts |= {row["id"]: row["letter"] for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    assert len(texts) > 1000
    assert [(name, m.group()) for name, text in texts.items() for m in re.finditer(INDONESIAN, text, re.I)] == []


# Commands


def test_help_names_every_command():
    done = subprocess.run([sys.executable, "-m", "helpers", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert all(
        re.search(rf"^{name}\s+\w", done.stdout, re.M)
        for name in ("setup", "doctor", "run", "test", "lab", "notebooks", "mortgage", "pins")
    )


@pytest.mark.parametrize("arguments", [["fly"], [], ["mortgage"], ["mortgage", "--in", "a"], ["run", "--profile", "huge"]])
def test_wrong_commands_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_every_command_of_the_makefile_is_one():
    targets = re.findall(r"-m helpers (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    known = re.findall(r"^(\w+)  +\w", command_line.__doc__, re.M)
    assert targets and set(targets) - set(known) == set()


def test_pins_are_checked_by_the_command():
    assert command_line.main(["pins", "--check"]) == 0
