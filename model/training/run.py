"""Rebuilds model/demo from nothing: environment, tokenizer, training, export, evaluation.

    python3 model/training/run.py [--venv FOLDER] [--work FOLDER] [--out FOLDER] [--steps N] [--zoo] [--embedder] [--no-training]

With --embedder it makes model/embedder as well, from the same tokenizer. With --zoo it makes model/zoo as well, the weak models that cheats of the tests run: it trains a smaller model for that. With
--no-training it only exports what the folder of checkpoints holds. Run `cargo xtask calibrate` afterwards: limits belong to a manifest.
Needs Python 3.11 or later, gcc, binutils and 1.5 GB of disk. With --steps 100 it is a quick trial; give --out then too.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

TRAINING = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"
EARLIER = "checkpoint-5500"  # the hardest to tell from the model that ships
SMALLER_WIDTH, SMALLER_STEPS = 128, 700


def main(arguments):
    python = environment(arguments.venv)
    checkpoint = arguments.work / "pip"
    if not arguments.no_training:
        checkpoint.mkdir(parents=True, exist_ok=True)
        run(python, "tokenizer.py", checkpoint)
        steps = ["--steps", arguments.steps] if arguments.steps else []
        run(python, "train.py", checkpoint, "--threads", arguments.threads, *steps)
    run(python, "export.py", checkpoint, arguments.out)
    run(python, "evaluate.py", arguments.out)
    if arguments.embedder:
        embedder(python, arguments)
    if arguments.zoo:
        zoo(python, checkpoint, arguments)


def embedder(python, arguments):
    checkpoint, folder = arguments.work / "embedder", arguments.out.with_name("embedder")
    if not arguments.no_training:
        run(python, "embedder/train.py", arguments.out, checkpoint, "--threads", arguments.threads)
    run(python, "embedder/export.py", checkpoint, folder)
    run(python, "embedder/measure.py", checkpoint, folder)


def zoo(python, checkpoint, arguments):
    smaller = arguments.work / "smaller"
    if not arguments.no_training:
        smaller.mkdir(parents=True, exist_ok=True)
        run(python, "tokenizer.py", smaller)
        run(python, "train.py", smaller, "--threads", arguments.threads, "--width", SMALLER_WIDTH, "--steps", SMALLER_STEPS)
    run(python, "zoo.py", arguments.out, checkpoint / EARLIER, smaller, checkpoint, arguments.out.with_name("zoo"))


def environment(folder):
    """The interpreter of a virtual environment with the packages of requirements.txt; an existing one is completed."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    say(f"packages into {folder}")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", TRAINING / "requirements.txt"], check=True)
    run(python, "stub_cuda.py")
    return python


def run(python, script, *arguments):
    say(" ".join([script, *map(str, arguments)]))
    subprocess.run([python, TRAINING / script, *map(str, arguments)], check=True)


def say(line):
    print(f"==> {line}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=CACHE / "train-venv")
    parser.add_argument("--work", type=Path, default=CACHE / "train", help="where checkpoints are kept")
    parser.add_argument("--out", type=Path, default=TRAINING.parent / "demo")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--zoo", action="store_true", help="make the weak models, too")
    parser.add_argument("--embedder", action="store_true", help="make the embedder, too")
    parser.add_argument("--no-training", action="store_true", help="export the checkpoints that are there")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    if sys.version_info < (3, 11):
        parser.error("Python 3.11 or later is needed")
    main(parser.parse_args())
