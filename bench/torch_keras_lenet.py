"""The peer of `lenet_keras` of `npm run bench`: the Keras LeNet in PyTorch on the CPU, as a person would write it.

usage: echo 2560 | python3 bench/torch_keras_lenet.py FOLDER THREADS

FOLDER holds MNIST's IDX files. For every line on standard input, how many images to train on in batches of 128, a line of JSON comes
back with the seconds that took. Images are loaded and scaled before the clock starts.
"""
import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


def read_idx(pattern):
    raw = bytearray(next(folder.rglob(pattern)).read_bytes())
    header = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4)]
    return torch.frombuffer(raw, dtype=torch.uint8, offset=header).reshape(shape)


images = read_idx("train-images*").unsqueeze(1).float() / 255
labels = read_idx("train-labels*").long()
net = nn.Sequential(
    nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
    nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)


def train(count):
    for chosen in torch.randperm(count).split(128):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()


print(json.dumps({"torch": torch.__version__, "threads": threads}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    train(int(line))
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
