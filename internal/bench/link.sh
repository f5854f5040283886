#!/bin/sh
# Runs a program once per rank, each in a network namespace of its own, joined by a switch whose lines carry 1 Gbit/s.
#
#   link.sh check              says why this machine cannot, if it cannot
#   link.sh RANKS PROGRAM ARG...
#
# @rank@ and @peers@ (host:port of each rank) in the arguments are filled in, and torchrun's variables are set. What rank 0
# prints is printed. Needs root, iproute2 and util-linux. The namespaces have no names: they go when the processes in
# them do, whatever ends this script, and none of them outlives LIMIT seconds.
set -eu

LIMIT=${LINK_LIMIT:-120}

fail() { printf 'link: %s\n' "$*" >&2; exit 1; }

if [ "${1:-}" = check ]; then
  for program in ip tc unshare nsenter; do
    command -v $program >/dev/null || { echo "$program isn't installed"; exit 1; }
  done
  unshare -n sh -c 'ip link add t0 type veth peer name t1 && tc qdisc add dev t0 root tbf rate 1gbit burst 128kb latency 20ms &&
    ip link add b0 type bridge' >/dev/null 2>&1 || { echo "it may not make network namespaces, bridges and tbf here"; exit 1; }
  exit 0
fi

if [ "${1:-}" != inside ]; then
  [ $# -ge 2 ] || fail "usage: link.sh RANKS PROGRAM ARG..."
  exec unshare -n sh "$0" inside "$@" # the switch's namespace
fi
shift
ranks=$1
shift

pids=
# shellcheck disable=SC2086
trap 'kill $pids 2>/dev/null || true' EXIT
trap 'exit 1' INT TERM HUP

line() { # NAMESPACE-PID DEVICE: 1 Gbit/s on the way out
  nsenter -t "$1" -n tc qdisc add dev "$2" root tbf rate 1gbit burst 128kb latency 20ms
}

ip link set lo up
ip link add switch type bridge
ip link set switch up
peers=
homes=
r=0
while [ "$r" -lt "$ranks" ]; do
  unshare -n sleep "$LIMIT" &
  home=$!
  pids="$pids $home"
  homes="$homes $home"
  tries=0
  while [ "$(readlink /proc/$home/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do # until unshare has unshared
    tries=$((tries + 1))
    [ $tries -lt 200 ] || fail "no namespace for rank $r"
    sleep 0.01
  done
  ip link add "port$r" type veth peer name line0 netns "$home"
  ip link set "port$r" master switch up
  nsenter -t "$home" -n ip address add "10.77.0.$((r + 1))/24" dev line0
  nsenter -t "$home" -n ip link set lo up
  nsenter -t "$home" -n ip link set line0 up
  line "$home" line0
  line $$ "port$r"
  peers="$peers${peers:+,}10.77.0.$((r + 1)):7000"
  r=$((r + 1))
done

export WORLD_SIZE="$ranks" MASTER_ADDR=10.77.0.1 MASTER_PORT=7001 GLOO_SOCKET_IFNAME=line0

launch() { # RANK NAMESPACE-PID PROGRAM ARG...
  RANK=$1
  home=$2
  shift 2
  for a in "$@"; do
    shift
    case $a in
      @rank@) a=$RANK ;;
      @peers@) a=$peers ;;
    esac
    set -- "$@" "$a"
  done
  export RANK LOCAL_RANK="$RANK"
  exec timeout "$LIMIT" nsenter -t "$home" -n "$@"
}

r=0
first=
for home in $homes; do
  if [ $r = 0 ]; then
    launch $r "$home" "$@" &
    first=$!
  else
    launch $r "$home" "$@" >/dev/null &
  fi
  pids="$pids $!"
  r=$((r + 1))
done
wait "$first" || fail "rank 0 failed"
