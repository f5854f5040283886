# The worker's image with the plugin for NVIDIA's GPUs and its libraries, 6 GB:
# docker build -f deploy/worker-cuda.Dockerfile --build-arg WORKER=byol-worker:dev -t byol-worker-cuda:dev .
ARG WORKER=byol-worker:dev
FROM python:3.12-slim AS plugin
COPY deploy/worker-cuda.txt /
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary=:all: --target /opt/cuda -r /worker-cuda.txt

# Python is not run: files side by side are all that the plugin wants.
FROM ${WORKER}
COPY --from=plugin /opt/cuda /opt/cuda
ENV BYOL_PJRT_PLUGIN=/opt/cuda
# For container runtimes that give GPUs by variables.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
