#!/bin/sh
# Starts `bnpg ARGUMENTS`, and starts it again if a signal killed it: a crash of the process is no end of the
# container, so `docker compose up --abort-on-container-exit` survives it. Whatever bnpg itself ends with is final.
set -u
limit=20
ended=""
child=""
pass_on() { [ -z "$child" ] || kill "-$1" "$child" 2>/dev/null; }
trap 'ended=1; pass_on TERM' TERM
trap 'ended=1; pass_on INT' INT
trap 'pass_on HUP' HUP

while :; do
  bnpg "$@" &
  child=$!
  wait "$child"
  code=$?
  # A trapped signal interrupts `wait`; the process may still be about to end.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  # 130 is how bnpg ends by itself when it is interrupted; the shell's own 128+N means a signal killed it.
  if [ "$code" -le 128 ] || [ "$code" -eq 130 ] || [ -n "$ended" ] || [ "$limit" -eq 0 ]; then
    exit "$code"
  fi
  limit=$((limit - 1))
  echo "supervise: bnpg was killed by signal $((code - 128)); starting it again" >&2
  sleep 1
done
