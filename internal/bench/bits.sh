#!/bin/sh
# The promise of equal bits, as a table: SHA-256 of the whole state after STEPS steps, for each device, number of
# workers, and each of ISAS, which are instructions that give the same bits. Exits non-zero where two of one device
# differ. make bits builds the programs and runs it.
set -eu
bin=$PWD/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
steps=${STEPS:-10}
status=0
echo "| device | isa | workers | threads | state after $steps steps, SHA-256 |"
echo "|---|---|---|---|---|"
for device in ${DEVICES:-cpu reference}; do
  first=
  for isa in ${ISAS:-auto}; do for workers in 1 2 4 8; do
    for threads in 1 2; do
      run=$device-$isa-$workers-$threads
      "$bin/coordinator" --workers $workers --processes $workers --threads $threads --device "$device" --isa "$isa" --precision "${PRECISION:-fp32}" \
        --data synthetic:512,size=32,seed=1 --eval-data= --arch resnet20 --image-size "${SIZE:-16}" --batch-size 32 --shards 8 --epochs 4 --proj-hidden-dim 64 \
        --proj-dim 32 --pred-hidden-dim 64 --max-steps "$steps" --save-interval 0 --run-dir "$run" --quiet >"$run.log" 2>&1 ||
        { cat "$run.log"; exit 1; }
      sha=$("$bin/coordinator" checkpoints ls "$run" -o json | sed -n 's/.*"state_sha256": "\(.*\)".*/\1/p' | tail -n 1)
      echo "| $device | $isa | $workers | $threads | $sha |"
      first=${first:-$sha}
      [ "$sha" = "$first" ] || status=1
    done
  done; done
done
if [ $status = 0 ]; then echo "equal on each device"; else echo "DIFFERENT"; fi
exit $status
