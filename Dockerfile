# The image of a sidecar: the binary, the system's certificate authorities, nothing that needs a shell.
#
#   docker build -t cupbearer .
#
# A first one. Not done yet: no test builds and runs it, and there is no HEALTHCHECK, since the
# command for it (`cupbearer health`) does not exist yet.

# Needs cargo and a C compiler; it and RUN_IMAGE must have the same C library.
ARG BUILD_IMAGE=docker.io/library/rust:1-bookworm
# Needs glibc, libgcc and /etc/ssl/certs; this one has no shell.
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Not built; Cargo.toml names the files, so cargo wants to see them.
COPY benches ./benches
COPY src ./src
# Without the demo: its keys and accounts have no place in production.
RUN cargo build --release --locked --no-default-features --bin cupbearer

FROM ${RUN_IMAGE}
COPY --from=build /src/target/release/cupbearer /cupbearer
# A number, so that Kubernetes' runAsNonRoot can check it; no entry in /etc/passwd is needed.
USER 10001:10001
# For containers of the same pod or host network: by default it listens on loopback only.
EXPOSE 6749
ENTRYPOINT ["/cupbearer"]
