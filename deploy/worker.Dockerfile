# docker build -f deploy/worker.Dockerfile --build-arg VERSION="$(git describe --tags --always)" -t byol-worker .
FROM golang:1.26 AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Coordinator and workers must be of one build: both images name it by VERSION and a digest of the sources (.dockerignore says
# what is not of them), so that images of other sources refuse each other.
ARG VERSION=container
RUN build="${VERSION}+$(find . -type f | sort | xargs sha256sum | sha256sum | cut -c1-12)" && \
  CGO_ENABLED=0 go build -tags release -trimpath -ldflags "-s -w -X main.version=${build}" -o /worker ./cmd/worker

# A worker loads libturbojpeg when it is there, so it needs a C library around it.
FROM debian:bookworm-slim
# Debian keeps no older version of a package that it mended.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libturbojpeg0 && rm -rf /var/lib/apt/lists/*
COPY --from=build /worker /worker
ARG VERSION=container
LABEL org.opencontainers.image.title="byol worker" org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["/worker"]
