"""Some training steps of LeNet-5 in PyTorch, for test/interop/torch.test.ts to compare with.

usage: torch_lenet_steps.py FOLDER. Reads parameters.bin (float32, in the network's order), images.bin (uint8, n x 28 x 28),
labels.bin (int32) and plan.json (batch, optimizer); writes trained.bin.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

folder = sys.argv[1]
read = lambda name, kind: np.fromfile(os.path.join(folder, name), kind)
with open(os.path.join(folder, "plan.json")) as file:
    plan = json.load(file)

shapes = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)]
values = read("parameters.bin", np.float32)
parameters, at = [], 0
for shape in shapes:
    size = int(np.prod(shape))
    parameters.append(torch.tensor(values[at : at + size].reshape(shape), requires_grad=True))
    at += size
w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = parameters

images = torch.tensor(read("images.bin", np.uint8).reshape(-1, 1, 28, 28)).float()
images = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False).div(255).sub(0.1307).div(0.3081)
labels = torch.tensor(read("labels.bin", np.int32)).long()


def logits(x):
    x = F.max_pool2d(F.relu(F.conv2d(x, w1, b1)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, w2, b2)), 2).flatten(1)
    return F.linear(F.relu(F.linear(F.relu(F.linear(x, w3, b3)), w4, b4)), w5, b5)


kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[plan["kind"]]
optimizer = kind(parameters, **plan["settings"])
for i in range(0, len(labels), plan["batch"]):
    optimizer.zero_grad()
    F.cross_entropy(logits(images[i : i + plan["batch"]]), labels[i : i + plan["batch"]]).backward()
    optimizer.step()
np.concatenate([p.detach().numpy().ravel() for p in parameters]).tofile(os.path.join(folder, "trained.bin"))
