"""Some training steps of a small network with branches in PyTorch, in float64, for test/interop/torch.test.ts to compare with.

usage: torch_graph_steps.py FOLDER. Reads parameters.bin (float32, in the network's order), images.bin (uint8, n x 12 x 12 x 3), labels.bin
(int32) and plan.json (batch, optimizer); writes trained.bin and, of the trained network, predicted.bin.
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

norm = lambda channels: [(channels,)] * 4
shapes = [(8, 3, 3, 3), *norm(8), (16, 1, 3, 3), *norm(16), (8, 16, 1, 1), (8,), (5, 144), (5,)]
values = read("parameters.bin", np.float32).astype(np.float64)
arrays, at = [], 0
for shape in shapes:
    size = int(np.prod(shape))
    arrays.append(torch.tensor(values[at : at + size].reshape(shape)))
    at += size
conv1, *norm1 = arrays[:5]
conv2, *norm2 = arrays[5:10]
conv3, bias3, dense, bias = arrays[10:]
moving = [*norm1[2:], *norm2[2:]]
trainable = [array.requires_grad_() for array in arrays if not any(array is other for other in moving)]

images = torch.tensor(read("images.bin", np.uint8).reshape(-1, 12, 12, 3)).double().permute(0, 3, 1, 2).div(255)
labels = torch.tensor(read("labels.bin", np.int32)).long()


def batch_norm(x, parameters, training):
    gamma, beta, mean, variance = parameters
    return F.batch_norm(x, mean, variance, gamma, beta, training=training, momentum=0.2, eps=1e-3)


def logits(x, training):
    trunk = F.relu(batch_norm(F.conv2d(x, conv1, stride=2, padding=1), norm1, training))
    x = F.relu(batch_norm(F.conv2d(trunk, conv2, padding=1, groups=8), norm2, training))
    x = trunk + F.conv2d(x, conv3, bias3)
    x = F.avg_pool2d(torch.cat([x, trunk], 1), 3, stride=2, padding=1, count_include_pad=False)
    return F.linear(x.flatten(1), dense, bias)


kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[plan["kind"]]
optimizer = kind(trainable, **plan["settings"])
for i in range(0, len(labels), plan["batch"]):
    optimizer.zero_grad()
    F.cross_entropy(logits(images[i : i + plan["batch"]], True), labels[i : i + plan["batch"]]).backward()
    optimizer.step()
save = lambda name, array: array.astype(np.float32).tofile(os.path.join(folder, name))
save("trained.bin", np.concatenate([p.detach().numpy().ravel() for p in arrays]))
save("predicted.bin", logits(images, False).detach().numpy())
