// The files in config/sidecar and the overlays in packaging/kubernetes: the programs that read them accept them,
// cupbearer accepts their configuration, and they do what docs/sidecar.md says.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, start, statusOf, temporaryDirectory } from "./support.mjs";

const FOLDER = fileURLToPath(new URL("../../config/sidecar", import.meta.url));
const MANIFESTS = ["configmap.yaml", "deployment.yaml", "job.yaml", "egress.yaml"];
/** The first version with native sidecars enabled by default, and a recent one. */
const KUBERNETES = ["1.29", "1.37"];

const file = (name) => join(FOLDER, name);
const text = (name) => readFileSync(file(name), "utf8");
const python = (...args) => run(process.env.E2E_PYTHON, args);

async function documents(name) {
  const { stdout, stderr } = await python(fileURLToPath(new URL("read_yaml.py", import.meta.url)), file(name));
  return JSON.parse(stdout || assert.fail(stderr));
}

const ofKind = async (name, kind) => (await documents(name)).find((document) => document.kind === kind);

/** The workload's pod and its cupbearer container. */
async function podOf(name, kind) {
  const pod = (await ofKind(name, kind)).spec.template.spec;
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  return { pod, cupbearer: containers.find((container) => container.name === "cupbearer") };
}

const variables = (container) => Object.fromEntries(container.env.map(({ name, value }) => [name, value]));

const validate = (version, ...files) => {
  const CLI = "import sys; from kubernetes_validate.__main__ import main; sys.exit(main())";
  return python("-c", CLI, "--strict", "-k", version, ...files);
};

test("kubernetes-validate accepts every manifest, and rejects a misspelt one", async (t) => {
  for (const version of KUBERNETES) {
    const { code, stdout, stderr } = await validate(version, ...MANIFESTS.map(file));
    assert.equal(code, 0, stdout + stderr);
    assert.equal((stdout + stderr).match(/ passed /g)?.length, 8, stdout + stderr);
    const misspelt = join(await temporaryDirectory(t), "misspelt.yaml");
    writeFileSync(misspelt, text("deployment.yaml").replace("enableServiceLinks", "enableServiceLink"));
    assert.notEqual((await validate(version, misspelt)).code, 0);
  }
});

test("the tests cover every file in config/sidecar", () => {
  const known = [...MANIFESTS, "compose.yaml", "cupbearer.service", "sidecar.toml", "egress.toml"];
  assert.deepEqual(readdirSync(FOLDER).sort(), known.sort());
});

test("the ConfigMaps contain the TOML files word for word", async () => {
  for (const [manifest, toml] of [["configmap.yaml", "sidecar.toml"], ["egress.yaml", "egress.toml"]]) {
    const { data } = await ofKind(manifest, "ConfigMap");
    assert.deepEqual(data, { "cupbearer.toml": text(toml) });
  }
});

const unitVariables = () => Object.fromEntries([...text("cupbearer.service").matchAll(/^Environment="?(\w+)=([^"\n]*)/gm)].map((m) => m.slice(1)));

const CONFIGURED = {
  "deployment.yaml": ["sidecar.toml", async () => variables((await podOf("deployment.yaml", "Deployment")).cupbearer)],
  "job.yaml": ["sidecar.toml", async () => variables((await podOf("job.yaml", "Job")).cupbearer)],
  "egress.yaml": ["egress.toml", async () => variables((await podOf("egress.yaml", "Deployment")).cupbearer)],
  "compose.yaml": ["sidecar.toml", async () => (await documents("compose.yaml"))[0].services.cupbearer.environment],
  "cupbearer.service": [null, async () => unitVariables()],
  "the overlay before-1.29": ["sidecar.toml", async (t) => variables((await rendered(t, "before-1.29")).find(({ kind }) => kind === "Deployment").spec.template.spec.containers[0])],
};

for (const [name, [toml, environment]] of Object.entries(CONFIGURED)) {
  test(`cupbearer accepts the configuration of ${name}, which sets the guard explicitly`, async (t) => {
    const directory = await temporaryDirectory(t);
    for (const path of ["cupbearer", "callers"]) mkdirSync(join(directory, path));
    if (toml === "egress.toml") await writeCertificate(directory);
    for (const [number, path] of ["cupbearer/client_secret", "callers/orders", "callers/reports", "client_secret"].entries()) {
      writeFileSync(join(directory, path), `cup_${`${number}`.repeat(60)}\n`, { mode: 0o600 });
    }
    const here = (text) => text.replaceAll("/run/secrets", directory).replaceAll("%d", directory);
    const config = join(directory, "cupbearer.toml");
    if (toml) writeFileSync(config, here(text(toml)));
    const env = Object.fromEntries(Object.entries(await environment(t)).map(([name, value]) => [name, here(value)]));
    const args = ["check", "--json", ...(toml ? ["--config", config] : [])];
    const { code, stdout, stderr } = await run(CUPBEARER, args, { env, cwd: directory });
    assert.equal(code, 0, stdout + stderr);
    assert.ok(!/warning/i.test(stderr), stderr);
    const { effective } = JSON.parse(stdout);
    for (const key of ["guard.local_users", "guard.network"]) {
      const entry = effective.find((entry) => entry.key === key);
      assert.ok(entry && entry.source !== "default", `${key}: ${JSON.stringify(entry)}`);
    }
  });
}

/** The service's certificate, issued by itself, and its key, where a secret of cert-manager would be. */
async function writeCertificate(directory) {
  mkdirSync(join(directory, "tls"));
  const [certificate, key] = ["tls.crt", "tls.key"].map((name) => join(directory, "tls", name));
  const names = ["-addext", "subjectAltName=DNS:cupbearer-egress"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const made = await run("openssl", ["req", "-x509", "-days", "90", "-subj", "/CN=egress", ...names, ...newKey, "-keyout", key, "-out", certificate]);
  assert.equal(made.code, 0, made.stderr);
  return certificate;
}

/** The port of the admin listener that is reachable from the network. */
const adminPort = (toml) => Number(/"0\.0\.0\.0:(675\d)"\]/.exec(text(toml))[1]);

const seconds = (toml, key) => Number(new RegExp(`^${key} = "(\\d+)s"`, "m").exec(text(toml))?.[1] ?? 0);

function assertHardened(pod, container) {
  assert.equal(pod.enableServiceLinks, false);
  assert.equal(pod.automountServiceAccountToken, false);
  assert.equal(pod.securityContext.runAsNonRoot, true);
  assert.deepEqual(pod.securityContext.seccompProfile, { type: "RuntimeDefault" });
  const { runAsUser, runAsGroup, ...rest } = container.securityContext;
  assert.ok(runAsUser > 0 && runAsGroup > 0);
  assert.deepEqual(rest, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
}

for (const [name, kind] of [["deployment.yaml", "Deployment"], ["job.yaml", "Job"]]) {
  test(`the sidecar of ${name} is native, runs its own probes, and never makes the program unready`, async () => {
    const { pod, cupbearer } = await podOf(name, kind);
    assert.ok(pod.initContainers.includes(cupbearer));
    assert.equal(cupbearer.restartPolicy, "Always");
    assert.deepEqual(cupbearer.startupProbe.exec.command, ["/cupbearer", "health", "--ready"]);
    assert.deepEqual(cupbearer.livenessProbe.exec.command, ["/cupbearer", "health"]);
    assert.equal(cupbearer.readinessProbe, undefined);
    assert.match(text(name), /# No readinessProbe.*token/s);
    assert.ok(pod.terminationGracePeriodSeconds > seconds("sidecar.toml", "drain") + seconds("sidecar.toml", "drain_delay"));
    for (const container of [cupbearer, ...pod.containers]) assertHardened(pod, container);
    // It runs as another user than the program, and the program cannot read the secret.
    const [program] = pod.containers;
    assert.notEqual(program.securityContext.runAsUser, cupbearer.securityContext.runAsUser);
    assert.equal(program.volumeMounts, undefined);
    assert.deepEqual(variables(program), { API_URL: "http://localhost:6749", NO_PROXY: "localhost,127.0.0.1" });
    assertMountsReach(pod, cupbearer);
  });
}

/** Every file that the environment names is in a mounted volume, and none is mounted with subPath, which is never updated. */
function assertMountsReach(pod, container) {
  assert.ok(container.volumeMounts.every(({ subPath, readOnly }) => !subPath && readOnly));
  const volumes = pod.volumes.map(({ name }) => name);
  assert.deepEqual(container.volumeMounts.map(({ name }) => name), volumes);
  const secret = variables(container).CUPBEARER_TOKEN__CLIENT_SECRET__FILE;
  assert.ok(container.volumeMounts.some(({ mountPath }) => secret.startsWith(`${mountPath}/`)), secret);
  assert.ok(container.volumeMounts.some(({ mountPath }) => mountPath === "/etc/cupbearer"));
  const { secret: { defaultMode } } = pod.volumes.find((volume) => volume.secret);
  assert.equal(defaultMode, 0o440);
  assert.equal(pod.securityContext.fsGroup, container.securityContext.runAsGroup);
}

test("the egress deployment becomes unready before it stops, and accepts only named callers", async () => {
  const { pod, cupbearer } = await podOf("egress.yaml", "Deployment");
  const { spec } = await ofKind("egress.yaml", "Deployment");
  assert.ok(spec.replicas > 1);
  assertHardened(pod, cupbearer);
  assertMountsReach(pod, cupbearer);
  for (const path of text("egress.toml").match(/(?<=_file = ")[^"]+/g)) {
    const volume = cupbearer.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    assert.equal(pod.volumes.find(({ name }) => name === volume?.name)?.secret.secretName, "cupbearer-egress-tls", path);
  }
  assert.ok(seconds("egress.toml", "drain_delay") >= 5);
  const stop = seconds("egress.toml", "drain_delay") + seconds("egress.toml", "drain");
  assert.ok(pod.terminationGracePeriodSeconds > stop);
  const admin = cupbearer.ports.find(({ name }) => name === "admin").containerPort;
  assert.equal(admin, adminPort("egress.toml"));
  assert.deepEqual(cupbearer.readinessProbe.httpGet, { path: "/ready", port: "admin" });
  assert.deepEqual(cupbearer.livenessProbe.httpGet, { path: "/live", port: "admin" });
  // It is unready, and still accepts requests, for longer than Kubernetes needs to notice.
  const { periodSeconds, failureThreshold } = cupbearer.readinessProbe;
  assert.ok(periodSeconds * failureThreshold <= seconds("egress.toml", "drain_delay"));
  const labels = spec.template.metadata.labels;
  for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"]) {
    const { spec } = await ofKind("egress.yaml", kind);
    assert.deepEqual(spec.podSelector?.matchLabels ?? spec.selector.matchLabels ?? spec.selector, labels, kind);
  }
  const service = (await ofKind("egress.yaml", "Service")).metadata.name;
  assert.ok(text("egress.toml").includes(`hosts = ["${service}"`));
});

test("with egress.toml a caller with a key can do what its rules allow, through the service's name only, and a caller without a key nothing", async (t) => {
  const { url, port, certificate, keys, api } = await startEgress(t);
  const trusting = ["--cacert", certificate, "--connect-to", `cupbearer-egress:6749:127.0.0.1:${port}`];
  const statusForHost = (host, ...args) => statusOf(...trusting, "--header", `Host: ${host}`, ...args);
  const statusFor = (...args) => statusForHost("cupbearer-egress:6749", ...args);
  const withKey = (key) => ["--header", `X-Cupbearer-Key: ${key}`, `${url}/api/v1/certificates`];
  assert.equal(await statusFor(`${url}/api/v1/certificates`), 401);
  assert.equal(api.seen.length, 0);
  assert.equal(await statusFor(...withKey(keys.orders)), 200);
  assert.equal(await statusFor(...withKey(keys.reports)), 200);
  assert.equal(await statusFor("--request", "DELETE", ...withKey(keys.reports)), 403);
  assert.equal(await statusFor("--request", "DELETE", ...withKey(keys.orders)), 403);
  assert.equal(await statusForHost("elsewhere:6749", ...withKey(keys.orders)), 403);
  assert.equal(api.seen.length, 2);
});

/** Starts a proxy with the shipped file, with other ports, other folders and two keys. */
async function startEgress(t) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  mkdirSync(join(directory, "callers"));
  const certificate = await writeCertificate(directory);
  const { id, secret } = CLIENTS.basic;
  registerSecret(secret, id);
  const write = (name, text) => writeFileSync(join(directory, name), text, { mode: 0o600 });
  write("client_secret", secret);
  const keys = {};
  for (const caller of ["orders", "reports"]) {
    await run(CUPBEARER, ["keygen", "--caller", caller, "--out", join(directory, "callers", caller)]);
    keys[caller] = readFileSync(join(directory, "callers", caller), "utf8").trim();
    registerSecret(keys[caller]);
  }
  const config = join(directory, "cupbearer.toml");
  write("cupbearer.toml", text("egress.toml").replaceAll("/run/secrets", directory));
  const env = {
    CUPBEARER_UPSTREAM__URL: api.url,
    CUPBEARER_TOKEN__URL: authorizationServer.tokenUrl,
    CUPBEARER_TOKEN__CLIENT_ID: id,
    CUPBEARER_TOKEN__CLIENT_SECRET__FILE: join(directory, "client_secret"),
  };
  const args = ["--config", config, "--listen", "0.0.0.0:0", "--admin", "localhost:0", "--set", "drain_delay=0s"];
  const proxy = await start(args, ({ stderr }) => /listens on\s+https:\/\/0\.0\.0\.0:(\d+)/.exec(stderr), { env });
  t.after(() => proxy.stop());
  return { url: "https://cupbearer-egress:6749", port: proxy.found[1], certificate, keys, api };
}

test("Prometheus is directed to a port that is reachable from the network", async () => {
  for (const [manifest, kind, toml] of [["deployment.yaml", "Deployment", "sidecar.toml"], ["egress.yaml", "Deployment", "egress.toml"]]) {
    const { metadata } = (await ofKind(manifest, kind)).spec.template;
    assert.equal(Number(metadata.annotations["prometheus.io/port"]), adminPort(toml));
  }
});

test("docker-compose accepts compose.yaml and rejects a misspelt one, and both services share localhost", async (t) => {
  const directory = await temporaryDirectory(t);
  const config = async (content) => {
    writeFileSync(join(directory, "compose.yaml"), content);
    return run("docker-compose", ["--file", join(directory, "compose.yaml"), "config"], { cwd: directory });
  };
  for (const name of ["sidecar.toml", "client_secret"]) writeFileSync(join(directory, name), "");
  const accepted = await config(text("compose.yaml"));
  assert.equal(accepted.code, 0, accepted.stderr);
  const misspelt = await config(text("compose.yaml").replace("read_only:", "readonly:"));
  assert.notEqual(misspelt.code, 0);
  const [{ services: { cupbearer, app } }] = await documents("compose.yaml");
  assert.equal(app.network_mode, "service:cupbearer");
  assert.deepEqual(app.depends_on, { cupbearer: { condition: "service_healthy" } });
  assert.equal(app.environment.API_URL, "http://localhost:6749");
  assert.deepEqual(cupbearer.healthcheck.test, ["CMD", "/cupbearer", "health", "--ready"]);
  assert.deepEqual([cupbearer.read_only, cupbearer.cap_drop, cupbearer.user], [true, ["ALL"], "65532:65532"]);
  assert.equal(basename(cupbearer.environment.CUPBEARER_TOKEN__CLIENT_SECRET__FILE), cupbearer.secrets[0]);
});

test("systemd accepts the unit, rejects a misspelt one, and rates its exposure as low", async (t) => {
  const directory = await temporaryDirectory(t);
  const unit = join(directory, "cupbearer.service");
  const verify = async (content) => {
    writeFileSync(unit, content.replaceAll("/usr/local/bin/cupbearer", CUPBEARER));
    const { stdout, stderr } = await run("systemd-analyze", ["verify", unit]);
    return stdout + stderr;
  };
  assert.match(await verify(text("cupbearer.service").replace("WatchdogSec", "WatchDogSec")), /Unknown key.*'WatchDogSec'/);
  assert.equal(await verify(text("cupbearer.service")), "");
  const { stdout } = await run("systemd-analyze", ["security", "--offline=yes", "--no-pager", unit]);
  const exposure = Number(/Overall exposure level for cupbearer\.service: ([\d.]+)/.exec(stdout)[1]);
  t.diagnostic(`figure: systemd-analyze security: ${exposure} of 10`);
  assert.ok(exposure <= 2, stdout);
  const lines = text("cupbearer.service").split("\n");
  for (const line of ["Type=notify", "WatchdogSec=30s", "DynamicUser=yes", "LoadCredential=client_secret:/etc/cupbearer/client_secret"]) {
    assert.ok(lines.includes(line), line);
  }
});

const OVERLAYS = fileURLToPath(new URL("../../packaging/kubernetes/overlays", import.meta.url));
const DIGEST = /^registry\.example\.com\/cupbearer@sha256:[0-9a-f]{64}$/;

/** The manifests that `kubectl kustomize` makes of an overlay, in a stable order. */
async function rendered(t, overlay) {
  const { code, stdout, stderr } = await run("kubectl", ["kustomize", join(OVERLAYS, overlay)]);
  assert.equal(code, 0, stderr);
  const path = join(await temporaryDirectory(t), "rendered.yaml");
  writeFileSync(path, stdout);
  const parsed = await python(fileURLToPath(new URL("read_yaml.py", import.meta.url)), path);
  return byName(JSON.parse(parsed.stdout || assert.fail(parsed.stderr)));
}

const byName = (documents) => documents.sort((a, b) => `${a.kind}/${a.metadata.name}`.localeCompare(`${b.kind}/${b.metadata.name}`));

/** Replaces the image of cupbearer, which an overlay names by digest, with the one of config/sidecar. */
function withoutDigest(documents) {
  const copy = structuredClone(documents);
  const pod = copy.find(({ kind }) => kind === "Deployment").spec.template.spec;
  const cupbearer = [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === "cupbearer");
  assert.match(cupbearer.image, DIGEST);
  cupbearer.image = "registry.example.com/cupbearer:0.1.0";
  return copy;
}

const SAME = { sidecar: ["configmap.yaml", "deployment.yaml"], egress: ["egress.yaml"] };

for (const [overlay, files] of Object.entries(SAME)) {
  test(`the Kustomize overlay ${overlay} renders ${files.join(" and ")}, with an image by digest`, async (t) => {
    const expected = byName((await Promise.all(files.map(documents))).flat());
    assert.deepEqual(withoutDigest(await rendered(t, overlay)), expected);
  });
}

test("kubernetes-validate accepts the overlay for clusters before 1.29 in 1.28 and today", async (t) => {
  assert.deepEqual(readdirSync(OVERLAYS).sort(), ["before-1.29", "egress", "pod-monitor", "sidecar"]);
  const path = join(await temporaryDirectory(t), "rendered.yaml");
  writeFileSync(path, (await rendered(t, "before-1.29")).map((document) => JSON.stringify(document)).join("\n---\n"));
  for (const version of ["1.28", KUBERNETES.at(-1)]) {
    const { code, stdout, stderr } = await validate(version, path);
    assert.equal(code, 0, stdout + stderr);
  }
});

test("before 1.29 cupbearer is the first container, has a token before the program starts, and serves until the program has stopped", async (t) => {
  const documents = await rendered(t, "before-1.29");
  const pod = documents.find(({ kind }) => kind === "Deployment").spec.template.spec;
  assert.equal(pod.initContainers, undefined);
  const [cupbearer, program] = pod.containers;
  assert.deepEqual([cupbearer.name, program.name], ["cupbearer", "app"]);
  assert.match(cupbearer.image, DIGEST);
  assert.equal(cupbearer.restartPolicy, undefined);
  assert.equal(cupbearer.readinessProbe, undefined);
  assert.deepEqual(cupbearer.lifecycle.postStart.exec.command, ["/cupbearer", "wait", "--max", "10m"]);
  const delay = Number(/^(\d+)s$/.exec(variables(cupbearer).CUPBEARER_DRAIN_DELAY)[1]);
  assert.ok(pod.terminationGracePeriodSeconds > delay + seconds("sidecar.toml", "drain"));
  for (const container of pod.containers) assertHardened(pod, container);
  assertMountsReach(pod, cupbearer);
  // Everything else is as with a native sidecar.
  const native = (await rendered(t, "sidecar")).find(({ kind }) => kind === "Deployment").spec.template.spec;
  const { restartPolicy, startupProbe, env, ...sidecar } = native.initContainers[0];
  assert.ok(restartPolicy && startupProbe);
  const { lifecycle, ...container } = { ...cupbearer, env: cupbearer.env.filter(({ name }) => name !== "CUPBEARER_DRAIN_DELAY") };
  assert.ok(lifecycle);
  assert.deepEqual(container, { ...sidecar, env });
  const { initContainers, ...rest } = native;
  assert.equal(initContainers.length, 1);
  assert.deepEqual({ ...pod, containers: [program] }, rest);
});

test("the PodMonitor selects the port of the sidecar, instead of the annotations", async (t) => {
  const documents = await rendered(t, "pod-monitor");
  const { spec } = documents.find(({ kind }) => kind === "PodMonitor");
  const { metadata, spec: pod } = documents.find(({ kind }) => kind === "Deployment").spec.template;
  assert.deepEqual(spec.selector.matchLabels, metadata.labels);
  assert.deepEqual(metadata.annotations, {});
  const [{ port, path }] = spec.podMetricsEndpoints;
  const { containerPort } = pod.initContainers[0].ports.find(({ name }) => name === port);
  assert.equal(containerPort, adminPort("sidecar.toml"));
  assert.equal(path, "/metrics");
  const plain = await rendered(t, "sidecar");
  plain.find(({ kind }) => kind === "Deployment").spec.template.metadata.annotations = {};
  assert.deepEqual(documents.filter(({ kind }) => kind !== "PodMonitor"), plain);
});
