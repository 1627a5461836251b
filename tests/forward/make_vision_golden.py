#!/usr/bin/env python3
"""Makes vision_golden.json: text and images through transformers in f32, eager attention; the tower in BF16 too.

  make_vision_golden.py ../../fixtures/golden/models/M-vl-mtp-bf16 > vision_golden.json
  transformers 5.23, torch 2.15, torchvision 0.29

The pictures are those of tests/images/make_golden.py. The candidate is the same checkpoint with every
element of one bias of the tower (CHANGED) set to 0.5.
"""

import json
import sys

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

CHANGED = "model.visual.blocks.0.mlp.linear_fc1.bias"
SIZES = [(37, 23), (30, 44)]


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 7 + y * 13 + c * 50 + (x * y) % 31 * 5) % 256).astype(np.uint8))


folder = sys.argv[1]
torch.manual_seed(0)
model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
model.eval()
processor = Qwen2VLImageProcessor.from_pretrained(folder)
config = model.config
out = processor(images=[picture(*s) for s in SIZES], return_tensors="pt")
grids = out["image_grid_thw"]
ids, types = [], []


def text(*some):
    ids.extend(some)
    types.extend([0] * len(some))


text(5, 6, 7, 8)
for grid in grids:
    text(config.vision_start_token_id)
    count = int(grid.prod()) // 4
    ids.extend([config.image_token_id] * count)
    types.extend([1] * count)
    text(config.vision_end_token_id, 11, 12, 13)
text(20, 21, 22, 23, 24)
inputs = dict(input_ids=torch.tensor([ids]), mm_token_type_ids=torch.tensor([types], dtype=torch.int32),
              pixel_values=out["pixel_values"], image_grid_thw=grids)


def run():
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits[0].double()
        rows = model.model.get_image_features(out["pixel_values"], grids).pooler_output
    return logits, torch.cat(list(rows))


reference, rows = run()
half = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
with torch.no_grad():
    half_rows = torch.cat(list(half.model.get_image_features(out["pixel_values"], grids).pooler_output)).float()
places, _ = model.model.get_rope_index(inputs["input_ids"], inputs["mm_token_type_ids"], image_grid_thw=grids)
parameter = dict(model.named_parameters())[CHANGED]
with torch.no_grad():
    parameter.fill_(0.5)
candidate, changed_rows = run()
p, q = reference.log_softmax(-1), candidate.log_softmax(-1)
kl = (p.exp() * (p - q)).sum(-1)

print("{" + ",\n".join([
    f'"sizes": {SIZES}'.replace("(", "[").replace(")", "]"),
    f'"grids": {grids[:, 1:].tolist()}', f'"ids": {ids}', f'"changed": "{CHANGED}"',
    f'"places": {places[:, 0].tolist()}',
    '"rows": ' + json.dumps([[float(f"{v:.9g}") for v in r[:8]] for r in rows.tolist()]),
    '"rows_bf16": ' + json.dumps([r[:8] for r in half_rows.tolist()]),
    '"rows_l2": ' + json.dumps(rows.double().norm(dim=-1).tolist()),
    '"changed_rows_l2": ' + json.dumps(changed_rows.double().norm(dim=-1).tolist()),
    '"logits": ' + json.dumps({str(i): [float(f"{v:.9g}") for v in reference[i].tolist()] for i in (3, 12, 20, len(ids) - 1)}),
    '"logsumexp": ' + json.dumps(reference.logsumexp(-1).tolist()),
    '"kl": ' + json.dumps(kl.tolist())]) + "}")
