#!/bin/sh
# The check of an accelerator, docs/gpu.md: `make gpu-check`. It prints a table line by line, within nine minutes, and
# writes docs/bench/gpu.md where there is a GPU. DEVICE says which accelerator, auto the best there is; DEVICE=pjrt is a dry
# run on a plugin for processors. Arguments go to `bench gpu`.
#
# Programs are built where Go can do so; else they come from build/gpu-check.tgz, which `make gpu-check-pack` writes on
# another machine, with CIFAR-10 beside them. Nothing is downloaded but the plugin of a dry run.
set -eu
cd "$(dirname "$0")/../.."
device=${DEVICE:-auto}
pack=build/gpu-check.tgz

say() { printf 'gpu-check: %s\n' "$*" >&2; }

# With a pack beside it, a build that would have to download is given up.
build() {
  command -v go >/dev/null && command -v make >/dev/null || return 1
  if [ -e "$pack" ]; then GOPROXY=off make -s bench-programs 2>/dev/null; else make -s bench-programs; fi
}

if build; then
  set -- -bin bin "$@"
elif [ -e "$pack" ]; then
  mkdir -p build/gpu-check
  tar -xzf "$pack" -C build/gpu-check
  set -- -bin build/gpu-check/bin -data build/gpu-check/cifar10 "$@"
else
  say "there is neither Go to build with nor $pack: make gpu-check-pack, on a machine with Go, writes it"
  exit 2
fi

case $device in
pjrt | pjrt:*)
  if [ "$device" = pjrt ] && [ -z "${BYOL_PJRT_PLUGIN:-}" ]; then
    .ci/pjrt cpu
    BYOL_PJRT_PLUGIN=${BYOL_PJRT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/byol/pjrt}/cpu/lammps_jax_pjrt_cpu
    export BYOL_PJRT_PLUGIN
  fi
  ;;
*)
  # CUDA's compiler is found in the usual place, or beside the plugin; its libraries beside the plugin of python3.
  if [ -z "${XLA_FLAGS:-}" ] && [ -d /usr/local/cuda ]; then
    export XLA_FLAGS=--xla_gpu_cuda_data_dir=/usr/local/cuda
  fi
  plugin=$(python3 -c 'import jax_plugins.xla_cuda13 as p; print(list(p.__path__)[0])' 2>/dev/null || true)
  for lib in ${plugin:+"${plugin%/*/*}"/nvidia/*/lib}; do
    if [ -d "$lib" ]; then export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; fi
  done
  ;;
esac
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"
bin=$2
exec "$bin/bench" gpu -device "$device" "$@"
