#!/usr/bin/env python3
"""A repo on the hub as huggingface_hub reads it, and as the program does."""

import json
import os
import shutil
import sys
from pathlib import Path

import common

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "repo"))

import hub_test  # noqa: E402


def the_hubs_own_library_reads_the_same(program):
    folder = program.args.output / "model"
    shutil.rmtree(folder, ignore_errors=True)
    models = program.args.fixtures / "golden" / "models"
    shutil.copytree(models / "A-causallm-w4a16-autoround", folder)
    world = hub_test.World(folder)
    os.environ.update(HF_ENDPOINT=world.address(world.hub), HF_TOKEN=hub_test.SECRET,
                      XDG_CACHE_HOME=str(program.args.output / "cache"))
    shutil.rmtree(program.args.output / "cache", ignore_errors=True)
    import huggingface_hub

    api = huggingface_hub.HfApi(endpoint=os.environ["HF_ENDPOINT"], token=hub_test.SECRET)
    theirs = api.get_safetensors_metadata(hub_test.ID, revision=hub_test.COMMIT)
    files = api.list_repo_tree(hub_test.ID, revision=hub_test.COMMIT, recursive=True)
    sizes = {f.path: f.size for f in files if hasattr(f, "size")}
    target = f"hf://{hub_test.ID}"
    listed = json.loads(program.run("inspect", target, "*", "--json", "--show", "all"))
    ours = {t["name"]: (t["dtype"], t["shape"]) for t in listed}
    assert len(ours) > 1000 and ours == {
        name: (tensor.dtype, list(tensor.shape))
        for file in theirs.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    checked = json.loads(program.run("check", target, "--json", "--config", "none"))["target"]
    assert {f["path"]: f["bytes"] for f in checked["files"]} == sizes
    assert not [s for s in world.seen if s[0] == "storage" and s[2]], "the storage saw the token"


if __name__ == "__main__":
    common.main(common.arguments(), [the_hubs_own_library_reads_the_same])
