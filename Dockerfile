# The server on a CPU, with the shipped model inside:
#   docker build -t densedepth .
#   docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp densedepth
# With videos, which bring x264 and x265 (GPL): --build-arg EXTRAS=serve,video

FROM python:3.12-slim AS wheel
WORKDIR /build
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG EXTRAS=serve
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/densedepth-*.whl)[${EXTRAS}]" \
    && rm -r /wheels \
    && useradd --system --uid 10001 --no-create-home densedepth
USER 10001
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["densedepth", "serve", "--host", "0.0.0.0"]
