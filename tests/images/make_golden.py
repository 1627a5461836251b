#!/usr/bin/env python3
"""Makes golden.json: what Pillow decodes and what the image processor of transformers computes.

  make_golden.py > golden.json      Pillow 13.0, torch 2.15, torchvision 0.29, transformers 5.23

Pictures are made from a formula, so nothing but numbers is kept; long rows as their FNV-1a hash.
"""

import io
import json
import struct

import numpy as np
import torch
from PIL import Image, ImageOps
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor, smart_resize
from torchvision.transforms.v2 import functional as tv


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 50 + (x * y) % 31 * 5) % 256).astype(np.uint8)


def resizes():
    for w, h, to_w, to_h in [(37, 23, 64, 32), (37, 23, 32, 32), (100, 75, 32, 64), (640, 48, 96, 48),
                             (33, 200, 33, 160), (8, 8, 128, 8), (5, 3, 64, 64), (500, 333, 32, 32)]:
        image = torch.from_numpy(picture(w, h)).permute(2, 0, 1).unsqueeze(0)
        out = tv.resize(image, [to_h, to_w], interpolation=tv.InterpolationMode.BICUBIC, antialias=True)
        rgb = out[0].permute(1, 2, 0).contiguous().numpy()
        yield {"from": [w, h], "to": [to_w, to_h], "fnv": fnv(rgb.tobytes())}


def sizes():
    for h, w, factor, low, high in [(23, 37, 32, 4096, 1048576), (1, 1, 32, 4096, 1048576), (16, 48, 32, 1, 1048576),
                                    (2000, 3000, 32, 4096, 1048576), (100, 20000, 28, 3136, 1003520),
                                    (80, 80, 32, 4096, 5000), (48, 80, 32, 1024, 1 << 24), (7, 1400, 8, 64, 65536)]:
        yield {"size": [h, w], "factor": factor, "bounds": [low, high], "to": list(smart_resize(h, w, factor, low, high))}


def processed():
    clip = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
    half = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    for w, h, patch, low, high, norm in [(37, 23, 4, 64, 65536, half), (61, 40, 4, 64, 1024, clip), (300, 200, 16, 4096, 1048576, half)]:
        p = Qwen2VLImageProcessor(patch_size=patch, merge_size=2, size={"shortest_edge": low, "longest_edge": high}, **norm)
        out = p(images=[Image.fromarray(picture(w, h))], return_tensors="pt")
        v = out["pixel_values"].float().numpy()
        yield {"from": [w, h], "patch": patch, "bounds": [low, high], "mean": norm["image_mean"], "std": norm["image_std"],
               "grid": out["image_grid_thw"][0].tolist(), "shape": list(v.shape), "first": v[0, :3].tolist(),
               "fnv": fnv(v.astype("<f4").tobytes())}


def file_of(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded():
    rgb = Image.fromarray(picture(17, 9))
    grey = Image.fromarray(picture(17, 9)[:, :, 0])
    alpha = np.concatenate([picture(6, 5), picture(6, 5)[:, :, :1]], axis=2)
    files = {"rgb.png": file_of(rgb, "PNG"), "grey.png": file_of(grey, "PNG"),
             "bits1.png": file_of(grey.convert("1"), "PNG"), "palette.png": file_of(rgb.quantize(8), "PNG"),
             "alpha.png": file_of(Image.fromarray(alpha), "PNG"),
             "grey_alpha.png": file_of(Image.fromarray(alpha).convert("LA"), "PNG"),
             "rgb.jpg": file_of(rgb, "JPEG", quality=80), "full.jpg": file_of(rgb, "JPEG", quality=95, subsampling=0),
             "progressive.jpg": file_of(rgb, "JPEG", quality=60, progressive=True), "grey.jpg": file_of(grey, "JPEG")}
    for i in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = i
        files[f"turned{i}.jpg"] = file_of(Image.fromarray(picture(5, 3)), "JPEG", exif=exif, quality=75)
    exif = Image.Exif()
    exif[0x0112] = 6
    files["turned6.png"] = file_of(Image.fromarray(picture(5, 3)), "PNG", exif=exif)
    for name, data in files.items():
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        yield {"name": name, "hex": data.hex(), "size": list(image.size), "fnv": fnv(image.tobytes())}


golden = {"resize": list(resizes()), "smart_resize": list(sizes()), "processed": list(processed()), "decoded": list(decoded())}
print("{" + ",\n".join(f'"{k}": [\n' + ",\n".join(json.dumps(v) for v in vs) + "]" for k, vs in golden.items()) + "}")
