"""The peer of the layers' table of `npm run bench`: one layer in PyTorch on the CPU, forward and backward with every gradient.

usage: python3 bench/torch_layers.py THREADS

For every line of JSON on standard input, {"kind": "conv", "input": [c, h, w], "out": n, "kernel": k, "stride": s, "padding": p, "groups": g}
or {"kind": "dense", "input": [n], "out": m}, with "batch" and "rounds", a line comes back: the least seconds of a round.
"""
import json
import sys
import time

import torch
from torch.nn import functional as F

threads = int(sys.argv[1])
torch.set_num_threads(threads)
torch.manual_seed(1)


def layer(task):
    x = torch.randn(task["batch"], *task["input"], requires_grad=True)
    fan_in = task["input"][0]
    if task["kind"] == "dense":
        weight = torch.randn(task["out"], fan_in, requires_grad=True)
        apply = F.linear
    else:
        groups, kernel = task["groups"], task["kernel"]
        weight = torch.randn(task["out"], fan_in // groups, kernel, kernel, requires_grad=True)
        apply = lambda x, w, b: F.conv2d(x, w, b, stride=task["stride"], padding=task["padding"], groups=groups)
    bias = torch.randn(task["out"], requires_grad=True)
    gradient = torch.randn_like(apply(x, weight, bias))

    def round():
        start = time.perf_counter()
        torch.autograd.grad(apply(x, weight, bias), (x, weight, bias), gradient)
        return time.perf_counter() - start

    return min(round() for _ in range(task["rounds"]))


print(json.dumps({"torch": torch.__version__, "threads": threads}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": layer(json.loads(line))}), flush=True)
