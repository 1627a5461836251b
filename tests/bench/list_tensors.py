"""What Python needs to know what a repo holds: every name, shape and dtype, and the index."""

import json
import sys
from pathlib import Path

from safetensors import safe_open

folder = Path(sys.argv[1])
index = json.loads((folder / "model.safetensors.index.json").read_text())
tensors = {}
for shard in sorted(set(index["weight_map"].values())):
    with safe_open(folder / shard, framework="np") as file:
        for name in file.keys():
            part = file.get_slice(name)
            tensors[name] = (part.get_dtype(), part.get_shape())
assert tensors.keys() == index["weight_map"].keys()
print(len(tensors))
