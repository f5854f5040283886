#!/bin/sh
# Two workers on two plugins, through the coordinator: refused with both fingerprints, and let in with --determinism
# relaxed. `make pjrt-mixed` fetches the plugins and runs it; PLUGINS names others. Without two plugins it says so.
set -eu
bin=$PWD/bin
cache=${BYOL_PJRT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/byol/pjrt}
# shellcheck disable=SC2086
set -- ${PLUGINS:-$cache/cpu/lammps_jax_pjrt_cpu $cache/cpu/fastatomstruct_xla_cpu}
for plugin in "$1" "$2"; do
  [ -e "$plugin" ] || { echo "skipped: there is no plugin $plugin; .ci/pjrt cpu fetches two"; exit 0; }
done
dir=$(mktemp -d)
children=
trap 'kill $children 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"

# train MODE: a run of two steps with a worker on each plugin, whose exit code is left in $code.
train() {
  "$bin/coordinator" --launcher none --workers 2 --shards 2 --listen 127.0.0.1:0 --device pjrt --determinism "$1" \
    --data synthetic:64,size=16,seed=1 --eval-data= --arch resnet20 --image-size 8 --batch-size 4 --epochs 4 \
    --proj-hidden-dim 16 --proj-dim 8 --pred-hidden-dim 16 --max-steps 2 --save-interval 0 --run-dir "$1" >"$1.out" 2>&1 &
  leader=$!
  children="$children $leader"
  until [ -s "$1/coordinator.json" ]; do
    kill -0 $leader 2>/dev/null || { cat "$1.out"; exit 1; }
    sleep 0.2
  done
  address=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$1/coordinator.json")
  for plugin in "$PLUGIN_A" "$PLUGIN_B"; do
    timeout 1800 "$bin/worker" --coordinator "$address" --pjrt-plugin "$plugin" --threads 1 >>"$1.workers" 2>&1 &
    children="$children $!"
  done
  code=0
  wait $leader || code=$?
}
PLUGIN_A=$1 PLUGIN_B=$2

train strict
echo "strict: exit $code"
grep -m 3 -E 'error:|why:|try:' strict.out || { cat strict.out strict.workers; exit 1; }
[ $code != 0 ] || { echo "two plugins trained together"; exit 1; }
grep -q 'API 0\.' strict.out || { echo "no fingerprint is named"; exit 1; }

# Let in, they train as long as their bits agree: digests are compared in every step all the same.
train relaxed
echo "relaxed: exit $code"
if [ $code = 0 ]; then
  tail -n 4 relaxed.out
elif ! grep -m 1 'do not agree in' relaxed.out; then
  cat relaxed.out relaxed.workers
  exit 1
fi
