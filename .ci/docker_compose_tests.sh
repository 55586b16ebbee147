#!/usr/bin/env bash
# Runs the compose tests against an engine of its own; see docker_engine.sh. Arguments go to pytest.
#
#   sudo .ci/docker_compose_tests.sh [-k scale ...]
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/docker_engine.sh
trap docker_engine_down EXIT
docker_engine_up "$PWD"
export BNPG_COMPOSE_PROJECT="$ENGINE_CONTEXT"
"${PYTHON:-.venv/bin/python}" -m pytest tests/compose -m compose -p no:randomly -n 0 "$@"
