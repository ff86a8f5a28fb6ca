"""The peer of `npm run bench`: LeNet-5 in PyTorch on the CPU, as a person would write it.

usage: printf 'train\\nevaluate\\n' | python3 bench/torch_lenet.py FOLDER THREADS

FOLDER holds MNIST's four IDX files, in train/ and test/ or side by side. For every line on standard input, `train`
(one epoch, batch 32) or `evaluate`, a line of JSON comes back. Images are resized and normalised before the clock starts.
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


def load(part):
    images = read_idx(f"{part}-images*").unsqueeze(1).float()
    images = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False)
    return (images / 255 - 0.1307) / 0.3081, read_idx(f"{part}-labels*").long()


train_images, train_labels = load("train")
test_images, test_labels = load("t10k")
features = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
net = nn.Sequential(*features, nn.Flatten(), *classifier)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)


def train(batch=32):
    for chosen in torch.randperm(len(train_labels)).split(batch):
        if len(chosen) == batch:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(train_images[chosen]), train_labels[chosen])
            loss.backward()
            optimizer.step()
    return {"loss": loss.item()}


@torch.no_grad()
def evaluate():
    batches = zip(test_images.split(1000), test_labels.split(1000))
    hits = sum((net(images).argmax(1) == labels).sum().item() for images, labels in batches)
    return {"accuracy": hits / len(test_labels)}


print(json.dumps({"torch": torch.__version__, "threads": threads}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    result = {"train": train, "evaluate": evaluate}[line.strip()]()
    print(json.dumps({"seconds": time.perf_counter() - start, **result}), flush=True)
