#!/bin/sh
# What surviving faults costs while nothing fails: the step of a run (one worker and its coordinator: digests, commit to a
# log that is synced to disk, the target over a socket and back, heartbeats, images) against the bare step of the same
# network in the same binary's kernels, in alternating pairs. Writes docs/bench/faults-cost.md.
# usage: internal/bench/faults.sh [PAIRS]     from the repository, after make bench-programs
set -eu
pairs=${1:-5}
arch=${ARCH:-resnet18} size=${SIZE:-32} batch=${BATCH:-128} steps=${STEPS:-10} threads=${THREADS:-2}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

median() { sort -g | awk '{ x[NR] = $1 } END { if (NR % 2) print x[(NR + 1) / 2]; else print (x[NR / 2] + x[NR / 2 + 1]) / 2 }'; }

bare() {
  bin/stepbench -part byol -arch "$arch" -image-size "$size" -batch "$batch" -shards 1 -threads "$threads" -warm-up 2 \
    -steps "$steps" -hidden 512 -projection 128 -json | sed -n 's/.*"step_seconds":\([0-9.e-]*\).*/\1/p'
}

whole() {
  rm -rf "$dir/run"
  bin/coordinator --quiet --workers 1 --shards 1 --threads "$threads" --data "synthetic:4000,size=$size" --image-size "$size" \
    --arch "$arch" --batch-size "$batch" --epochs 100 --max-steps $((steps + 2)) --proj-hidden-dim 512 --proj-dim 128 \
    --pred-hidden-dim 512 --run-dir "$dir/run" --overlap on >"$dir/out" 2>&1 || { cat "$dir/out" >&2; exit 1; }
  sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p' "$dir/run/metrics.jsonl" | tail -n "$steps" | median
}

: >"$dir/ratios"
out=docs/bench/faults-cost.md
{
  echo '# What surviving faults costs while nothing fails'
  echo
  echo "\`make bench-faults\`: $arch, ${size}², batch $batch, $threads threads, one worker; medians of $steps steps, $pairs alternating"
  echo "pairs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(date +%F)."
  echo
  echo '"Bare" is forward, backward, update and average in one process. "Run" is the same with a coordinator: loading images,'
  echo 'digests of everything, the commit in a raft log that is synced to disk, θ'"'"' to the coordinator and ξ'"'"' back, heartbeats.'
  echo
  echo '| pair | bare, s | run, s | ratio |'
  echo '|---|---|---|---|'
  for i in $(seq "$pairs"); do
    if [ $((i % 2)) = 1 ]; then b=$(bare); r=$(whole); else r=$(whole); b=$(bare); fi
    ratio=$(echo "$b $r" | awk '{ printf "%.3f", $2 / $1 }')
    echo "$ratio" >>"$dir/ratios"
    echo "$b $r $ratio" | awk -v i="$i" '{ printf "| %d | %.4f | %.4f | %s |\n", i, $1, $2, $3 }'
  done
  echo
  echo "Median ratio: **$(median <"$dir/ratios")** (asked: at most 1.03)."
} | tee "$dir/table"
cp "$dir/table" "$out"
