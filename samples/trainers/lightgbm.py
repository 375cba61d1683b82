"""Fits both classifiers with LightGBM. The contract is in tasks/train/README.md.

Needs Python 3.9 or newer and the packages lightgbm and numpy:

    trainer: { kind: command, argv: [python3, samples/trainers/lightgbm.py], reads: [samples/trainers/lightgbm.py] }
"""

import json
import os
import platform
import sys

# A module of the same name as this file lies beside it, which is this file.
sys.path = [path for path in sys.path if os.path.realpath(path or ".") != os.path.dirname(os.path.realpath(__file__))]

import lightgbm  # noqa: E402
import numpy  # noqa: E402

SHAPES = {
    "ai1": {"num_boost_round": 40, "num_leaves": 4, "min_data_in_leaf": 10},
    "ai2": {"num_boost_round": 60, "num_leaves": 15, "min_data_in_leaf": 40},
}


def progress(done, total, note):
    print(json.dumps({"progress": {"done": done, "total": total, "unit": "fits", "note": note}}), flush=True)


def fit(name, features, labels, manifest):
    shape = dict(SHAPES[name])
    rounds = shape.pop("num_boost_round")
    positives = max(1.0, labels.sum())
    negatives = max(1.0, len(labels) - labels.sum())
    ratio = manifest["config"]["training"]["max_class_weight"]
    parameters = {
        "objective": "binary",
        "learning_rate": 0.1,
        "lambda_l2": 5.0,
        "max_bin": 63,
        "scale_pos_weight": float(numpy.clip(negatives / positives, 1 / ratio, ratio)),
        "seed": manifest["seed"],
        "num_threads": manifest["threads"],
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        **shape,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(features, labels), num_boost_round=rounds)


def tree_of(structure):
    """A tree of LightGBM's dump as parallel arrays, the two children of a node side by side."""
    tree = {"feature": [0], "threshold": [0.0], "missingLeft": [0], "left": [0], "value": [0.0]}
    waiting = [(0, structure)]
    while waiting:
        at, node = waiting.pop(0)
        if "leaf_value" in node and "left_child" not in node:
            tree["value"][at] = node["leaf_value"]
            continue
        left = len(tree["left"])
        for column, empty in (("feature", 0), ("threshold", 0.0), ("missingLeft", 0), ("left", 0), ("value", 0.0)):
            tree[column] += [empty, empty]
        tree["feature"][at] = node["split_feature"]
        tree["threshold"][at] = node["threshold"]
        tree["missingLeft"][at] = 1 if node["default_left"] else 0
        tree["left"][at] = left
        waiting += [(left, node["left_child"]), (left + 1, node["right_child"])]
    return tree


def model_of(booster, names):
    return {
        "kind": "boosting",
        "names": names,
        "baseline": 0,
        "trees": [tree_of(each["tree_structure"]) for each in booster.dump_model()["tree_info"]],
        "importance": [float(gain) for gain in booster.feature_importance("gain")],
    }


def main(path):
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    with open(manifest["samples"], encoding="utf-8") as file:
        samples = json.load(file)
    names = samples["names"]
    features = numpy.array([samples["features"][name] for name in names], dtype=float).T
    total = 2 * (len(samples["kFold"]) + len(samples["walkForward"]) + 1)
    done = 0
    fitted = {
        "environment": {
            "python": platform.python_version(),
            "lightgbm": lightgbm.__version__,
            "numpy": numpy.__version__,
        }
    }
    for name in ("ai1", "ai2"):
        labels = numpy.array([numpy.nan if label is None else label for label in samples["labels"][name]], dtype=float)
        known = ~numpy.isnan(labels)
        scores = {}
        for split in ("kFold", "walkForward"):
            column = [None] * len(labels)
            for fold in samples[split]:
                train = numpy.array(fold["train"], dtype=int)
                train = train[known[train]]
                booster = fit(name, features[train], labels[train], manifest)
                for row, score in zip(fold["test"], booster.predict(features[fold["test"]])):
                    column[row] = float(score)
                done += 1
                progress(done, total, f"{name} {split}")
            scores[split] = column
        final = fit(name, features[known], labels[known], manifest)
        done += 1
        progress(done, total, f"{name} final")
        fitted[name] = {"model": model_of(final, names), **scores}
    partial = manifest["fitted"] + ".part"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(fitted, file)
    os.replace(partial, manifest["fitted"])


if __name__ == "__main__":
    main(sys.argv[-1])
