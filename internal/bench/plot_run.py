"""Draws a run's curves from its directory: python3 plot_run.py RUN_DIR OUT.png (needs matplotlib).

Above: k-NN accuracy at each evaluation, with the untrained network and raw pixels as lines. Below: the loss of every
step and its running mean over a hundredth of the run.
"""
import json
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def main():
    run, out = sys.argv[1:3]
    steps = [s for s in lines(os.path.join(run, "metrics.jsonl")) if "loss" in s]
    evals = lines(os.path.join(run, "evaluations.jsonl"))
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 7), sharex=True)
    epoch_of = {s["step"]: s["epoch"] for s in steps}
    known = [(epoch_of.get(e["step"], 0), 100 * e["knn_top1"]) for e in evals]
    top.plot(*zip(*known), "o-", label="trained")
    for x, y in known:
        top.annotate(f"{y:.1f}", (x, y), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    top.axhline(known[0][1], color="gray", ls="--", label=f"untrained {known[0][1]:.1f} %")
    pixels = [100 * e["pixels_top1"] for e in evals if e.get("pixels_top1")]
    if pixels:
        top.axhline(pixels[0], color="tab:orange", ls=":", label=f"raw pixels {pixels[0]:.1f} %")
    top.set_ylabel("k-NN top-1, %")
    top.margins(y=0.15)
    top.legend(loc="lower right")
    loss, width = [s["loss"] for s in steps], max(1, len(steps) // 100)
    total, mean = 0.0, []
    for i, v in enumerate(loss):
        total += v - (loss[i - width] if i >= width else 0)
        mean.append(total / min(i + 1, width))
    epochs = [s["epoch"] for s in steps]
    bottom.plot(epochs, loss, lw=0.4, alpha=0.5, label="loss of a step")
    bottom.plot(epochs, mean, label=f"mean of {width} steps")
    bottom.set_ylabel("BYOL loss")
    bottom.set_xlabel("epoch")
    bottom.legend()
    for axis in (top, bottom):
        axis.grid(alpha=0.3)
    fig.tight_layout()
    fig.savefig(out, dpi=90)


main()
