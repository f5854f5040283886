# docker build -f deploy/worker.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t byol-worker .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Coordinator and workers must be of one build: give both images the same VERSION.
ARG VERSION=container
RUN CGO_ENABLED=0 go build -tags release -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /worker ./cmd/worker

# A worker loads libturbojpeg when it is there, so it needs a C library around it.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libturbojpeg0 && rm -rf /var/lib/apt/lists/*
COPY --from=build /worker /worker
USER 65532:65532
ENTRYPOINT ["/worker"]
