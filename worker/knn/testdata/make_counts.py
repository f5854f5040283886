"""Writes features.f32 and counts.json: what the k-NN evaluation of lightly counts on given features.

The vote is that of lightly.utils.benchmarking.knn_predict: cosines of normalised features, the k largest, weights
exp(cosine / t), their sums by class, classes in descending order of the sums. Computed here with numpy in float64.
"""

import json
import sys

import numpy as np

rng = np.random.default_rng(11)
CLASSES, DIM, BANK, QUERIES = 12, 16, 400, 150

centres = rng.normal(size=(CLASSES, DIM))
bank_labels = rng.integers(0, CLASSES, BANK)
labels = rng.integers(0, CLASSES, QUERIES)
bank = (centres[bank_labels] + 1.6 * rng.normal(size=(BANK, DIM))).astype("<f4")
queries = (centres[labels] + 1.6 * rng.normal(size=(QUERIES, DIM))).astype("<f4")


def counts(k, t):
    q, b = (x.astype(np.float64) for x in (queries, bank))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    cosine = q @ b.T
    near = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    weights = np.exp(np.take_along_axis(cosine, near, axis=1) / t)
    scores = np.zeros((QUERIES, CLASSES))
    for i in range(QUERIES):
        np.add.at(scores[i], bank_labels[near[i]], weights[i])
    ranked = np.argsort(-scores, axis=1, kind="stable")
    return {"k": k, "t": t, "top1": int((ranked[:, 0] == labels).sum()),
            "top5": int((ranked[:, :5] == labels[:, None]).any(axis=1).sum())}


out = sys.argv[1]
np.concatenate([bank, queries]).tofile(out + "/features.f32")
json.dump({"dim": DIM, "classes": CLASSES, "bank": bank_labels.tolist(), "queries": labels.tolist(),
           "counts": [counts(k, t) for k, t in ((200, 0.1), (20, 0.1), (20, 0.07), (7, 0.5))]},
          open(out + "/counts.json", "w"))
