# docker build -f deploy/coordinator.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t byol-coordinator .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Coordinator and workers must be of one build: give both images the same VERSION.
ARG VERSION=container
RUN CGO_ENABLED=0 go build -tags release -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /coordinator ./cmd/coordinator

# The program is static and needs nothing around it.
FROM scratch
COPY --from=build /coordinator /coordinator
USER 65532:65532
ENTRYPOINT ["/coordinator"]
