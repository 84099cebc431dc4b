# The image of a sidecar: the binary, the system's certificate authorities, and nothing else; no shell.
#
#   docker build --tag cupbearer .
#
# See docs/sidecar.md for how to run it, and tests/e2e/image.test.mjs for what holds of it.

# Needs cargo and a C compiler; it and RUN_IMAGE must have the same C library.
ARG BUILD_IMAGE=docker.io/library/rust:1-bookworm
# Needs glibc, libgcc and /etc/ssl/certs; this one has no shell.
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12

FROM ${BUILD_IMAGE} AS build
# Of Cargo.toml; the tests take one that compiles faster.
ARG PROFILE=release
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Not built; Cargo.toml names the files, so cargo wants to see them.
COPY benches ./benches
COPY src ./src
# Without the demo, whose keys and accounts have no place in production, and without the desktop's keyring.
RUN cargo build --locked --no-default-features --profile ${PROFILE} --bin cupbearer \
 && cp target/${PROFILE}/cupbearer /cupbearer

FROM ${RUN_IMAGE}
# Given by whoever builds: docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="cupbearer" \
      org.opencontainers.image.description="A local reverse proxy that holds an OAuth 2.0 client credentials grant and attaches a fresh access token to every request" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /cupbearer /cupbearer
# Where ./cupbearer.toml is looked for: mount the configuration here.
WORKDIR /etc/cupbearer
# A number, so that Kubernetes' runAsNonRoot can check it; no entry in /etc/passwd is needed.
USER 65532:65532
# 6749 for the containers of the same pod, 6750 for orders and probes; by default both listen on loopback only.
EXPOSE 6749 6750
# It drains for `drain` (10 s by default): let the grace period of whoever stops it be longer.
STOPSIGNAL SIGTERM
# Whether it serves, not whether it has a token: restarting it heals no token endpoint.
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["/cupbearer", "health"]
ENTRYPOINT ["/cupbearer"]
