"""The peer of `npm run bench`: LeNets in PyTorch on the CPU, as a person would write them.

usage: printf 'train\\nevaluate\\n' | python3 bench/torch_lenet.py FOLDER THREADS lenet5
       printf 'train 2560\\n' | python3 bench/torch_lenet.py FOLDER THREADS lenet-keras

FOLDER holds MNIST's IDX files, in train/ and test/ or side by side. For every line on standard input, `train` (one epoch), `train N`
(the first N images) or `evaluate`, a line of JSON comes back. Images are resized and scaled before the clock starts.
"""
import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

folder, threads, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
torch.manual_seed(1)


def read_idx(pattern):
    raw = bytearray(next(folder.rglob(pattern)).read_bytes())
    header = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4)]
    return torch.frombuffer(raw, dtype=torch.uint8, offset=header).reshape(shape)


def load(part):
    images = read_idx(f"{part}-images*").unsqueeze(1).float()
    if name == "lenet5":
        images = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False)
        images = (images / 255 - 0.1307) / 0.3081
    else:
        images /= 255
    return images, read_idx(f"{part}-labels*").long()


def lenet5():
    features = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, nn.Flatten(), *classifier)


def keras_lenet():
    first = [nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [nn.Linear(3136, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*first, nn.Dropout(0.25), *second, nn.Dropout(0.25), nn.Flatten(), *classifier)


train_images, train_labels = load("train")
test_images, test_labels = load("t10k")
net, batch = {"lenet5": (lenet5, 32), "lenet-keras": (keras_lenet, 128)}[name]
net = net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)


def train(count=len(train_labels)):
    net.train()
    for chosen in torch.randperm(int(count)).split(batch):
        if len(chosen) == batch:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(train_images[chosen]), train_labels[chosen])
            loss.backward()
            optimizer.step()
    return {"loss": loss.item()}


@torch.no_grad()
def evaluate():
    net.eval()
    batches = zip(test_images.split(1000), test_labels.split(1000))
    hits = sum((net(images).argmax(1) == labels).sum().item() for images, labels in batches)
    return {"accuracy": hits / len(test_labels)}


print(json.dumps({"torch": torch.__version__, "threads": threads}), flush=True)
for line in sys.stdin:
    command, *rest = line.split()
    start = time.perf_counter()
    result = {"train": train, "evaluate": evaluate}[command](*rest)
    print(json.dumps({"seconds": time.perf_counter() - start, **result}), flush=True)
