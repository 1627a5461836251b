"""The short script that one would write without this project: mean KL of two models in memory.

  plain_transformers.py --reference DIR --candidate DIR --token-ids FILE.npy [--dtype bfloat16]
                        [--device cuda]

Both models are built by transformers and held whole; the candidate's AutoRound tensors are decoded
to the compute type first, so that no quantization kernel is needed. One sequence at a time, logits
in the compute type, softmax and sums in F32. Prints one JSON line.
"""

import argparse
import json
import re
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM


def unpack(words, along):
    """int32 words -> their eight 4-bit codes, `along` the axis that was packed."""
    shifts = (4 * torch.arange(8)).view((8,) + (1,) * (1 - along))
    codes = (words.unsqueeze(along + 1) >> shifts) & 15
    shape = list(words.shape)
    shape[along] *= 8
    return codes.reshape(shape)


def decode(qweight, qzeros, scales, dtype):
    """-> [N, K]; zeros are stored minus one."""
    codes, zeros = unpack(qweight, 0), unpack(qzeros, 1) + 1
    groups = scales.shape[0]
    codes = codes.view(groups, -1, codes.shape[1]) - zeros.unsqueeze(1)
    weight = codes.float() * scales.float().unsqueeze(1)
    return weight.view(-1, weight.shape[2]).t().to(dtype)


def decoded_state(folder, dtype):
    """The candidate's tensors as plain weights, experts stacked as the model class wants them."""
    state, experts = {}, {}
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        for name in file.keys():
            if name.endswith((".qzeros", ".scales")):
                continue
            if not name.endswith(".qweight"):
                state[name] = file.get_tensor(name).to(dtype)
                continue
            module = name.removesuffix(".qweight")
            parts = (file.get_tensor(f"{module}.{p}") for p in ("qweight", "qzeros", "scales"))
            weight = decode(*parts, dtype)
            expert = re.fullmatch(r"(.*\.experts)\.(\d+)\.(\w+)_proj", module)
            if expert:
                experts.setdefault(expert[1], {})[expert[3], int(expert[2])] = weight
            else:
                state[f"{module}.weight"] = weight
    for name, parts in experts.items():
        count = 1 + max(e for _, e in parts)
        gate_up = [torch.cat([parts["gate", e], parts["up", e]]) for e in range(count)]
        state[f"{name}.gate_up_proj"] = torch.stack(gate_up)
        state[f"{name}.down_proj"] = torch.stack([parts["down", e] for e in range(count)])
        parts.clear()
    return state


def candidate_model(reference, folder, dtype):
    config = AutoConfig.from_pretrained(reference)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(decoded_state(folder, dtype), assign=True, strict=True)
    # Rotary frequencies are computed, not stored.
    for module in model.modules():
        if hasattr(module, "inv_freq"):
            fresh = type(module)(config)
            module.inv_freq, module.original_inv_freq = fresh.inv_freq, fresh.original_inv_freq
    return model.eval()


def kl_of(reference, candidate, ids):
    """KL(reference || candidate) at every position of one sequence."""
    log_p = F.log_softmax(reference(ids).logits[0].float(), dim=-1)
    log_q = F.log_softmax(candidate(ids).logits[0].float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", required=True, type=Path)
    parser.add_argument("--candidate", required=True, type=Path)
    parser.add_argument("--token-ids", required=True, type=Path)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    dtype = getattr(torch, args.dtype)
    start = time.monotonic()
    reference = AutoModelForCausalLM.from_pretrained(args.reference, dtype=dtype).eval()
    candidate = candidate_model(args.reference, args.candidate, dtype)
    reference, candidate = reference.to(args.device), candidate.to(args.device)
    loaded = time.monotonic()
    ids = torch.from_numpy(np.load(args.token_ids)).long().to(args.device)
    with torch.inference_mode():
        kl = torch.cat([kl_of(reference, candidate, sequence[None]) for sequence in ids]).double()
    result = {
        "mean_kl": kl.mean().item(),
        "positions": kl.numel(),
        "load_s": round(loaded - start, 2),
        "compute_s": round(time.monotonic() - loaded, 2),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
