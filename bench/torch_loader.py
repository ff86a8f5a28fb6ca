"""The peer of `imagenet_loader` of `npm run bench`: torchvision's ImageFolder and PyTorch's DataLoader, as ImageNet is read with them.

usage: echo read | python3 bench/torch_loader.py FOLDER WORKERS BATCH

For every line on standard input, one pass over FOLDER, shuffled, a line of JSON comes back with the seconds that took. As ours,
images stay bytes: normalising them is not part of it. The workers live on from pass to pass, and have been started before the first.
"""
import json
import sys
import time

import torch
from torchvision import datasets, transforms

folder, workers, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
steps = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
photos = datasets.ImageFolder(folder, transforms.Compose(steps))
loader = torch.utils.data.DataLoader(
    photos, batch_size=batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True
)


def read():
    return sum(len(labels) for _, labels in loader)


read()
print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    images = read()
    print(json.dumps({"seconds": time.perf_counter() - start, "images": images}), flush=True)
