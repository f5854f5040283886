#!/bin/sh
# Compares exported encoders of every kind with PyTorch, torchvision and onnxruntime: check.sh PHOTOS [exportcheck's
# flags]. The interpreter is Debian's, which has PyTorch (make bench-peers); what it lacks is fetched into .tools, checked
# by its hashes. Where one of them is not to be had, it says so and succeeds.
set -eu
cd "$(dirname "$0")/../../.."
photos=$1
shift

say() { printf 'check-export: %s\n' "$*"; }

/usr/bin/python3 -c 'import torch, torchvision' 2>/dev/null || { say "skipped: /usr/bin/python3 has no torch and torchvision"; exit 0; }
[ -d "$photos" ] || { say "skipped: there are no photos in $photos (PHOTOS=DIR names others)"; exit 0; }
list=internal/bench/exportcheck/requirements.txt
env=.tools/check-export-$(cksum <"$list" | cut -d' ' -f1)
if [ ! -e "$env/complete" ]; then
  rm -rf .tools/check-export-*
  mkdir -p .tools
  if ! { /usr/bin/python3 -m venv --system-site-packages "$env" &&
    timeout 900 "$env/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r "$list"; } >"$env.log" 2>&1; then
    tail -n 3 "$env.log"
    say "skipped: onnxruntime cannot be installed here"
    exit 0
  fi
  touch "$env/complete"
fi
cases=$(mktemp -d)
trap 'rm -rf "$cases"' EXIT
go run ./internal/bench/exportcheck -photos "$photos" -out "$cases" "$@" >/dev/null
"$env/bin/python" internal/bench/exportcheck/check.py python/byol/encoder.py "$cases"
