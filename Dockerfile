# The service: its own user, a root that may be read-only, and nothing in it that it does not run with.
#   docker build -t sovani .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8080:8080 \
#     -v sovani-data:/var/lib/sovani -v sovani-logs:/var/log/sovani-bot --env-file .env sovani
FROM debian:trixie-slim AS build
# The client is here for two programs of it: as a package it needs all of Perl.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-venv postgresql-client-17
COPY requirements.lock requirements-build.lock /
# Each file is checked against the lock's hashes; what is built from source fails here, where a compiler may be missing, and not later.
RUN python3 -m venv /opt/sovani \
 && /opt/sovani/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /requirements.lock \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /requirements-build.lock
COPY pyproject.toml README.md LICENSE alembic.ini /src/
COPY migrations /src/migrations
COPY telemetry /src/telemetry
COPY service /src/service
# The wheel, compiled now: at run time nothing can be written beside the code.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --disable-pip-version-check --wheel-dir /src/dist /src \
 && /opt/sovani/bin/pip install --no-deps --no-index --disable-pip-version-check /src/dist/*.whl \
 && /opt/sovani/bin/pip uninstall --yes --quiet pip

FROM debian:trixie-slim
# Python 3.13, and the libraries of pg_dump and pg_restore.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libpq5 python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 sovani \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sovani \
 && install --directory --owner sovani --group sovani --mode 0700 /var/lib/sovani /var/log/sovani-bot
COPY --from=build /opt/sovani /opt/sovani
# For backups of PostgreSQL: trixie's are 17, and refuse a server that is newer.
COPY --from=build /usr/lib/postgresql/17/bin/pg_dump /usr/lib/postgresql/17/bin/pg_restore /usr/local/bin/
WORKDIR /srv
# TMPDIR: some libraries want one when they are imported. MALLOC_ARENA_MAX: each thread of a process would keep free memory of its own.
ENV PATH=/opt/sovani/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    TMPDIR=/var/lib/sovani \
    DATA_DIR=/var/lib/sovani \
    LOG_DIR=/var/log/sovani-bot \
    DATABASE_URL=sqlite:////var/lib/sovani/sovani.db \
    ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8080
USER 10001:10001
VOLUME ["/var/lib/sovani", "/var/log/sovani-bot"]
EXPOSE 8080
# Liveness alone: a database that is away is no reason to restart. The start may take a minute where the machine is busy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s \
  CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
