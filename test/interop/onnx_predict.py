"""onnxruntime itself, asked by test/interop/onnxruntime.test.ts.

usage: onnx_predict.py FOLDER. shapes.json lists the shapes of inputs; for each, runs N.onnx on N.in and writes N.out (float32).
Where the package onnx is there, it checks every file.
"""
import importlib.util
import json
import os
import sys

import numpy as np
import onnxruntime

folder = sys.argv[1]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
with open(os.path.join(folder, "shapes.json")) as file:
    shapes = json.load(file)

for i, shape in enumerate(shapes):
    path = os.path.join(folder, f"{i}.onnx")
    if importlib.util.find_spec("onnx"):
        import onnx

        onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = np.fromfile(os.path.join(folder, f"{i}.in"), np.float32).reshape(shape)
    (outputs,) = session.run(["output"], {"input": x})
    outputs.astype(np.float32).tofile(os.path.join(folder, f"{i}.out"))
