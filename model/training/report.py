"""Writes what the evaluation found: RESULTS.md for us, and the model card that travels with the model."""

import platform
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
VERSIONS_THAT_MATTER = ["torch", "transformers", "tokenizers", "optimum", "optimum-onnx", "onnx", "onnxruntime", "numpy"]


def write_report(folder, rows, loss):
    parts = {
        "full_table": _full_table(rows),
        "short_table": _short_table(rows),
        "asked": rows[0].seen.asked,
        "loss": f"{loss:.3f}",
        "versions": ", ".join(f"{name} {version(name).split('+')[0]}" for name in VERSIONS_THAT_MATTER),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    (HERE / "RESULTS.md").write_text((HERE / "results.template.md").read_text().format(**parts))
    (folder / "README.md").write_text((HERE / "card.template.md").read_text().format(**parts))


def _full_table(rows):
    lines = ["| kind | held out is | seen in training | held out | held out, typed loosely | ended by itself |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row.seen, row.held_out, row.typed_loosely]
        ended = f"{sum(cell.ended for cell in cells)}/{sum(cell.asked for cell in cells)}"
        lines.append(f"| {row.kind} | {row.held_out_means} | {' | '.join(f'{cell.right}/{cell.asked}' for cell in cells)} | {ended} |")
    return "\n".join(lines)


def _short_table(rows):
    lines = ["| kind | right, as trained | right, of what it never saw | ended by itself |", "|---|---|---|---|"]
    for row in rows:
        cells = [_percent(row.seen.right, row.seen.asked), _percent(row.held_out.right, row.held_out.asked),
                 _percent(row.held_out.ended, row.held_out.asked)]
        lines.append(f"| {row.kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(part, whole):
    return f"{100 * part // whole} %"
