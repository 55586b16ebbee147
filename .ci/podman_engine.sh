# A podman of our own, with an image of this project, where no registry can be reached. Sourced, not run.
#
#   podman_engine_up REPOSITORY   sets BNPG_PODMAN, a command to use instead of `podman`, and BNPG_KUSTOMIZE
#   podman_engine_down            ends what runs in it and removes everything it made
#
# It lives in a network namespace without a way out, as docker_engine.sh says of its own. Needs root.

. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

podman_engine_up() {
  local repository="$1"
  ENGINE_ROOT="$(mktemp -d /tmp/bnpg-engine.XXXXXX)"
  ENGINE_NETNS="bnpg-$(basename "$ENGINE_ROOT" | tr -dc 'A-Za-z0-9' | tail -c 6)"
  debian_packages podman runc netavark aardvark-dns catatonit iptables iproute2 procps python3-venv libstdc++6 \
    libgomp1 ca-certificates
  export BNPG_KUSTOMIZE="$ENGINE_ROOT/kustomize" BNPG_PODMAN="$ENGINE_ROOT/podman"
  unpacked_from_trixie kustomize usr/bin/kustomize "$BNPG_KUSTOMIZE"
  ip netns add "$ENGINE_NETNS"
  nsenter --net="/run/netns/$ENGINE_NETNS" ip link set lo up
  _podman_command
  image_base "$ENGINE_ROOT" \
    | "$BNPG_PODMAN" import --quiet --change ENV=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        - localhost/bnpg-ci-base >/dev/null
  image_context "$repository" "$ENGINE_ROOT/context"
  "$BNPG_PODMAN" build --quiet --isolation=chroot --network=host --build-arg BASE_IMAGE=localhost/bnpg-ci-base \
    --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheelhouse -t localhost/bnpg:local "$ENGINE_ROOT/context" \
    > "$ENGINE_ROOT/build.log" 2>&1 || { tail -n 30 "$ENGINE_ROOT/build.log" >&2; return 1; }
}

podman_engine_down() {
  [ -n "${ENGINE_ROOT:-}" ] || return 0
  if [ -x "${BNPG_PODMAN:-}" ]; then
    "$BNPG_PODMAN" pod rm --all --force --time 0 >/dev/null 2>&1 || true
    "$BNPG_PODMAN" network prune --force >/dev/null 2>&1 || true
  fi
  ip netns delete "$ENGINE_NETNS" 2>/dev/null || true
  grep -o " $ENGINE_ROOT/[^ ]*" /proc/self/mounts | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$ENGINE_ROOT"
}

# Storage, state and configuration of its own. runc, as crun refuses hybrid control groups. Not `ip netns exec`, which hides the control groups.
_podman_command() {
  cat > "$ENGINE_ROOT/containers.conf" <<END
[containers]
log_driver = "k8s-file"
# The defaults are more than a machine may allow.
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "$ENGINE_ROOT/networks"
END
  cat > "$BNPG_PODMAN" <<END
#!/bin/sh
CONTAINERS_CONF=$ENGINE_ROOT/containers.conf exec nsenter --net=/run/netns/$ENGINE_NETNS podman \\
  --root $ENGINE_ROOT/storage --runroot $ENGINE_ROOT/run --tmpdir $ENGINE_ROOT/tmp "\$@"
END
  chmod +x "$BNPG_PODMAN"
}
