# syntax=docker/dockerfile:1
# Targets: gateway, node-agent-cpu, node-agent-cuda, verifier.
#   docker build --target gateway -t assay-gateway .

FROM rust:1.95-bookworm AS build
WORKDIR /assay
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/assay/target \
    cargo build --release --locked --workspace --exclude xtask --bins \
    && install -D -t /out target/release/gateway target/release/node-agent target/release/verifier

# The ONNX Runtime library, found, fetched and checked by the agent itself.
FROM python:3.12-slim-bookworm AS runtime-cpu
COPY --from=build /out/node-agent /usr/local/bin/
RUN node-agent --cache-folder /runtime fetch-runtime

FROM python:3.12-slim-bookworm AS runtime-cuda
COPY --from=build /out/node-agent /usr/local/bin/
RUN node-agent --cache-folder /runtime fetch-runtime --cuda

FROM debian:bookworm-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 assay \
    && install -d -o assay -g assay /data
USER assay
WORKDIR /data

# State in /data. The first start prints the admin secret once, unless ASSAY_ADMIN_SECRET is set.
FROM base AS gateway
COPY --from=build /out/gateway /usr/local/bin/
COPY --from=build /assay/model/demo /models/demo
ENV ASSAY_GATEWAY_LISTEN=0.0.0.0:8080 ASSAY_GATEWAY_DATA_DIR=/data ASSAY_MODEL=/models/demo ASSAY_LOG_JSON=true
EXPOSE 8080
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve"]

# First: docker run -v node:/data … enrol --gateway https://… --token et-…
FROM base AS node-agent-cpu
COPY --from=build /out/node-agent /usr/local/bin/
COPY --from=build /assay/model/demo /models/demo
COPY --from=runtime-cpu /runtime /runtime
ENV ASSAY_NODE_DATA_FOLDER=/data ASSAY_NODE_CACHE_FOLDER=/runtime ASSAY_NODE_FETCH=false ASSAY_NODE_LOG_FORMAT=json
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["node-agent"]
CMD ["run", "--model", "/models/demo"]

# The fetched build of ONNX Runtime is made for CUDA 13.
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS node-agent-cuda
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 assay \
    && install -d -o assay -g assay /data
USER assay
WORKDIR /data
COPY --from=build /out/node-agent /usr/local/bin/
COPY --from=build /assay/model/demo /models/demo
COPY --from=runtime-cuda /runtime /runtime
ENV ASSAY_NODE_DATA_FOLDER=/data ASSAY_NODE_CACHE_FOLDER=/runtime ASSAY_NODE_FETCH=false ASSAY_NODE_LOG_FORMAT=json
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["node-agent"]
CMD ["run", "--model", "/models/demo", "--execution-provider", "cuda"]

# docker run -v "$PWD:/work" assay-verifier … checks a model folder against its manifest.
FROM base AS verifier
COPY --from=build /out/verifier /usr/local/bin/
COPY --from=build /assay/model/demo /models/demo
COPY --from=runtime-cpu /runtime /cache/assay
ENV XDG_CACHE_HOME=/cache
ENTRYPOINT ["verifier"]
