# The server: `docker run -v ./app.yaml:/app/app.yaml -v tagboat:/app/data -p 8080:8080 tagboat`
# In app.yaml, `server: {listen: ":8080"}`: the default is the loopback address, which is the container's own.
ARG BASE=python:3.13-slim-trixie
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rules rules
COPY bot bot
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '.[postgres,otel]'

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git openssh-client && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app tagboat && mkdir -p /app/data && chown -R tagboat /app
COPY --from=build /venv /venv
COPY app.yaml /app/app.yaml
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
USER tagboat
VOLUME /app/data
EXPOSE 8080
ENTRYPOINT ["tagboat"]
CMD ["serve"]
