//! Describes what each room contains, and generates the table of rooms in `docs/architecture.md` from that and from
//! [`DEPENDENCIES`].

use std::fmt::Write as _;

use super::generated::assert_generated;
use super::{DEPENDENCIES, EVERY_ROOM};

/// What the room contains, in words that a reader would look for.
fn holds(room: &str) -> &'static str {
    match room {
        "text" => "walking an error's causes; making foreign text safe to print",
        "credentials" => {
            "secrets that cannot be printed, where they come from, certificates with their keys"
        }
        "metrics" => {
            "counters with closed labels in Prometheus' text format; the journal of recent requests"
        }
        "problem" => {
            "why cupbearer responded itself: the table of reasons, problem details, the page for browsers"
        }
        "vendor" => "what is known about PingOne: regions, endpoints, pasted addresses, hints",
        "config" => {
            "file, environment and flags into types; all problems with key, source and remedy"
        }
        "net" => {
            "connecting: DNS, TCP, the corporate proxy, TLS and the classification of its failures; the listener's TLS"
        }
        "telemetry" => "where log lines go",
        "guard" => {
            "who may do what: local users, `Host`, `Origin`, callers, rules; CORS; request framing"
        }
        "token" => {
            "the task that keeps a token fresh, its schedule, one token request, client authentication"
        }
        "upstream" => {
            "connections to the API, the pool of idle ones, one send and what may be sent again"
        }
        "proxy" => {
            "the path of a request: hop-by-hop fields, authorization, replay after a 401, rewriting, upgrades"
        }
        "server" => {
            "listening, TLS handshakes, limits, identifying the peer, draining; serves any service"
        }
        "admin" => "probes, metrics, status, the status page",
        "login" => {
            "the listener to which a browser returns after a sign-in, and its pages; the wait for a sign-in on another device"
        }
        "learn" => "rules from what a program requested",
        "doctor" => "numbered checks, each with its remedy",
        "demo" => "the stand-in authorization server and API",
        "instance" => {
            "one running proxy, and what a reload swaps in it; the admin listener of all of them"
        }
        "reload" => "noticing a changed configuration, and applying or refusing it",
        "lib" => "the map of the crate",
        "cli" => "one file for each command; the only room that prints",
        "main" => "arguments in, exit code out",
        other => panic!("tests/it/house/rooms.rs: describe what the room {other} contains"),
    }
}

#[test]
fn generated_table_of_rooms_is_up_to_date() {
    assert_generated("docs/architecture.md", Some("rooms"), &table());
}

fn table() -> String {
    let mut table = "| room | holds | may use |\n| --- | --- | --- |\n".to_owned();
    for (room, known) in DEPENDENCIES {
        let rooms: Vec<String> = known.iter().map(|room| format!("`{room}`")).collect();
        let known = if known.len() >= EVERY_ROOM.len() {
            "every room".to_owned()
        } else if rooms.is_empty() {
            "–".to_owned()
        } else {
            rooms.join(" ")
        };
        writeln!(table, "| `{room}` | {} | {known} |", holds(room)).unwrap();
    }
    table
}
