"""Writes features.bin and sklearn.json: what scikit-learn's logistic regression makes of features.

    python make_sklearn.py        # numpy and scikit-learn

features.bin: [4000][16] signed bytes, a feature is byte/16, then 4000 bytes of labels; the first 2000 rows are the
training set.
"""
import json
import pathlib

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression

ROWS, TRAIN, DIM, CLASSES = 4000, 2000, 16, 6
here = pathlib.Path(__file__).parent

r = numpy.random.default_rng(11)
labels = r.integers(0, CLASSES, ROWS)
centres = r.normal(0, 0.7, (CLASSES, DIM))
# Features of an encoder are positive for the most part and of unequal width.
x = (centres[labels] + r.normal(0, 1, (ROWS, DIM))) * numpy.linspace(0.4, 1.6, DIM) + 1
x = numpy.clip(numpy.round(x * 16), -128, 127).astype(numpy.int8)
(here / "features.bin").write_bytes(x.tobytes() + labels.astype(numpy.uint8).tobytes())

x = x.astype(numpy.float64) / 16
m = LogisticRegression(C=numpy.inf, max_iter=10000, tol=1e-10).fit(x[:TRAIN], labels[:TRAIN])
scores = m.decision_function(x[TRAIN:])
order = numpy.argsort(-scores, axis=1)
top1 = int((order[:, 0] == labels[TRAIN:]).sum())
top5 = int((order[:, :5] == labels[TRAIN:, None]).sum())
(here / "sklearn.json").write_text(json.dumps(
    {"sklearn": sklearn.__version__, "images": ROWS - TRAIN, "top1": top1, "top5": top5}) + "\n")
print(top1, top5, m.score(x[:TRAIN], labels[:TRAIN]))
