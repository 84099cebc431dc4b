//! Enforces the structure that docs/architecture.md describes: which room may depend on which, and what may be
//! done in one place only. The rules are checked against `src/`, and against examples that break them.

mod comments;
#[cfg(target_os = "linux")]
mod contract;
mod cycles;
mod documents;
mod generated;
mod names;
mod rooms;
mod source;
mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::{File, Token, files_below};

/// The rooms on which each room may depend. `lib` and `main` are the two crate roots; no room below `cli` may
/// depend on them.
const DEPENDENCIES: [(&str, &[&str]); 23] = [
    ("text", &[]),
    ("credentials", &["text"]),
    ("metrics", &[]),
    ("problem", &["text"]),
    ("demo", &["credentials"]),
    ("vendor", &["text"]),
    ("config", &["credentials", "vendor", "text"]),
    ("telemetry", &["config"]),
    ("guard", &["config", "credentials", "problem", "text"]),
    ("net", &["config", "credentials", "text"]),
    (
        "token",
        &["config", "credentials", "metrics", "net", "text"],
    ),
    ("upstream", &["config", "metrics", "net", "text"]),
    ("server", &["config", "guard", "metrics", "text"]),
    (
        "proxy",
        &[
            "config", "guard", "net", "problem", "token", "upstream", "server", "metrics", "text",
        ],
    ),
    (
        "login",
        &[
            "config",
            "credentials",
            "guard",
            "metrics",
            "problem",
            "server",
            "token",
            "text",
        ],
    ),
    (
        "admin",
        &[
            "config", "guard", "login", "problem", "token", "metrics", "text",
        ],
    ),
    (
        "doctor",
        &[
            "admin",
            "config",
            "credentials",
            "guard",
            "net",
            "problem",
            "token",
            "upstream",
            "vendor",
            "text",
        ],
    ),
    ("learn", &["config", "guard", "metrics", "text"]),
    (
        "instance",
        &[
            "config",
            "credentials",
            "guard",
            "net",
            "token",
            "upstream",
            "proxy",
            "server",
            "login",
            "admin",
            "metrics",
        ],
    ),
    (
        "reload",
        &[
            "config",
            "credentials",
            "token",
            "metrics",
            "instance",
            "text",
        ],
    ),
    ("lib", &EVERY_ROOM),
    ("cli", &EVERY_ROOM_AND_LIB),
    ("main", &["cli"]),
];

const EVERY_ROOM: [&str; 20] = [
    "text",
    "credentials",
    "metrics",
    "problem",
    "demo",
    "vendor",
    "config",
    "telemetry",
    "guard",
    "net",
    "token",
    "upstream",
    "server",
    "login",
    "proxy",
    "admin",
    "doctor",
    "learn",
    "instance",
    "reload",
];

const EVERY_ROOM_AND_LIB: [&str; 21] = [
    "text",
    "credentials",
    "metrics",
    "problem",
    "demo",
    "vendor",
    "config",
    "telemetry",
    "guard",
    "net",
    "token",
    "upstream",
    "server",
    "login",
    "proxy",
    "admin",
    "doctor",
    "learn",
    "instance",
    "reload",
    "lib",
];

/// Something that is allowed in some places only.
struct Confined {
    what: &'static str,
    /// Each element is a sequence of tokens.
    words: &'static [&'static [&'static str]],
    /// Paths of files, or of folders if they end in `/`.
    places: &'static [&'static str],
}

const CONFINED: [Confined; 3] = [
    Confined {
        what: "printing",
        words: &[
            &["println", "!"],
            &["print", "!"],
            &["eprintln", "!"],
            &["eprint", "!"],
            &["dbg", "!"],
        ],
        places: &["cli/", "cli.rs"],
    },
    Confined {
        what: "a handle on standard output",
        words: &[&["stdout", "(", ")"], &["stderr", "(", ")"]],
        places: &["cli/", "cli.rs", "telemetry.rs", "telemetry/"],
    },
    // Dropping a future cancels its work, but a task outlives its owner unless the owner ends it. `proxy` must not
    // start any: there, dropping a future is how a client's disconnect cancels the upstream request.
    Confined {
        what: "starting a task",
        words: &[
            &["tokio", ":", ":", "spawn"],
            &["task", ":", ":", "spawn"],
            &["spawn_local"],
            &["JoinSet"],
            &["thread", ":", ":", "spawn"],
        ],
        places: &[
            "instance/",
            "login/",
            "reload/",
            "server/",
            "net/",
            "token/",
            "upstream/",
            "demo/",
        ],
    },
];

#[test]
fn the_source_follows_the_rules_of_the_architecture() {
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.iter().any(|file| file.path == "lib.rs"));
    let problems = problems(&files);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_room_has_a_cycle_among_its_files() {
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let cycles = cycles::cycles(&files);
    assert!(cycles.is_empty(), "{}", cycles.join("\n"));
}

#[test]
fn no_type_name_is_defined_twice_in_the_crate() {
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let repeated = names::repeated(&files);
    assert!(repeated.is_empty(), "{}", repeated.join("\n"));
}

#[test]
fn the_allowed_dependencies_between_rooms_form_no_cycle() {
    let dependencies = DEPENDENCIES
        .iter()
        .map(|(from, to)| (*from, to.iter().copied().collect()))
        .collect();
    assert_eq!(first_cycle(&dependencies), None);
}

#[test]
fn a_cycle_between_rooms_is_found() {
    let dependencies = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c", "d"])),
        ("c", BTreeSet::from([])),
        ("d", BTreeSet::from(["a"])),
    ]);
    assert_eq!(first_cycle(&dependencies), Some(vec!["a", "b", "d"]));
}

#[test]
fn a_forbidden_dependency_is_found_however_it_is_written() {
    for text in [
        "use crate::proxy::Forward;",
        "use crate::proxy;",
        "use crate::{config::Config, proxy::{a, b}};",
        "use crate::{self, config, proxy};",
        "fn f() -> crate::proxy::Forward { todo!() }",
        "fn f() { tracing::info!(state = %crate::proxy::STATE); }",
        "pub(in crate::proxy) struct S;",
        "use super::super::proxy::Forward;",
    ] {
        assert_eq!(
            found("upstream/connect.rs", text),
            ["src/upstream/connect.rs:1: upstream must not depend on proxy"],
            "{text}"
        );
    }
    assert_eq!(
        found("metrics.rs", "use super::token::Token;"),
        ["src/metrics.rs:1: metrics must not depend on token"]
    );
    assert_eq!(
        found("main.rs", "use cupbearer::token;"),
        ["src/main.rs:1: main must not depend on token"]
    );
    assert_eq!(
        found("config/mod.rs", "\n\nuse crate::Config;"),
        ["src/config/mod.rs:3: config must not depend on lib"]
    );
    assert_eq!(
        found("config/mod.rs", "use crate::*;"),
        ["src/config/mod.rs:1: config must not depend on lib"]
    );
}

#[test]
fn allowed_dependencies_and_test_code_are_not_reported() {
    for text in [
        "use crate::config::Upstream; use crate::metrics::{self, Counter};",
        "use crate::upstream::pool::Pool; use super::pool; pub(crate) struct S; pub(super) fn f() {}",
        "// use crate::proxy::Forward;\n/* crate::proxy */\n/// See [`crate::proxy`].\nstruct S;",
        r##"const A: &str = "crate::proxy"; const B: &str = r#"println!("x")"#;"##,
        "#[cfg(test)] mod tests { use crate::proxy::Forward; }",
        "#[cfg(test)] use crate::{proxy::Forward};",
        "#[cfg(test)] #[allow(unused)] pub(crate) fn f<A, B>() { crate::proxy::f() }",
        "struct S { #[cfg(test)] a: crate::proxy::A, b: u8 }",
        "#[cfg(test)] mod tests;",
    ] {
        assert_eq!(found("upstream/connect.rs", text), [""; 0], "{text}");
    }
    assert_eq!(
        found("upstream/tests.rs", "use crate::proxy::Forward;"),
        [""; 0]
    );
    assert_eq!(
        found(
            "cli/run.rs",
            "use crate::{Config, token, upstream}; fn f() { crate::run() }"
        ),
        [""; 0]
    );
}

#[test]
fn product_code_after_test_code_is_still_read() {
    for before in [
        "#[cfg(test)] use a::{b, c};",
        "#[cfg(test)] mod tests { fn f() {} }",
        "#[cfg(test)] mod tests;",
    ] {
        let text = format!("{before} use crate::proxy::Forward;");
        assert_eq!(found("upstream/mod.rs", &text).len(), 1, "{before}");
    }
    assert_eq!(
        found(
            "upstream/mod.rs",
            "struct S { #[cfg(test)] a: A, b: crate::proxy::B }"
        )
        .len(),
        1
    );
}

#[test]
fn a_room_that_is_not_in_the_table_is_found() {
    assert_eq!(
        found("utils/mod.rs", ""),
        ["src/utils/mod.rs: the room utils is not in the table"]
    );
    assert_eq!(
        found("helpers.rs", ""),
        ["src/helpers.rs: the room helpers is not in the table"]
    );
}

#[test]
fn code_that_is_confined_to_some_places_is_found_elsewhere() {
    assert_eq!(
        found("server/mod.rs", "fn f() {\n println!(\"x\") }"),
        ["src/server/mod.rs:2: printing is allowed only in cli/, cli.rs"]
    );
    assert_eq!(found("cli/run.rs", "fn f() { println!(\"x\") }"), [""; 0]);
    assert_eq!(
        found("config/mod.rs", "fn f() { std::io::stderr().lock(); }").len(),
        1
    );
    assert_eq!(
        found("proxy/mod.rs", "fn f() { tokio::spawn(g()); }").len(),
        1
    );
    assert_eq!(
        found(
            "proxy/mod.rs",
            "fn f() { Command::new(p).stdout(null()).spawn(); }"
        ),
        [""; 0]
    );
    assert_eq!(
        found("server/mod.rs", "fn f() { tokio::spawn(g()); }"),
        [""; 0]
    );
}

fn found(path: &str, text: &str) -> Vec<String> {
    problems(&[File::parse(path, text)])
}

/// All violations of a rule, with file and line.
fn problems(files: &[File]) -> Vec<String> {
    let allowed = BTreeMap::from(DEPENDENCIES);
    let mut problems = Vec::new();
    for file in files {
        let path = &file.path;
        let Some(may_use) = allowed.get(file.room()) else {
            problems.push(format!(
                "src/{path}: the room {} is not in the table",
                file.room()
            ));
            continue;
        };
        for (room, line) in rooms_named(file) {
            if room != file.room() && !may_use.contains(&room) {
                problems.push(format!(
                    "src/{path}:{line}: {} must not depend on {room}",
                    file.room()
                ));
            }
        }
        for Confined {
            what,
            words,
            places,
        } in CONFINED
        {
            let is_allowed = places
                .iter()
                .any(|place| path == place || (place.ends_with('/') && path.starts_with(place)));
            let lines = words
                .iter()
                .flat_map(|words| file.lines_with(words))
                .filter(|_| !is_allowed);
            problems.extend(lines.map(|line| {
                format!(
                    "src/{path}:{line}: {what} is allowed only in {}",
                    places.join(", ")
                )
            }));
        }
    }
    problems
}

/// The room, or `lib`, to which each path from the crate's root refers, with its line.
fn rooms_named(file: &File) -> Vec<(&str, usize)> {
    let mut rooms = Vec::new();
    for (index, token) in file.tokens.iter().enumerate() {
        let after = match token.text.as_str() {
            "crate" => after_path_separator(&file.tokens[index + 1..]),
            "cupbearer" if file.room() == "main" => after_path_separator(&file.tokens[index + 1..]),
            "super" => after_leaving_the_room(file, index),
            _ => None,
        };
        if let Some(after) = after {
            rooms.extend(
                first_words(after)
                    .into_iter()
                    .map(|token| (room_of(&token.text), token.line)),
            );
        }
    }
    rooms
}

/// What follows `super::super::…` at `index`, if those words lead to the crate's root.
fn after_leaving_the_room(file: &File, index: usize) -> Option<&[Token]> {
    let mut rest = &file.tokens[index..];
    for _ in 0..file.depth() {
        let [first, after @ ..] = rest else {
            return None;
        };
        if first.text != "super" {
            return None;
        }
        rest = after_path_separator(after)?;
    }
    (file.depth() > 0).then_some(rest)
}

fn after_path_separator(tokens: &[Token]) -> Option<&[Token]> {
    match tokens {
        [first, second, rest @ ..] if first.text == ":" && second.text == ":" => Some(rest),
        _ => None,
    }
}

/// The first word of a path, or of each path of a `{…}` list.
fn first_words(tokens: &[Token]) -> Vec<&Token> {
    let Some(first) = tokens.first() else {
        return Vec::new();
    };
    if first.text != "{" {
        return vec![first];
    }
    let mut words = Vec::new();
    let mut depth = 0;
    for pair in tokens.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        match (depth, pair[0].text.as_str(), pair[1].text.as_str()) {
            (0, ..) => break,
            (1, "{" | ",", word) if !["}", "self"].contains(&word) => words.push(&pair[1]),
            _ => {}
        }
    }
    words
}

/// A name at the crate's root that is not a room is something that lib.rs defines or re-exports.
fn room_of(word: &str) -> &str {
    let is_module = word
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || letter == '_');
    if is_module && EVERY_ROOM.contains(&word) || word == "cli" {
        word
    } else {
        "lib"
    }
}

/// The first cycle that is found, if there is one.
fn first_cycle<'a>(dependencies: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn walk<'a>(
        room: &'a str,
        path: &mut Vec<&'a str>,
        dependencies: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    ) -> Option<Vec<&'a str>> {
        if let Some(start) = path.iter().position(|passed| *passed == room) {
            return Some(path[start..].to_vec());
        }
        path.push(room);
        let found = dependencies
            .get(room)
            .into_iter()
            .flatten()
            .find_map(|next| walk(next, path, dependencies));
        path.pop();
        found
    }
    dependencies
        .keys()
        .find_map(|room| walk(room, &mut Vec::new(), dependencies))
}
