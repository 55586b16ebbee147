# A Docker engine of our own, where none runs and no registry can be reached. Sourced, not run.
#
#   docker_engine_up      sets DOCKER_HOST, DOCKER_CONFIG, BASE_IMAGE, PIP_NO_INDEX, PIP_FIND_LINKS, ENGINE_CONTEXT
#   docker_engine_down    ends it and removes everything it made
#
# The engine lives in a network namespace without a way out: nothing of it touches the machine's firewall rules,
# and no packet of a container can leave. Needs root and Debian packages, which it installs if they are missing.
# The base image is made of the machine's own Debian files and must never be published.

ENGINE_CACHE="${ENGINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bnpg-engine}"

docker_engine_up() {
  local repository="$1"
  ENGINE_ROOT="$(mktemp -d /tmp/bnpg-engine.XXXXXX)"
  ENGINE_NETNS="bnpg-$(basename "$ENGINE_ROOT" | tr -dc 'A-Za-z0-9' | tail -c 6)"
  ENGINE_CONTEXT="$ENGINE_ROOT/context"
  mkdir -p "$ENGINE_CACHE"
  _engine_packages
  _engine_compose
  _engine_start
  _engine_base_image
  _engine_context "$repository"
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

_engine_packages() {
  local wanted="docker.io iptables iproute2 procps python3-venv libstdc++6 libgomp1 ca-certificates" missing=""
  for package in $wanted; do dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"; done
  [ -z "$missing" ] && return 0
  apt-get update -qq
  # RUNLEVEL=1: installing must not start an engine of the machine's own.
  # shellcheck disable=SC2086
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Debian stable has the old docker-compose 1; version 2 is unpacked, not installed, from the next release.
_engine_compose() {
  export DOCKER_CONFIG="$ENGINE_ROOT/config"
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  if ! [ -x "$ENGINE_CACHE/docker-compose" ]; then
    local apt="$ENGINE_ROOT/apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/unpacked"
    sed '/^$/,$d; s/^Suites:.*/Suites: trixie/' /etc/apt/sources.list.d/debian.sources > "$apt/trixie.sources"
    set -- -qq -o Dir::Etc::sourcelist="$apt/trixie.sources" -o Dir::Etc::sourceparts=/dev/null \
      -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root
    apt-get "$@" update
    (cd "$apt" && apt-get "$@" download docker-compose)
    dpkg -x "$apt"/docker-compose_*.deb "$apt/unpacked"
    cp "$apt/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$ENGINE_CACHE/docker-compose"
  fi
  cp "$ENGINE_CACHE/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
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
  local packages="python3 python3-minimal python3-venv python3-distutils python3-lib2to3 python3.11 python3.11-minimal
    python3.11-venv libpython3-stdlib libpython3.11-stdlib libpython3.11-minimal python3-pip-whl
    python3-setuptools-whl libc-bin libc6 bash dash coreutils findutils sed grep gzip tar base-files base-passwd
    libstdc++6 libgcc-s1 libgomp1 iproute2 procps ca-certificates"
  # shellcheck disable=SC2086
  packages="$packages $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances --installed $packages 2>/dev/null | grep -v '^[ |<]' | sort -u)"
  # shellcheck disable=SC2086
  { dpkg-query -L $packages 2>/dev/null || true
    printf '%s\n' /etc/passwd /etc/group /bin /lib /lib64 /sbin /usr/bin/python3 /etc/ssl/certs/ca-certificates.crt
  } | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' | sort -u | grep -vE '^/usr/share/(doc|man|locale|info|lintian|bug)/' \
    | while IFS= read -r path; do if [ -f "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi; done \
    > "$ENGINE_ROOT/base.files"
  tar -C / --ignore-failed-read --no-recursion -cf - -T "$ENGINE_ROOT/base.files" 2>"$ENGINE_ROOT/tar.log" \
    | docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - bnpg-ci-base >/dev/null
}

# The build context: what git knows, as it is in the working tree, and the wheels.
_engine_context() {
  local repository="$1"
  mkdir -p "$ENGINE_CONTEXT"
  (cd "$repository" && git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
    | tar --null -T - -cf -) | tar -C "$ENGINE_CONTEXT" -xf -
  local stamp; stamp="$ENGINE_CACHE/wheels-$(sha256sum < "$repository/requirements/run.txt" | cut -c1-16)"
  if ! [ -d "$stamp" ]; then
    rm -rf "$ENGINE_CACHE"/wheels-* "$stamp.part"
    # The wheels must be those of the Python in the base image, which is the machine's own.
    /usr/bin/python3 -m venv "$ENGINE_ROOT/pip"
    env -u PIP_NO_INDEX "$ENGINE_ROOT/pip/bin/pip" download --quiet --disable-pip-version-check --require-hashes \
      -r "$repository/requirements/run.txt" -d "$stamp.part"
    mv "$stamp.part" "$stamp"
  fi
  cp "$stamp"/*.whl "$ENGINE_CONTEXT/deploy/wheelhouse/"
  mkdir -p "$ENGINE_CONTEXT/runs"
}
