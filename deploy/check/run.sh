#!/bin/sh
# make deploy-check, make deploy-drill: runs check.py with the programs as two images. Arguments are scenes of it. For the first
# it builds what is missing of Kubernetes into the user's cache; with KUBERNETES=no small.py stands in for that. KUBE_CRDS is a
# folder of definitions of others' kinds, KUBE_KEEP=yes keeps the logs of what went well, STEPS is how long the runs are.
set -eu
cd "$(dirname "$0")/../.."
say() { printf 'deploy-check: %s\n' "$*"; }

[ "$(id -u)" = 0 ] || { say "skipped: pods in namespaces of their own want root"; exit 0; }
for p in ip unshare setpriv chroot python3 openssl kubectl; do
  command -v $p >/dev/null || { say "skipped: there is no $p on the PATH"; exit 0; }
done

cache=${XDG_CACHE_HOME:-$HOME/.cache}/byol/kube
version=$(cksum <deploy/check/kubernetes.mod | cut -d' ' -f1)
mkdir -p "$cache"
build() {
  [ ! -x "$cache/$1-$version" ] || return 0
  say "building $1, once: this takes a while"
  CGO_ENABLED=0 nice go build -p "${KUBE_JOBS:-1}" -modfile=deploy/check/kubernetes.mod -ldflags "-s -w" -o "$cache/$1.new" "$2"
  rm -f "$cache/$1"-*
  mv "$cache/$1.new" "$cache/$1-$version"
}
if [ "${KUBERNETES:-yes}" = yes ]; then
  build etcd go.etcd.io/etcd/server/v3
  build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
  build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
elif ! python3 -c 'import yaml' 2>/dev/null; then
  say "skipped: Python has no yaml (apt-get install python3-yaml)"
  exit 0
fi

work=$(mktemp -d)
chmod 755 "$work"
mkdir -p "$work/images" "$work/kubernetes"
if [ "${KUBERNETES:-yes}" = yes ]; then
  for p in etcd kube-apiserver kube-controller-manager; do ln -s "$cache/$p-$version" "$work/kubernetes/$p"; done
  set -- --kubernetes "$work/kubernetes" "$@"
fi
for v in v1 v2; do
  for p in coordinator worker; do
    CGO_ENABLED=0 go build -tags release -trimpath -ldflags "-s -w -X main.version=check-$v" -o "$work/images/$p-$v" "./cmd/$p"
  done
done
code=0
python3 deploy/check/check.py --work "$work" ${KUBE_CRDS:+--crds "$KUBE_CRDS"} "$@" || code=$?
if [ "$code" = 0 ] && [ "${KUBE_KEEP:-no}" != yes ]; then rm -rf "$work"; else say "logs are in $work"; fi
exit $code
