"""MindSpore itself, asked by test/checkpoint/mindspore-interop.test.ts.

    python mindspore_ckpt.py write FOLDER   saves momentum.ckpt, crc.ckpt and momentum.safetensors
    python mindspore_ckpt.py read FILE ...  prints, as JSON, what load_checkpoint finds in each file and how
                                            many parameters did not fit a network and its optimizer

The test's fixtures were made by `write` with MindSpore 2.10.0.
"""
import json
import sys

import mindspore as ms
import numpy as np
from mindspore import nn


class Net(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3, pad_mode="valid", has_bias=True)
        self.fc = nn.Dense(3, 2)

    def construct(self, x):
        return x


def training_cell():
    net = Net()
    return nn.TrainOneStepCell(net, nn.Momentum(net.trainable_params(), 0.01, 0.9))


def write(folder):
    cell = training_cell()
    for _, param in cell.parameters_and_names():
        if param.ndim > 0 and param.dtype == ms.float32:
            start = 100 if param.name.startswith("moments.") else 0
            values = start + np.arange(param.size, dtype=np.float32).reshape(param.shape) / 4
            param.set_data(ms.Tensor(values))
    numbers = {"epoch_num": 3, "step_num": 77}
    ms.save_checkpoint(cell, f"{folder}/momentum.ckpt", append_dict={**numbers, "note": "héllo 日本"})
    ms.save_checkpoint(cell, f"{folder}/crc.ckpt", append_dict=numbers, crc_check=True)
    ms.save_checkpoint(cell, f"{folder}/momentum.safetensors", append_dict=numbers, crc_check=True, format="safetensors")


def read(path):
    kind = "safetensors" if path.endswith(".safetensors") else "ckpt"
    found = ms.load_checkpoint(path, format=kind)
    missing, _ = ms.load_param_into_net(training_cell(), found)
    entries = {}
    for name, value in found.items():
        if isinstance(value, str):
            entries[name] = value
        else:
            array = value.asnumpy()
            entries[name] = {"type": str(value.dtype), "shape": list(array.shape), "data": array.ravel().tolist()}
    return {"entries": entries, "missing": missing}


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    print(json.dumps([read(path) for path in sys.argv[2:]]))
