#!/bin/bash
# What surviving faults costs while nothing fails: the step of a run against the same run by a build without digests, without
# waiting for the disk of the commit log, and with a fifth of the heartbeats (tag bench_unguarded), in alternating pairs; beside them the
# bare step of the same network. Writes docs/bench/faults-cost.md.
# usage: internal/bench/faults.sh [PAIRS]     from the repository, after make bench-programs
set -euo pipefail
pairs=${1:-5}
arch=${ARCH:-resnet18} size=${SIZE:-32} batch=${BATCH:-128} steps=${STEPS:-10} threads=${THREADS:-2} workers=${WORKERS:-1}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for program in coordinator worker; do
  CGO_ENABLED=0 go build -trimpath -tags bench_unguarded -o "$dir/unguarded/$program" ./cmd/$program
done

median() { sort -g | awk '{ x[NR] = $1 } END { if (NR % 2) print x[(NR + 1) / 2]; else print (x[NR / 2] + x[NR / 2 + 1]) / 2 }'; }

bare() {
  bin/stepbench -part byol -arch "$arch" -image-size "$size" -batch "$batch" -shards 1 -threads "$threads" -warm-up 2 \
    -steps "$steps" -hidden 512 -projection 128 -json | sed -n 's/.*"step_seconds":\([0-9.e-]*\).*/\1/p'
}

# run FOLDER TIMEOUT: "seconds of the median step, processor seconds of all its processes"
run() {
  rm -rf "$dir/run"
  TIMEFORMAT='%U %S'
  { time "$1/coordinator" --quiet --workers "$workers" --processes "$workers" --shards "$workers" --threads "$threads" \
    --data "synthetic:4000,size=$size" --image-size "$size" --arch "$arch" --batch-size "$batch" --epochs 100 \
    --max-steps $((steps + 2)) --proj-hidden-dim 512 --proj-dim 128 --pred-hidden-dim 512 --run-dir "$dir/run" \
    --failure-timeout "$2" --overlap on >"$dir/out" 2>&1; } 2>"$dir/time" || { cat "$dir/out" >&2; exit 1; }
  sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p' "$dir/run/metrics.jsonl" | tail -n "$steps" | median
  awk '{ print $1 + $2 }' "$dir/time"
}

guarded() { run bin 5s; }
unguarded() { run "$dir/unguarded" 1h; }

: >"$dir/ratios"
: >"$dir/work"
{
  echo '# What surviving faults costs while nothing fails'
  echo
  echo "\`make bench-faults\`: $arch, ${size}², batch $batch, $workers worker of $threads threads and its coordinator; medians of"
  echo "$steps steps, $pairs alternating pairs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors,"
  echo "$(date +%F), load before it $(cut -d' ' -f1 /proc/loadavg)."
  echo
  echo '"Run" is a run as anybody starts it. "Unguarded" is the same run by a build without digests, whose commit log does not'
  echo 'wait for the disk, with a fifth of the heartbeats. "Bare" is forward, backward, update and average in one process: no images, no'
  echo 'coordinator; what a run has above it is mostly θ'"'"' to the coordinator and ξ'"'"' back, on the same processors here.'
  echo
  echo '| pair | bare, s | unguarded, s | run, s | run / unguarded | the same, processor time | run / bare |'
  echo '|---|---|---|---|---|---|---|'
  for i in $(seq "$pairs"); do
    if [ $((i % 2)) = 1 ]; then b=$(bare) u=$(unguarded) g=$(guarded); else g=$(guarded) u=$(unguarded) b=$(bare); fi
    # shellcheck disable=SC2086
    set -- $b $u $g
    awk -v b="$1" -v u="$2" -v g="$4" 'BEGIN { printf "%.3f\n", g / u }' >>"$dir/ratios"
    awk -v u="$3" -v g="$5" 'BEGIN { printf "%.3f\n", g / u }' >>"$dir/work"
    awk -v i="$i" -v b="$1" -v u="$2" -v uw="$3" -v g="$4" -v gw="$5" \
      'BEGIN { printf "| %d | %.4f | %.4f | %.4f | %.3f | %.3f | %.3f |\n", i, b, u, g, g / u, gw / uw, g / b }'
  done
  echo
  echo "Median of run / unguarded: **$(median <"$dir/ratios")** of time, **$(median <"$dir/work")** of processor time (asked: at most 1.03)."
} | tee "$dir/table"
cp "$dir/table" docs/bench/faults-cost.md
