# What our container engines have in common: Debian's packages, a base image and a build context, all without a
# registry. Sourced, not run.
#
#   debian_packages NAME..                 installs what is missing
#   unpacked_from_trixie PACKAGE FILE TO   copies one file of a package of Debian's next release
#   image_base FOLDER                      writes a base image as a tar; FOLDER is for its notes
#   image_context REPOSITORY FOLDER        lays out what the Dockerfile needs
#
# The base image is made of the machine's own Debian files and must never be published.

ENGINE_CACHE="${ENGINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bnpg-engine}"
mkdir -p "$ENGINE_CACHE"

debian_packages() {
  local missing=""
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"; done
  [ -z "$missing" ] && return 0
  apt-get update -qq
  # RUNLEVEL=1: installing must not start an engine of the machine's own.
  # shellcheck disable=SC2086
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

unpacked_from_trixie() {
  local package="$1" file="$2" to="$3" cached apt
  cached="$ENGINE_CACHE/$(basename "$file")"
  if ! [ -x "$cached" ]; then
    apt="$(mktemp -d)"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/unpacked"
    sed '/^$/,$d; s/^Suites:.*/Suites: trixie/' /etc/apt/sources.list.d/debian.sources > "$apt/trixie.sources"
    set -- -qq -o Dir::Etc::sourcelist="$apt/trixie.sources" -o Dir::Etc::sourceparts=/dev/null \
      -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root
    apt-get "$@" update
    (cd "$apt" && apt-get "$@" download "$package")
    dpkg -x "$apt/$package"_*.deb "$apt/unpacked"
    cp "$apt/unpacked/$file" "$cached"
    rm -rf "$apt"
  fi
  cp "$cached" "$to"
}

image_base() {
  local folder="$1" packages="python3 python3-minimal python3-venv python3-distutils python3-lib2to3 python3.11 python3.11-minimal
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
    > "$folder/base.files"
  tar -C / --ignore-failed-read --no-recursion -cf - -T "$folder/base.files" 2>"$folder/tar.log"
}

# What git knows, as it is in the working tree, and the wheels.
image_context() {
  local repository="$1" context="$2" stamp pip
  mkdir -p "$context"
  (cd "$repository" && git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
    | tar --null -T - -cf -) | tar -C "$context" -xf -
  stamp="$ENGINE_CACHE/wheels-$(sha256sum < "$repository/requirements/run.txt" | cut -c1-16)"
  if ! [ -d "$stamp" ]; then
    rm -rf "$ENGINE_CACHE"/wheels-* "$stamp.part"
    # The wheels must be those of the Python in the base image, which is the machine's own.
    pip="$(mktemp -d)"
    /usr/bin/python3 -m venv "$pip"
    env -u PIP_NO_INDEX "$pip/bin/pip" download --quiet --disable-pip-version-check --require-hashes \
      -r "$repository/requirements/run.txt" -d "$stamp.part"
    mv "$stamp.part" "$stamp"
    rm -rf "$pip"
  fi
  cp "$stamp"/*.whl "$context/deploy/wheelhouse/"
  mkdir -p "$context/runs"
}
