"""The kit's commands: `python -m helpers <command>`. The Makefile only calls these, so Windows does the same.

setup        make .venv with the exact pins and fetch the embedded weights (`make run` and `make test` do it first)
doctor       what this computer can do, and the plan with its reasons
run          the main job: the spine of the course in the laptop profile, into runs/<time>/
test         lint, tests, every notebook in the smoke profile, the spine
lab          open JupyterLab on the course
notebooks    make the notebooks from their text twins and run them for their stored outputs
finetune     fine-tune the model on your own file or folder
checkpoints  train the checkpoint that ships with the kit again
ablations    measure again what each setting of training buys and costs
bench        measure training against its peers, side by side (half an hour on an idle machine)
examine      τ-Melayu: let a model do the tasks of the four workplaces, and judge what it left
export-tasks write the kit's test sets as task files that lm-eval runs
mortgage     take letters of your own through the mortgage desk
letters      look at composed application letters
pins         write requirements.lock, environment.yml and binder/ anew from pyproject.toml
"""

import argparse
import sys


def main(arguments=None):
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("setup", help="install the pins and fetch the weights")
    commands.add_parser("doctor", help="what this computer can do, and the plan")
    run = commands.add_parser("run", help="the main job")
    run.add_argument("--profile", default="laptop", choices=("smoke", "laptop", "gpu"))
    run.add_argument("--fresh", action="store_true", help="start anew even if the last run was interrupted")
    run.add_argument("--only", nargs="+", default=[], metavar="NN", help="run these notebooks instead of the spine")
    test = commands.add_parser("test", help="lint, tests, notebooks, spine")
    test.add_argument("pytest", nargs="*", help="arguments for pytest: run only those tests")
    commands.add_parser("lab", help="open JupyterLab on the course")
    notebooks = commands.add_parser("notebooks", help="make the notebooks from their text twins")
    notebooks.add_argument("names", nargs="*", help="numbers of notebooks (all by default)")
    notebooks.add_argument("--profile", default="laptop", choices=("smoke", "laptop", "gpu"))
    notebooks.add_argument("--run", default="", help="take the executed notebooks of this run folder instead of running them again")
    finetune = commands.add_parser("finetune", help="your own data in, an adapter out")
    finetune.add_argument("--in", dest="source", required=True, metavar="data.jsonl")
    finetune.add_argument("--out", dest="target", required=True, metavar="folder")
    finetune.add_argument("--model", default="smollm2-135m", help="a name of the catalogue, a folder, or owner/name on the hub")
    finetune.add_argument("--text", help="the column that holds the text, where it is not found")
    finetune.add_argument("--longest", type=int, default=400, help="leave out documents of more tokens")
    finetune.add_argument("--epochs", type=float, default=2.0)
    finetune.add_argument("--layers", type=int, help="train only the top layers: faster, and a little worse")
    finetune.add_argument("--licence", default="unknown", help="of the data, for the model card")
    ablations = commands.add_parser("ablations", help="what each setting buys and costs")
    ablations.add_argument("--out", default="build/ablations")
    checkpoints = commands.add_parser("checkpoints", help="train the shipped checkpoint again")
    checkpoints.add_argument("--out", default="build/checkpoint")
    checkpoints.add_argument("--agents", action="store_true", help="the agent of the four workplaces instead of the mortgage reader")
    bench = commands.add_parser("bench", help="training against its peers")
    bench.add_argument("options", nargs=argparse.REMAINDER, help="passed on to `python -m benchmarks.training`")
    examine = commands.add_parser("examine", help="an agent in the four workplaces")
    examine.add_argument("--world", default="all", choices=("all", "counter", "supply", "knowhow", "customer"))
    examine.add_argument("--agent", default="model", choices=("model", "writing", "rules", "nothing", "refusing", "dice"))
    examine.add_argument("--split", default="test", choices=("dev", "test"))
    examine.add_argument("--trials", type=int, default=1, help="conversations a task: 4 for pass^4")
    examine.add_argument("--base-url", help="an OpenAI-compatible address, instead of a model of this computer")
    examine.add_argument("--served", default="served", help="the model's name at that address")
    examine.add_argument("--api-key", help="for that address")
    examine.add_argument("--model", default="smollm2-135m")
    examine.add_argument("--adapter", help="a PEFT folder (the shipped one by default), or none")
    examine.add_argument("--out", default="build/examination")
    tasks = commands.add_parser("export-tasks", help="the test sets as files for lm-eval")
    tasks.add_argument("folder")
    mortgage = commands.add_parser("mortgage", help="letters in, decisions out")
    mortgage.add_argument("--in", dest="source", required=True, metavar="letters.jsonl")
    mortgage.add_argument("--out", dest="target", required=True, metavar="decisions.jsonl")
    mortgage.add_argument("--adapter", help="a PEFT folder (the shipped checkpoint by default)")
    mortgage.add_argument("--address", help="an OpenAI-compatible address that serves a tuned model, instead of loading one")
    mortgage.add_argument("--policy", help="a policy file of your own (TOML)")
    letters = commands.add_parser("letters", help="look at composed letters")
    letters.add_argument("--n", type=int, default=3)
    letters.add_argument("--seed", type=int, default=0)
    pins = commands.add_parser("pins", help="write the files made from pyproject.toml anew")
    pins.add_argument("--check", action="store_true", help="only say whether they are up to date")
    options = parser.parse_args(arguments)

    from helpers import bootstrap

    if options.command == "pins":
        return bootstrap.pins(options.check)
    if options.command == "setup":
        return bootstrap.setup()
    if (inside := bootstrap.enter(sys.argv[1:] if arguments is None else list(arguments))) is not None:
        return inside
    from helpers import commands as room

    try:
        return getattr(room, options.command.replace("-", "_"))(options) or 0
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing is lost: the same command goes on where it was.", file=sys.stderr)
        return 130
    except Exception as error:
        from helpers.models import ModelError

        if isinstance(error, (ModelError, ValueError, OSError)):
            print(f"error: {error}", file=sys.stderr)
            return 2
        raise


if __name__ == "__main__":
    sys.exit(main())
