# One image for every process of a run: coordinator, agents, and the one-shot service that makes keys.
#
# Where no registry can be reached, three build arguments take the place of the internet: BASE_IMAGE (any image
# with Python 3.11+), PIP_NO_INDEX=1, and PIP_FIND_LINKS=/wheelhouse with the wheels in deploy/wheelhouse/.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY deploy/wheelhouse/ /wheelhouse/
COPY requirements/run.txt requirements/run.txt
RUN python3 -m venv /opt/bnpg \
 && env ${PIP_NO_INDEX:+PIP_NO_INDEX=$PIP_NO_INDEX} ${PIP_FIND_LINKS:+PIP_FIND_LINKS=$PIP_FIND_LINKS} \
    /opt/bnpg/bin/pip install --quiet --require-hashes -r requirements/run.txt
# Packages that simulators need, such as "pettingzoo mpe2". What is installed already keeps its version.
ARG BNPG_EXTRAS=""
RUN if [ -n "$BNPG_EXTRAS" ]; then \
      /opt/bnpg/bin/pip freeze > pins && \
      env ${PIP_NO_INDEX:+PIP_NO_INDEX=$PIP_NO_INDEX} ${PIP_FIND_LINKS:+PIP_FIND_LINKS=$PIP_FIND_LINKS} \
      /opt/bnpg/bin/pip install --quiet --constraint pins $BNPG_EXTRAS; fi
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY examples/ examples/
COPY protocol/ protocol/
COPY bnpg_files/ bnpg_files/
COPY bnpg_math/ bnpg_math/
COPY agents/ agents/
COPY coordinator/ coordinator/
COPY bnpg/ bnpg/
# Afterwards nothing is left that could install anything, and no test suites of others.
RUN /opt/bnpg/bin/pip install --quiet --no-deps --no-build-isolation --no-index . \
 && /opt/bnpg/bin/pip uninstall --quiet --yes hatchling editables trove-classifiers pathspec pluggy setuptools pip \
 && find /opt/bnpg/lib -type d -name tests \
      \( -path '*/scipy/*' -o -path '*/matplotlib/*' -o -path '*/networkx/*' \) -prune -exec rm -rf {} +

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="bnpg" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/bnpg /opt/bnpg
COPY examples/ /examples/
COPY deploy/prepare.sh deploy/probe.py deploy/supervise.sh deploy/watch.sh /opt/bnpg/bin/
# Volumes take over the mode of these folders, so that whoever the container runs as can write into its own.
RUN mkdir -p /tmp && chmod 1777 /tmp \
 && mkdir -m 1777 /state /keys /keys/coordinator /keys/public /keys/enrolled /runs
ENV PATH=/opt/bnpg/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
    HOME=/tmp MPLCONFIGDIR=/tmp
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["bnpg"]
CMD ["--help"]
