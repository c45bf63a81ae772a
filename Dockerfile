# One image for the site and its tracing worker; docker-compose.yml says how they are run.
# Everything runs on the processor; the compose profile `gpu` builds the image for NVIDIA GPUs by these two arguments.

FROM python:3.12-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# The extra with FAISS: cpu or gpu.
ARG FAISS=cpu
RUN python -m venv /opt/startrail
ENV PATH=/opt/startrail/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# torch first: it is large, and changes less often than we do.
RUN pip install --index-url ${TORCH_INDEX} torch==2.13.0
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY app app
COPY startrail startrail
COPY templates templates
COPY static static
COPY alembic alembic
RUN pip install --constraint constraints.txt ".[${FAISS}]"

FROM python:3.12-slim
# libgomp: OpenMP, for torch and FAISS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home startrail \
    && install --directory --owner startrail --group startrail /data
COPY --from=build /opt/startrail /opt/startrail
ENV PATH=/opt/startrail/bin:$PATH PYTHONUNBUFFERED=1 STARTRAIL_HOME=/data
USER startrail
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Run with an init (docker run --init, as compose does), or what hangs is only said to.
HEALTHCHECK --start-period=60s --interval=15s --timeout=10s CMD ["startrail", "serve", "--check", "--port", "8000"]
CMD ["startrail", "serve", "--host", "0.0.0.0", "--port", "8000"]
