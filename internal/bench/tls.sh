#!/bin/sh
# What encryption costs on a whole step: the same run without and with TLS, in turn, PAIRS times, by two workers that sum
# over sockets (each has a host name of its own, which needs root) and by two that share memory.
#
#   tls.sh [PAIRS]          STEPS and FLAGS (of the coordinator) change the run
set -eu

pairs=${1:-3}
steps=${STEPS:-40}
flags=${FLAGS:---arch resnet20 --image-size 24 --data synthetic:512,size=32,seed=1 --batch-size 64 --shards 2 --proj-hidden-dim 256 --pred-hidden-dim 256 --warmup-epochs 0 --epochs 30}
bin=$PWD/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
"$bin/coordinator" certs token >token

# run WAY KEYS: images in a second, and the digest of the state.
run() {
  rm -rf run
  # shellcheck disable=SC2086
  "$bin/coordinator" $flags --workers 2 --max-steps "$steps" --save-interval 0 --launcher none --listen 127.0.0.1:0 --run-dir run \
    $2 >log 2>&1 &
  coordinator=$!
  tries=0
  while [ ! -s run/coordinator.json ]; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { cat log >&2; exit 1; }
    sleep 0.1
  done
  at=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' run/coordinator.json)
  for i in 0 1; do
    start="exec $bin/worker --coordinator $at --index $i --threads 1 $2"
    if [ "$1" = sockets ]; then
      unshare -u sh -c "hostname rank$i; $start" >"worker$i" 2>&1 &
    else
      sh -c "$start" >"worker$i" 2>&1 &
    fi
  done
  wait "$coordinator" || { cat log worker0 worker1 >&2; exit 1; }
  wait
  speed=$(sed -n 's/^ *speed *\([0-9.]*\) images.*/\1/p' log)
  digest=$(sed -n 's/^ *sha256 *\([0-9a-f]*\).*/\1/p' log)
}

ways=memory
if unshare -u true 2>/dev/null; then ways="sockets memory"; fi
echo "| way | plain, images/s | TLS, images/s | TLS takes | same bits |"
echo "|---|---|---|---|---|"
for way in $ways; do
  pair=0
  while [ "$pair" -lt "$pairs" ]; do
    run "$way" ""
    plain=$speed
    bits=$digest
    run "$way" "--token-file $dir/token"
    same=no
    [ "$bits" = "$digest" ] && [ -n "$bits" ] && same=yes
    echo "| $way | $plain | $speed | $(awk "BEGIN { printf \"%+.1f %%\", 100 * ($plain / $speed - 1) }") | $same |"
    pair=$((pair + 1))
  done
done
