//! Measures what the guard costs per request, in nanoseconds of one core: `cargo bench --bench guard`.
//!
//! The limit is 300 ns with every check in use. The fastest of several rounds counts, because slower ones include other
//! work of the machine.
#![allow(
    clippy::print_stdout,
    reason = "a benchmark's figures go to standard output"
)]
#![allow(
    clippy::disallowed_types,
    reason = "no runtime here whose clock could be paused"
)]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use cupbearer::config;
use cupbearer::guard::{Guard, KeyWatch, Peer};
use cupbearer::problem::{ProblemFormat, RequestId};
use cupbearer::server::HeadScanner;
use http::Request;

const ROUNDS: u32 = 50;
const CHECKS: u32 = 20_000;
const LISTENER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6749));

const CURL: &[(&str, &str)] = &[
    ("host", "localhost:6749"),
    ("user-agent", "curl/8.14.1"),
    ("accept", "*/*"),
];

const POSTMAN: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("x-api-version", "1"),
    ("user-agent", "PostmanRuntime/7.49.1"),
    ("accept", "*/*"),
    ("cache-control", "no-cache"),
    ("postman-token", "6b0b2e0c-6f4e-4a53-9a5c-1d2f6d1f7c11"),
    ("host", "localhost:6749"),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
    ("content-length", "312"),
];

const BROWSER: &[(&str, &str)] = &[
    ("host", "localhost:6749"),
    ("connection", "keep-alive"),
    ("content-length", "312"),
    ("sec-ch-ua-platform", "\"Linux\""),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    ),
    (
        "sec-ch-ua",
        "\"Chromium\";v=\"156\", \"Not.A/Brand\";v=\"24\"",
    ),
    ("content-type", "application/json"),
    ("sec-ch-ua-mobile", "?0"),
    ("accept", "application/json"),
    ("origin", "http://localhost:6749"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-dest", "empty"),
    ("referer", "http://localhost:6749/docs"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-US,en;q=0.9"),
];

/// Measures plain heads, then callers and rules.
fn main() {
    heads();
    rules();
}

const KEY: &str = "the-key-of-the-caller";
const PLAIN: &str = "/api/v1/certificates/wildcard?limit=50";
const ENCODED: &str = "/api/v1/certificates/J%C3%BCrgen%20M?limit=50";

/// `PLAIN` matches no rule of `DENY` and only the last one of `ALLOW`, so that every rule is checked.
const DENY: &str =
    "guard.deny = [\"* /admin/**\", \"* /internal/**\", \"DELETE /api/v1/authorities/**\"]\n";
const ALLOW: &str = "guard.callers.ci.allow = [\"POST /api/v1/certificates\", \"DELETE /api/v1/certificates/*\", \
     \"GET /api/v1/authorities/**\", \"GET /docs/**\", \"GET /api/v1/certificates/**\"]\n";

fn rules() {
    let (ci, all) = (caller("ci", KEY), DENY.to_owned() + ALLOW);
    let others: String = (0..9)
        .map(|number| {
            caller(
                &format!("other-{number}"),
                &format!("the-key-of-other-{number}"),
            )
        })
        .collect();
    println!("\n{:<40} {:>10}", "callers and rules", "check ns");
    for (name, lines, target) in [
        ("no callers, no rules", String::new(), PLAIN),
        ("3 rules for everyone", DENY.to_owned(), PLAIN),
        ("a key, no rules", ci.clone(), PLAIN),
        ("a key, 8 rules", format!("{ci}{all}"), PLAIN),
        ("a key of 10, 8 rules", format!("{others}{ci}{all}"), PLAIN),
        (
            "a key, 8 rules, an encoded path",
            format!("{ci}{all}"),
            ENCODED,
        ),
    ] {
        let (guard, peer) = (with_keys(&lines), Peer::tcp(LISTENER, LISTENER));
        let mut request = request(CURL);
        *request.uri_mut() = target.parse().expect("a path");
        let bearer = format!("Bearer {KEY}").parse().expect("visible ASCII");
        request.headers_mut().insert("authorization", bearer);
        let check = fastest(|| assert!(guard.check(black_box(&request), &peer).is_ok()));
        println!("{name:<40} {check:>10.1}");
    }
}

fn caller(name: &str, key: &str) -> String {
    format!("guard.callers.{name}.key.command = [\"echo\", \"{key}\"]\n")
}

/// A guard with these lines of configuration, whose keys have been read.
fn with_keys(lines: &str) -> Guard {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("c.toml");
    let enough = "upstream.url = \"https://api.example.com\"\n\
                  token = { url = \"https://as.example.com\", client_id = \"i\", client_secret = { env = \"S\" } }\n";
    std::fs::write(
        &file,
        format!("guard.local_users = \"any\"\n{enough}{lines}"),
    )
    .expect("a file");
    let overrides = config::Overrides {
        file: Some(file),
        is_found_here: false,
        settings: Vec::new(),
    };
    let loaded = config::load(&overrides, &config::Surroundings::default());
    let guard = Guard::new(
        &loaded
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config
            .guard,
    );
    if let Some(callers) = guard.callers() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let (_may_ask, may_ask) = tokio::sync::watch::channel(true);
            let (loaded, are_loaded) = tokio::sync::oneshot::channel();
            let watch = KeyWatch::new(callers, None, may_ask);
            let loaded = move || {
                let _ = loaded.send(());
            };
            tokio::select! {
                _ = watch.run(loaded) => {}
                _ = are_loaded => {}
            }
        });
    }
    guard
}

fn heads() {
    let guard = Guard::new(&config::GuardConfig {
        hosts: vec!["proxy.example".to_owned()],
        origins: vec!["https://tool.example".to_owned()],
        local_users: config::LocalUsers::Any,
        ..config::GuardConfig::default()
    });
    let peer = Peer::tcp(LISTENER, LISTENER);
    println!(
        "{:<10} {:>6} {:>10} {:>10} {:>10} {:>10}",
        "client", "fields", "scan ns", "check ns", "id ns", "form ns"
    );
    for (client, fields) in [("curl", CURL), ("postman", POSTMAN), ("browser", BROWSER)] {
        let request = request(fields);
        let mut raw = raw(fields);
        let mut scanner = HeadScanner::default();
        let scan = fastest(|| assert!(scanner.scan(black_box(&mut raw))));
        let check = fastest(|| assert!(guard.check(black_box(&request), &peer).is_ok()));
        let id = fastest(|| drop(black_box(RequestId::of(black_box(request.headers())))));
        let form = fastest(|| {
            black_box(ProblemFormat::preferred_by(
                request.method(),
                black_box(request.headers()),
            ));
        });
        println!(
            "{client:<10} {:>6} {scan:>10.1} {check:>10.1} {id:>10.1} {form:>10.1}",
            fields.len()
        );
    }
}

fn request(fields: &[(&'static str, &'static str)]) -> Request<()> {
    let request = Request::get("/api/v1/certificates?limit=50");
    let request = fields.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(()).expect("the fields above are legal")
}

/// The raw head, without a body, so that the next head can follow at once.
fn raw(fields: &[(&'static str, &'static str)]) -> Vec<u8> {
    let mut raw = b"GET /api/v1/certificates?limit=50 HTTP/1.1\r\n".to_vec();
    for (name, value) in fields {
        let value = if *name == "content-length" {
            "0"
        } else {
            value
        };
        raw.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    raw
}

/// The nanoseconds of one call in the fastest round.
fn fastest(mut call: impl FnMut()) -> f64 {
    let mut round = || {
        let start = Instant::now();
        (0..CHECKS).for_each(|_| call());
        start.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(Duration::MAX);
    best.as_secs_f64() * 1e9 / f64::from(CHECKS)
}
