# The image of a sidecar: the binary and the certificate authorities of the base, without a shell.
#
#   docker build --tag cupbearer .
#
# docs/sidecar.md explains how to run it; tests/e2e/image.test.mjs tests it.

# Needs cargo and a C compiler, and the same C library as RUN_IMAGE.
ARG BUILD_IMAGE=docker.io/library/rust:1-bookworm
# Needs glibc, libgcc and /etc/ssl/certs. This one has no shell.
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12

FROM ${BUILD_IMAGE} AS build
# A profile of Cargo.toml; the tests use one that compiles faster.
ARG PROFILE=release
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
# Not built, but Cargo.toml names these files, so cargo requires them.
COPY benches ./benches
COPY src ./src
# The context has no repository, so `--version --verbose` shows this.
ARG REVISION=
# Without the demo, whose keys and accounts do not belong in production, and without the desktop's keyring.
RUN CUPBEARER_COMMIT=${REVISION} cargo build --locked --no-default-features --profile ${PROFILE} --bin cupbearer \
 && cp target/${PROFILE}/cupbearer /cupbearer

FROM ${RUN_IMAGE}
# Set them when building: docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="cupbearer" \
      org.opencontainers.image.description="A local reverse proxy that holds an OAuth 2.0 client credentials grant and attaches a fresh access token to every request" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /cupbearer /cupbearer
# cupbearer looks for ./cupbearer.toml: mount the configuration here.
WORKDIR /etc/cupbearer
# A number, so that Kubernetes' runAsNonRoot can check it; no entry in /etc/passwd is needed.
USER 65532:65532
# 6749 serves the containers of the same pod, 6750 commands and probes; by default both listen on loopback only.
EXPOSE 6749 6750
# It drains for `drain` (10 s by default): configure a longer grace period.
STOPSIGNAL SIGTERM
# Checks whether it serves, not whether it has a token: a restart cannot repair a token endpoint.
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["/cupbearer", "health"]
ENTRYPOINT ["/cupbearer"]
