"""LeNets in MindSpore, asked by test/interop/mindspore.test.ts.

usage: mindspore_lenet.py FOLDER. For each network: loads NAME.ckpt, which must hold every parameter, runs it on the images of NAME.in and
writes NAME.out; then saves other parameters as NAME-theirs.ckpt, and NAME-theirs.out (all float32).
"""
import os
import sys

import mindspore as ms
import numpy as np
from mindspore import nn


class CaffeLeNet5(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5, pad_mode="valid", has_bias=True)
        self.conv2 = nn.Conv2d(20, 50, 5, pad_mode="valid", has_bias=True)
        self.ip1 = nn.Dense(800, 500)
        self.ip2 = nn.Dense(500, 10)
        self.pool, self.relu, self.flatten = nn.MaxPool2d(2, 2), nn.ReLU(), nn.Flatten()

    def construct(self, x):
        x = self.pool(self.conv2(self.pool(self.conv1(x))))
        return self.ip2(self.relu(self.ip1(self.flatten(x))))


class KerasLeNet(nn.Cell):
    def __init__(self):
        super().__init__()
        same = {"pad_mode": "same", "has_bias": True}
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 5, **same), nn.Conv2d(32, 32, 5, **same)
        self.conv3, self.conv4 = nn.Conv2d(32, 64, 3, **same), nn.Conv2d(64, 64, 3, **same)
        self.fc1, self.fc2 = nn.Dense(64 * 49, 128), nn.Dense(128, 10)
        self.pool, self.relu, self.flatten = nn.MaxPool2d(2, 2), nn.ReLU(), nn.Flatten()
        self.quarter, self.half = nn.Dropout(p=0.25), nn.Dropout(p=0.5)

    def construct(self, x):
        x = self.quarter(self.pool(self.relu(self.conv2(self.relu(self.conv1(x))))))
        x = self.quarter(self.pool(self.relu(self.conv4(self.relu(self.conv3(x))))))
        return self.fc2(self.half(self.relu(self.fc1(self.flatten(x)))))


folder = sys.argv[1]
for name, build in {"lenet5-caffe": CaffeLeNet5, "lenet-keras": KerasLeNet}.items():
    path = os.path.join(folder, name)
    net = build()
    net.set_train(False)
    missing, unknown = ms.load_param_into_net(net, ms.load_checkpoint(f"{path}.ckpt"), strict_load=True)
    assert not missing and not set(unknown) - {"epoch_num", "step_num"}, (missing, unknown)
    images = np.fromfile(f"{path}.in", np.float32).reshape(-1, 1, 28, 28)
    net(ms.Tensor(images)).asnumpy().tofile(f"{path}.out")
    random = np.random.default_rng(1)
    for parameter in net.get_parameters():
        values = 0.05 * random.standard_normal(parameter.shape)
        parameter.set_data(ms.Tensor(values.astype(np.float32)))
    ms.save_checkpoint(net, f"{path}-theirs.ckpt")
    net(ms.Tensor(images)).asnumpy().tofile(f"{path}-theirs.out")
