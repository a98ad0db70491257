# One image for both processes: `crewdeck serve` (as it stands) and `crewdeck worker`. compose.yaml shows them together.
# Alone it keeps its data in /data: docker run --init -p 127.0.0.1:3000:3000 -v crewdeck:/data crewdeck

# The same bytes for everybody. For a newer patch release, change both places.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
WORKDIR /src

# The locked dependencies change less often than the code, so they come first. The tools that build go into this
# stage's own Python, and what runs goes into /opt/crewdeck, which gets no pip.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/crewdeck \
    && python -m pip --python /opt/crewdeck/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements.lock \
    && python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.lock

COPY pyproject.toml README.md LICENSE manifest.yml ./
COPY bot bot
COPY crews crews
COPY crewdeck crewdeck
COPY config config
RUN python -m pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/crewdeck/bin/python install --no-index --no-deps /wheels/*.whl


FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
RUN python -m pip uninstall --yes --root-user-action=ignore pip \
    && useradd --system --uid 10001 --create-home crewdeck \
    && useradd --system --uid 10002 --create-home crewdeck-worker \
    && install --directory --owner=crewdeck --mode=0700 /data

# The image comes without the bytecode of the standard library, and nobody who runs here may write it: each process
# would compile what it imports at its start, which takes a second.
RUN python -m compileall -q -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

COPY --from=build /opt/crewdeck /opt/crewdeck
ENV PATH=/opt/crewdeck/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=3000 \
    CREWDECK_DATA_DIR=/data

USER crewdeck
WORKDIR /home/crewdeck
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os; web = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); web.request('GET', '/health'); raise SystemExit(web.getresponse().status != 200)"]

CMD ["crewdeck", "serve"]
