# docker build -f deploy/coordinator.Dockerfile --build-arg VERSION="$(git describe --tags --always)" -t byol-coordinator .
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
  CGO_ENABLED=0 go build -tags release -trimpath -ldflags "-s -w -X main.version=${build}" -o /coordinator ./cmd/coordinator

# The program is static and needs nothing around it.
FROM scratch
COPY --from=build /coordinator /coordinator
ARG VERSION=container
LABEL org.opencontainers.image.title="byol coordinator" org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["/coordinator"]
