"""The peer of `candidates_…` of `npm run bench:prune`: candidates for LeNet-300-100's rates, scored in PyTorch on the CPU.

usage: echo 100 | python3 bench/torch_candidates.py THREADS RATIO

For every line on standard input, a number of candidates, a line of JSON comes back with the seconds that took. A candidate is a mask by the
magnitudes of each layer, weights and biases, that keeps about one of RATIO parameters; then 1000 images go through the network, hits and the
loss are counted, and what is kept of each layer. Tensors are dense, as a person would write it; which numbers they hold makes no difference.
"""
import json
import sys
import time

import torch
from torch.nn import functional as F

threads, ratio = int(sys.argv[1]), float(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)

images, labels = torch.rand(1000, 784), torch.randint(10, (1000,))
layers = [(0.05 * torch.randn(out, into), 0.05 * torch.randn(out)) for into, out in [(784, 300), (300, 100), (100, 10)]]
thresholds = [weight.abs().flatten().kthvalue(max(1, int(weight.numel() * (1 - 1 / ratio)))).values for weight, _ in layers]
if ratio <= 1:
    thresholds = [torch.tensor(0.0) for _ in layers]


@torch.no_grad()
def score(scale):
    x, kept = images, []
    for (weight, bias), threshold in zip(layers, thresholds):
        masks = weight.abs() > scale * threshold, bias.abs() > scale * threshold
        kept.append(sum(mask.sum().item() for mask in masks))
        x = F.linear(x, weight * masks[0], bias * masks[1])
        if weight is not layers[-1][0]:
            x = x.relu()
    return (x.argmax(1) == labels).sum().item(), F.cross_entropy(x, labels).item(), kept


score(1)
print(json.dumps({"torch": torch.__version__, "threads": threads}), flush=True)
for line in sys.stdin:
    scales = (0.99 + 0.02 * torch.rand(int(line))).tolist()
    start = time.perf_counter()
    for scale in scales:
        score(scale)
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
