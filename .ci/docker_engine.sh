# A Docker engine of our own, where none runs and no registry can be reached. Sourced, not run.
#
#   docker_engine_up      sets DOCKER_HOST, DOCKER_CONFIG, BASE_IMAGE, PIP_NO_INDEX, PIP_FIND_LINKS, ENGINE_CONTEXT
#   docker_engine_down    ends it and removes everything it made
#
# The engine lives in a network namespace without a way out: nothing of it touches the machine's firewall rules,
# and no packet of a container can leave. Needs root and Debian packages, which it installs if they are missing.
# The base image is made of the machine's own Debian files and must never be published.

. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

docker_engine_up() {
  local repository="$1"
  ENGINE_ROOT="$(mktemp -d /tmp/bnpg-engine.XXXXXX)"
  ENGINE_NETNS="bnpg-$(basename "$ENGINE_ROOT" | tr -dc 'A-Za-z0-9' | tail -c 6)"
  ENGINE_CONTEXT="$ENGINE_ROOT/context"
  mkdir -p "$ENGINE_CACHE"
  debian_packages docker.io iptables iproute2 procps python3-venv libstdc++6 libgomp1 ca-certificates
  _engine_compose
  _engine_start
  _engine_base_image
  image_context "$repository" "$ENGINE_CONTEXT"
  export BASE_IMAGE=bnpg-ci-base PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse BNPG_BUILD_NETWORK=none
  export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 ENGINE_CONTEXT ENGINE_ROOT ENGINE_NETNS
}

docker_engine_down() {
  [ -n "${ENGINE_ROOT:-}" ] || return 0
  local pid; pid="$(cat "$ENGINE_ROOT/dockerd.pid" 2>/dev/null || true)"
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  ip netns delete "$ENGINE_NETNS" 2>/dev/null || true
  grep -o " $ENGINE_ROOT/[^ ]*" /proc/self/mounts | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$ENGINE_ROOT"
}

# Debian stable has the old docker-compose 1; version 2 is unpacked, not installed, from the next release.
_engine_compose() {
  export DOCKER_CONFIG="$ENGINE_ROOT/config"
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  unpacked_from_trixie docker-compose usr/libexec/docker/cli-plugins/docker-compose \
    "$DOCKER_CONFIG/cli-plugins/docker-compose"
}

_engine_start() {
  ip netns add "$ENGINE_NETNS"
  nsenter --net="/run/netns/$ENGINE_NETNS" ip link set lo up
  export DOCKER_HOST="unix://$ENGINE_ROOT/docker.sock"
  # Not `ip netns exec`, which mounts /sys anew and hides the control groups.
  nsenter --net="/run/netns/$ENGINE_NETNS" dockerd --data-root "$ENGINE_ROOT/data" --exec-root "$ENGINE_ROOT/exec" \
    --pidfile "$ENGINE_ROOT/dockerd.pid" -H "$DOCKER_HOST" > "$ENGINE_ROOT/dockerd.log" 2>&1 &
  for _ in $(seq 300); do
    docker info >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "the engine did not come up within 30 s:" >&2
  tail -n 20 "$ENGINE_ROOT/dockerd.log" >&2
  return 1
}

_engine_base_image() {
  image_base "$ENGINE_ROOT" \
    | docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - bnpg-ci-base >/dev/null
}
