# The image of a sidecar: a static binary and the certificate authorities, and nothing else.
#
#   docker build --tag cupbearer .                          # docker buildx build --platform … for other processors
#   docker buildx build --build-context build=FOLDER …      # FOLDER/cupbearer and FOLDER/ca-certificates.crt, compiles nothing
#
# docs/sidecar.md explains how to run it; tests/e2e/image.test.mjs tests it.

# Needs cargo, rustup or the targets of musl, Python 3.11 with venv, and /etc/ssl/certs.
ARG BUILD_IMAGE=docker.io/library/rust:1-bookworm

# Always of this machine's own processor: it compiles for the other one, so no compiler is emulated.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
RUN python3 -c 'import ensurepip, venv' || (apt-get update && apt-get install --yes --no-install-recommends python3-venv)
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
# Not built, but Cargo.toml names these files, so cargo requires them.
COPY benches ./benches
COPY packaging/build ./packaging/
COPY src ./src
# A profile of Cargo.toml; the tests use one that compiles faster.
ARG PROFILE=release
# The processor of the image, as docker names it.
ARG TARGETARCH
# The context has no repository, so `--version --verbose` shows this.
ARG REVISION=
# Without the demo, whose keys and accounts do not belong in production, and without the desktop's keyring.
RUN case ${TARGETARCH} in amd64) processor=x86_64 ;; arm64) processor=aarch64 ;; *) exit 1 ;; esac \
 && CUPBEARER_COMMIT=${REVISION} packaging/build --compile --no-default-features --profile ${PROFILE} --out /built \
      ${processor}-unknown-linux-musl \
 && mv /built/*/cupbearer /cupbearer \
 && cp /etc/ssl/certs/ca-certificates.crt /

FROM scratch
# Set them when building: docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="cupbearer" \
      org.opencontainers.image.description="A local reverse proxy that holds an OAuth 2.0 client credentials grant and attaches a fresh access token to every request" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /ca-certificates.crt /etc/ssl/certs/
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
