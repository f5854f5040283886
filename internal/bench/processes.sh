#!/bin/bash
# What it is worth that several workers share a process where there are fewer cores: runs of WORKERS workers with a process each and
# with as many as the coordinator chooses, in alternating pairs; of each the median step, and the share of the time in which the
# threads of its processes were ready to run and had no core. Both must end with the same state. Prints a table, for docs/bench.
# usage: internal/bench/processes.sh [PAIRS]     from the repository, after make build; WORKERS, STEPS, FLAGS from the environment
set -euo pipefail
pairs=${1:-5} workers=${WORKERS:-8} steps=${STEPS:-40}
flags=${FLAGS:---config demo}
bin=$PWD/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

quantile() { sort -g | awk -v q="$1" '{ x[NR] = $1 } END { h = 1 + (NR - 1) * q; i = int(h); print i == NR ? x[i] : x[i] + (h - i) * (x[i + 1] - x[i]) }'; }

# times PID: nanoseconds that the threads of a process have computed, and that they have waited for a core
times() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ on += $1; wait += $2 } END { printf "%.0f %.0f\n", on, wait }'; }

# run NAME FLAG...: "images/s, % of the time that was waited for a core, processes"; the state's digest goes to NAME.sha
run() {
  name=$1; shift
  rm -rf run "$name.wait"
  # shellcheck disable=SC2086
  "$bin/coordinator" $flags --workers "$workers" --shards "$workers" --eval-data= --max-steps "$steps" --save-interval 0 --overlap off \
    --log-format console --quiet --run-dir run "$@" >"$name.log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do # the last look before it ends counts
    all=$(cat /proc/"$pid"/task/*/children 2>/dev/null || true)
    seen=$(for p in $all; do times "$p"; done | awk '{ on += $1; wait += $2; n++ } END { if (on > 0) printf "%.1f %d\n", 100 * wait / (on + wait), n }')
    case "$seen" in ?*) echo "$seen" >>"$name.wait" ;; esac
    sleep 0.3
  done
  wait "$pid" || { cat "$name.log" >&2; exit 1; }
  "$bin/coordinator" checkpoints ls run -o json | sed -n 's/.*"state_sha256": "\(.*\)".*/\1/p' | tail -n 1 >"$name.sha"
  batch=$(sed -n 's/^batch-size: *//p' run/config.yaml | tr -d '"')
  step=$(sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p' run/metrics.jsonl | tail -n +4 | quantile 0.5)
  most=$(awk '{ if ($2 > n) n = $2 } END { print n }' "$name.wait")
  awk -v most="$most" -v b="$batch" -v s="$step" '$2 == most { w = $1 } END { printf "%.1f %.1f %d\n", b / s, w, most }' "$name.wait"
}

echo "\`make bench-processes\`: $workers workers, \`$flags\`, medians of $steps steps without the first three, $pairs alternating pairs,"
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(date +%F), load before it $(cut -d' ' -f1 /proc/loadavg)."
echo
echo "| pair | a process each, images/s | of its time it waits for a core, % | as chosen, images/s | it waits, % | processes | gain, % |"
echo "|---|---|---|---|---|---|---|"
for i in $(seq "$pairs"); do
  if [ $((i % 2)) = 1 ]; then
    each=$(run each --processes "$workers"); few=$(run few)
  else
    few=$(run few); each=$(run each --processes "$workers")
  fi
  cmp -s each.sha few.sha && [ -s each.sha ] || { echo "different states: $(cat each.sha) and $(cat few.sha)"; exit 1; }
  # shellcheck disable=SC2086
  set -- $each $few
  echo "$1" >>each.speed; echo "$2" >>each.waits; echo "$4" >>few.speed; echo "$5" >>few.waits
  gain=$(awk -v a="$1" -v b="$4" 'BEGIN { printf "%.1f", 100 * (b / a - 1) }')
  echo "$gain" >>gains
  echo "| $i | $1 | $2 | $4 | $5 | $6 | $gain |"
done
spread() { echo "$(quantile 0.5 <"$1") ($(quantile 0 <"$1") to $(quantile 1 <"$1"))"; }
echo "| median (spread) | $(spread each.speed) | $(spread each.waits) | $(spread few.speed) | $(spread few.waits) | | $(spread gains) |"
echo
echo "Both end with the same state: $(cut -c 1-16 each.sha)…"
