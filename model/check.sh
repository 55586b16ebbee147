#!/usr/bin/env bash
# Check the models: their safety, their liveness, and that every mutation of them is found.
set -euo pipefail
cd "$(dirname "$0")"
command -v spin > /dev/null || { echo "bnpg: error: spin is missing; on Debian: apt-get install spin" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp round.pml relay.pml "$work"
cd "$work"

# build NAME SPINFLAGS CCFLAGS [MODEL]: make the checker of one variant
build() { mkdir -p "$1"; (cd "$1" && spin $2 -a "../${4:-round.pml}" > spin.log 2>&1 && cc -O2 -DMEMLIM=6000 $3 -o pan pan.c 2> cc.log); }
# errors NAME PANFLAGS: run it, print the number of errors
errors() { (cd "$1" && ./pan -m2000000 $2 > pan.log 2>&1 || true; sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log | head -1); }

failed=0
expect() { if [ "$2" = "$3" ]; then echo "  ok: $1"; else echo "  FAILED: $1 (errors: $2)"; failed=1; fi; }

build safe "" "-DSAFETY -DNOCLAIM"
expect "no assertion fails, nobody is stuck" "$(errors safe "")" 0
grep -E "states, stored|error:" safe/pan.log | sed 's/^/      /'
build live "" "-DCOLLAPSE"
expect "every round completes, under fair loss" "$(errors live "-a")" 0
for mutant in ACCEPT_OLD_EPOCH ACT_BEFORE_PARENT APPLY_TWICE OBSERVATION_OF_ANOTHER ACT_WITHOUT_PART; do
  build "$mutant" "-D$mutant" "-DSAFETY -DNOCLAIM"
  expect "$mutant is found" "$(errors "$mutant" "")" 1
done
build NO_RETRANSMISSION "-DNO_RETRANSMISSION" ""
expect "NO_RETRANSMISSION is found" "$(errors NO_RETRANSMISSION "-a")" 1
build relay "" "-DSAFETY -DNOCLAIM" relay.pml
expect "no lie of a relay or a parent is applied, and the liar is one of the two named" "$(errors relay "")" 0
build relay_live "" "" relay.pml
expect "every turn with a relay ends" "$(errors relay_live "-a")" 0
for mutant in NO_COMPARISON RELAY_BEFORE_HEARD WRONG_ROW LAST_FIRST; do
  build "$mutant" "-D$mutant" "-DSAFETY -DNOCLAIM" relay.pml
  expect "$mutant is found" "$(errors "$mutant" "")" 1
done
exit $failed
