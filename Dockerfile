# One image for every command: docker run segstream worker | topics create | ...
FROM python:3.12-slim

RUN useradd --system --uid 10001 --create-home segstream \
    && install -d -o segstream /var/cache/segstream
WORKDIR /opt/segstream

# The locked versions without the development tools: a constraint pins what is installed and installs nothing by itself.
ENV PIP_CONSTRAINT=/opt/segstream/requirements.lock \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock pyproject.toml README.md LICENSE NOTICE ./
COPY models ./models
COPY stream ./stream
RUN pip install .

# Compiled kernels are kept here: the root file system may be mounted read-only, with a volume in this place.
ENV NUMBA_CACHE_DIR=/var/cache/segstream \
    PYTHONUNBUFFERED=1
USER segstream
ENTRYPOINT ["segstream"]
CMD ["--help"]
