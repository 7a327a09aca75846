# The local run in a container: docs/local-run.md. What it stores is in /data.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TALLYBOOK_LISTEN=0.0.0.0 \
    TALLYBOOK_LOCAL_DIR=/data

WORKDIR /srv/tallybook

COPY LICENSE README.md app.py constraints.txt pyproject.toml ./
COPY .chalice .chalice
COPY chalicelib chalicelib
COPY client client
COPY infra infra

RUN python3 -m venv .venv && .venv/bin/python infra/pins.py install run

RUN useradd --system --uid 10001 tallybook && mkdir /data && chown tallybook /data
USER tallybook
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s --interval=10s --timeout=5s \
    CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
CMD [".venv/bin/python", "-m", "infra.local"]
