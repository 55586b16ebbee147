#!/usr/bin/env bash
# Renders and validates the manifests, and runs their pods by a podman of its own; see podman_engine.sh. Arguments go
# to pytest.
#
#   sudo .ci/kubernetes_tests.sh [-k digest ...]
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/podman_engine.sh
trap podman_engine_down EXIT
podman_engine_up "$PWD"
"$BNPG_PODMAN" tag localhost/bnpg:local registry.example.org/bnpg:1
"${PYTHON:-.venv/bin/python}" -m pytest tests/kubernetes -m kubernetes -p no:randomly -n 0 "$@"
