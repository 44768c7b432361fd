# Headgate with the parts that several nodes need: PostgreSQL, Redis, identity providers, Bedrock.
#
#   docker build -t headgate .
#   docker run -p 8080:8080 -v headgate:/data -e OPENAI_API_KEY headgate
#
# Everything that is installed is named by a lock, with its hash. How it is run: docs/how-to/deploy.md
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

FROM ${PYTHON} AS build
# The path of a request as machine code. With false nothing of Debian is installed, and the image has plain Python.
ARG COMPILED=true
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_LINK_MODE=copy
RUN if [ "${COMPILED}" = true ]; then \
      apt-get update -qq \
      && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; \
    fi
WORKDIR /build
# Rarely changed things first: a change of the code installs no dependency again.
COPY requirements-image.lock ./
COPY scripts/setup.lock scripts/compile.lock scripts/
RUN python -m venv /tools \
 && /tools/bin/python -m pip install --quiet --require-hashes -r scripts/setup.lock \
 && /tools/bin/uv pip install --quiet --python /tools/bin/python --only-binary :all: --require-hashes -r scripts/compile.lock \
 && python -m venv --without-pip /opt/headgate \
 && /tools/bin/uv pip install --quiet --python /opt/headgate/bin/python --only-binary :all: --require-hashes \
    --compile-bytecode -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY scripts/compiled.py scripts/hatch_build.py scripts/
COPY src src
# The build backend and the compiler of Python come from locks, so nothing is fetched here.
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=${COMPILED} HEADGATE_COMPILE_AGAINST=/opt/headgate/bin/python \
    /tools/bin/python -m hatchling build --target wheel --directory /wheel \
 && /tools/bin/uv pip install --quiet --offline --python /opt/headgate/bin/python --no-deps --compile-bytecode /wheel/*.whl
COPY deploy/probe.py /opt/headgate/probe.py

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Headgate" \
      org.opencontainers.image.description="The open, self-hosted gate between applications and language models" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that an orchestrator can see that it is not root. /data is all that it writes to.
RUN groupadd --gid 10001 headgate \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin headgate \
 && install -d -m 0700 -o 10001 -g 10001 /data
COPY --from=build /opt/headgate /opt/headgate
ENV PATH=/opt/headgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEADGATE_LISTEN=0.0.0.0:8080
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: a gateway that stops, or whose database is away, must not be killed for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["python", "-IS", "/opt/headgate/probe.py", "/healthz"]
ENTRYPOINT ["headgate"]
CMD ["serve"]
