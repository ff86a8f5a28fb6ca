"""The peer of `npm run bench:parallel`: LeNet-5 in PyTorch's DistributedDataParallel over gloo, one thread a rank.

usage: python3 bench/torch_ddp.py FOLDER RANKS

FOLDER holds MNIST's IDX files. Prints a line of JSON: images/s of all ranks in batches of 64 each, and the microseconds of an
all_reduce of 61 706 floats, both medians on rank 0.
"""
import json
import os
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

BATCH, STEPS, ROUNDS = 64, 60, 5


def read_idx(folder, pattern):
    raw = bytearray(next(folder.rglob(pattern)).read_bytes())
    header = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4)]
    return torch.frombuffer(raw, dtype=torch.uint8, offset=header).reshape(shape)


def lenet5():
    features = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, nn.Flatten(), *classifier)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def work(rank, folder, ranks, port):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    # What is measured is training, not reading: as many images as the rounds need.
    count = BATCH * STEPS * ranks
    images = read_idx(folder, "train-images*")[:count].unsqueeze(1).float()
    images = (F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False) / 255 - 0.1307) / 0.3081
    labels = read_idx(folder, "train-labels*")[:count].long()
    net = lenet5()
    net = DistributedDataParallel(net) if ranks > 1 else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def train():
        for chosen in torch.randperm(count)[rank::ranks].split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
            optimizer.step()

    train()
    seconds = statistics.median(timed(train) for _ in range(ROUNDS))
    values = torch.zeros(61706)
    reduces = statistics.median([timed(lambda: dist.all_reduce(values)) for _ in range(500)])
    if rank == 0:
        figures = {"torch": torch.__version__, "imagesPerSecond": count / seconds, "microseconds": 1e6 * reduces}
        print(json.dumps(figures), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    folder, ranks = Path(sys.argv[1]), int(sys.argv[2])
    mp.spawn(work, args=(folder, ranks, 29000 + os.getpid() % 1000), nprocs=ranks)
