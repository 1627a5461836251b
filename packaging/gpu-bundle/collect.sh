#!/usr/bin/env bash
# collect.sh SOURCE BUILD OUTPUT: what a machine with a GPU needs to test and measure the CUDA
# backend, and nothing that it must build or download. The CUDA libraries and glibc are its own.
set -euo pipefail
source=$1 build=$2 output=$3
command -v patchelf > /dev/null || { echo "gpu-bundle needs patchelf" >&2; exit 2; }

rm -rf "$output"
mkdir -p "$output"/{bin,lib,fixtures/golden/models,tests/bench/results}
cp "$build"/{ckpt-check,libckpt_cuda.so} "$output/bin/"
cp "$build"/tests/{test_kernels_gpu,test_e2e_gpu,bench_gpu} "$output/bin/"
strip "$output"/bin/*

theirs='^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libresolv|libcuda|libcudart|libcublas|libcublasLt)\.'
for program in "$output"/bin/*; do
  ldd "$program" | awk '$3 ~ "^/" {print $3}' | while read -r library; do
    name=$(basename "$library")
    [[ $name =~ $theirs ]] || cp -nL "$library" "$output/lib/$name"
  done
  patchelf --set-rpath '$ORIGIN/../lib' "$program"
done
for library in "$output"/lib/*; do patchelf --set-rpath '$ORIGIN' "$library"; done

golden=$source/fixtures/golden
cp -r "$golden"/models/{A-causallm,M-vl-mtp}-{bf16,w4a16-autoround} "$output/fixtures/golden/models/"
cp -r "$golden"/tokens_{A,S} "$output/fixtures/golden/"
cp -r "$source"/fixtures/{kl_pair,full_scale} "$output/fixtures/"
cp "$source"/tests/bench/{measure.py,plain_transformers.py} "$output/tests/bench/"
cp "$source"/packaging/gpu-bundle/{run.sh,measure_gpu.py} "$output/"
du -sm "$output" | awk '{print "gpu-bundle: " $1 " MB in " $2}'
