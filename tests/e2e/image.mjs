// Builds the image of the Dockerfile and runs it, without a registry and without a container engine.
//
// It contains the binary under test. With FULL_SIZE=1 the Dockerfile compiles the program, as for a user: the build
// image is empty, with this machine's /usr mounted over it, and what packaging/build needs comes from PyPI, crates.io
// and rustup. Needs root (chroots, mounts, other users).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { recordOutput } from "./printed.mjs";
import { CUPBEARER } from "./support.mjs";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Whether the Dockerfile compiles the program. */
export const COMPILES = Boolean(process.env.FULL_SIZE);

/** What the Dockerfile compiles is kept between runs, so that only changes are compiled. */
const TARGET = join(ROOT, "target/image");

/** Without optimisation: takes 2 min instead of 6, and makes a larger binary than a release. */
const PROFILE = "quick";

/**
 * Builds the image for a platform, and returns its files, its configuration, and the libraries that its program needs:
 * none if the Dockerfile compiled it, and the C library if cargo test did.
 */
export function buildImage(directory, platform = `linux/${process.arch === "arm64" ? "arm64" : "amd64"}`) {
  assert.equal(process.getuid(), 0, "building and running an image needs root");
  const buildah = (...args) => {
    const store = ["--storage-driver=vfs", `--root=${join(directory, "store")}`, `--runroot=${join(directory, "run")}`];
    const env = { ...process.env, BUILDAH_ISOLATION: "chroot" };
    return execFileSync("buildah", [...store, ...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  };
  const program = COMPILES ? toCompile(directory, buildah) : readyProgram(directory);
  const revision = "--build-arg=REVISION=0123abc";
  // Docker's format, since the OCI format has no HEALTHCHECK.
  buildah("bud", "--quiet", "--format=docker", `--platform=${platform}`, revision, ...program, "--tag=localhost/cupbearer", ROOT);
  const container = buildah("from", `--platform=${platform}`, "localhost/cupbearer");
  const { config } = JSON.parse(buildah("inspect", "--type=image", "localhost/cupbearer")).Docker;
  const files = buildah("mount", container);
  return { files, config, libraries: COMPILES ? [] : librariesOf(CUPBEARER) };
}

/** Options with which the stage that compiles gives way to a folder with the binary under test. */
function readyProgram(directory) {
  const folder = join(directory, "ready");
  mkdirSync(folder);
  execFileSync("strip", ["-o", join(folder, "cupbearer"), CUPBEARER]);
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(folder, "ca-certificates.crt"));
  return [`--build-context=build=${folder}`];
}

/** Options with which the program is compiled, by this machine's Rust. */
function toCompile(directory, buildah) {
  const system = buildah("from", "scratch");
  buildah("add", "--quiet", system, emptySystem(join(directory, "build-files")), "/");
  // pip comes with certificate authorities of its own; this machine may have others.
  const variables = ["PATH=/root/.cargo/bin:/usr/bin:/bin", "HOME=/root", "PIP_CERT=/etc/ssl/certs/ca-certificates.crt"];
  buildah("config", ...variables.map((variable) => `--env=${variable}`), system);
  buildah("commit", "--quiet", system, "localhost/build");
  const cache = join(TARGET, "cache");
  mkdirSync(cache, { recursive: true });
  const home = process.env.HOME;
  const mounts = {
    "/usr": "/usr:ro",
    "/etc/alternatives": "/etc/alternatives:ro",
    "/etc/ssl/certs": "/etc/ssl/certs:ro",
    [process.env.CARGO_HOME ?? join(home, ".cargo")]: "/root/.cargo",
    [process.env.RUSTUP_HOME ?? join(home, ".rustup")]: "/root/.rustup",
    [cache]: "/root/.cache",
    [TARGET]: "/src/target",
  };
  const volumes = Object.entries(mounts).map(([from, to]) => `--volume=${from}:${to}`);
  // By default buildah allows 1024 open files, which are too few for zig.
  const openFiles = execFileSync("bash", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  return ["--build-arg=BUILD_IMAGE=localhost/build", `--build-arg=PROFILE=${PROFILE}`, `--ulimit=nofile=${openFiles}:${openFiles}`, ...volumes];
}

/** The shared libraries of a program, by the paths at which it expects them. */
function librariesOf(program) {
  const text = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...text.matchAll(/\/\S+/g)].map(([path]) => path);
}

/** The folders over which this machine's folders are mounted, and its links such as /lib. */
function emptySystem(directory) {
  for (const name of ["usr", "etc/alternatives", "etc/ssl/certs", "tmp", "proc", "dev", "sys", "root/.cache", "root/.cargo", "root/.rustup"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  for (const name of ["bin", "sbin", "lib", "lib32", "lib64"]) {
    if (existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink()) {
      cpSync(`/${name}`, join(directory, name), { verbatimSymlinks: true });
    }
  }
  return directory;
}

/** Each file and folder below `directory`, with its size in bytes (0 for anything but files). */
export function filesBelow(directory) {
  const entries = readdirSync(directory, { recursive: true }).map((name) => [name, lstatSync(join(directory, name))]);
  return new Map(entries.map(([name, stat]) => [name, stat.isFile() ? stat.size : 0]));
}

/**
 * Runs the image as Kubernetes does with readOnlyRootFilesystem and all capabilities dropped, in the network
 * namespace of the caller. `mounts` are [from, to] and read-only, `args` replace the image's command, `calls` are the
 * only system calls that it may make (`exec` does not work with them, since crun needs others).
 */
export function runImage(scene, directory, { files, config, libraries }, { env = {}, mounts = [], args = config.Cmd ?? [], calls } = {}) {
  const bundle = join(directory, "bundle");
  const crun = ["--cgroup-manager=disabled", `--root=${join(directory, "crun")}`];
  mkdirSync(bundle);
  execFileSync("crun", ["spec"], { cwd: bundle });
  const [uid, gid] = config.User.split(":").map(Number);
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
  const spec = {
    ociVersion: "1.0.0",
    process: {
      terminal: false,
      user: { uid, gid },
      args: [...config.Entrypoint, ...args],
      env: [...(config.Env ?? []), ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      cwd: config.WorkingDir,
      capabilities: none,
      noNewPrivileges: true,
    },
    root: { path: files, readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=64k"] },
      // Every container engine mounts /etc/hosts and /etc/resolv.conf.
      ...[...mounts, ...["/etc/hosts", "/etc/resolv.conf", ...libraries].map((path) => [path, path])].map(([source, destination]) => ({ source, destination, type: "bind", options: ["rbind", "ro"] })),
    ],
    linux: { namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })) }, // the network is the caller's
  };
  if (calls) spec.linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: calls, action: "SCMP_ACT_ALLOW" }] };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  const child = spawn("crun", [...crun, "run", `--bundle=${bundle}`, "cupbearer"], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  recordOutput(child, args);
  const exit = once(child, "exit");
  scene.after(async () => {
    if (child.exitCode === null) execFileSync("crun", [...crun, "kill", "cupbearer", "KILL"]);
    await exit;
  });
  return {
    output: () => output,
    /** Runs a command in the container, as an exec probe does, and returns its exit code and output. */
    exec(command) {
      const running = spawn("crun", [...crun, "exec", "cupbearer", ...command], { stdio: ["ignore", "pipe", "pipe"] });
      let text = "";
      for (const stream of [running.stdout, running.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
      return once(running, "close").then(([code]) => ({ code, text }));
    },
    async stop(signal) {
      execFileSync("crun", [...crun, "kill", "cupbearer", signal]);
      return (await exit)[0];
    },
  };
}
