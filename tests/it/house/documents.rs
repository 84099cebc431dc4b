//! Checks that the tests, files and commands that the documents name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use cupbearer::cli::Cli;

/// The documents that name tests in backticks.
const DOCUMENTS: [&str; 2] = ["SECURITY.md", "tests/survives.md"];

#[test]
fn every_test_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = Known::below(root);
    let mut count = 0;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for name in tests_named(&text) {
            count += 1;
            if !known.has(root, name) {
                missing.push(format!("{document}: there is no {name}"));
            }
        }
    }
    assert!(count > 50, "{count} names were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_name_of_a_missing_test_is_reported() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = Known::below(root);
    for name in [
        "tests/it/nothing",
        "tests/e2e/nothing",
        "tests/run nothing",
        "src/none.rs",
        "guard::there_is_no_such_test",
        "there_is_no_such_module::tests",
    ] {
        assert!(!known.has(root, name), "{name}");
    }
    for name in [
        "tests/it/house",
        "tests/it/leaks",
        "tests/e2e/pages",
        "tests/run",
        "src/main.rs",
        "guard::tests",
        "documents::a_name_of_a_missing_test_is_reported",
    ] {
        assert!(known.has(root, name), "{name}");
    }
    let text = "`tests/it/a`, `guard.origins`, `b::c`, `::d`, ``";
    assert_eq!(
        tests_named(text).collect::<Vec<_>>(),
        ["tests/it/a", "b::c", "::d"]
    );
}

#[test]
fn every_promise_names_its_page_and_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/promises.md")).unwrap();
    let mut count = 0;
    let mut wrong = Vec::new();
    for row in rows(&text) {
        let [page, promise, tests] = row[..] else {
            panic!("not three columns: {row:?}");
        };
        if !root.join(page).exists() && !root.join("docs").join(page).exists() {
            wrong.push(format!("there is no page {page}"));
        }
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() || promise.is_empty() {
            wrong.push(format!("{page}: {promise:?} has no test"));
        }
        let missing = tests.iter().filter(|test| !test_exists(root, test));
        wrong.extend(missing.map(|test| format!("{page}: {promise}: there is no {test}")));
        count += 1;
    }
    assert!(count > 40, "{count} promises were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_promise_whose_test_does_not_exist_is_reported() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for test in [
        "it::leaks::no_such_test",
        "it::no_such_file::no_output_at_trace_level_contains_a_credential",
        "guard::tests::no_such_test",
        "e2e/callers: no such test",
        "e2e/none: each caller has its own rules",
        "leaks",
        "it::leaks",
    ] {
        assert!(!test_exists(root, test), "{test}");
    }
    for test in [
        "it::house::documents::a_promise_whose_test_does_not_exist_is_reported",
        "guard::tests::a_host_is_one_of_our_names_with_any_port",
        "e2e/callers: each caller has its own rules",
    ] {
        assert!(test_exists(root, test), "{test}");
    }
}

/// The cells of each row of a table, without its head.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = lines.filter_map(|line| line.strip_suffix(" |"));
    rows.skip(2).map(|row| row.split(" | ").collect())
}

/// Whether exactly this test exists: `it::FILE::NAME`, `ROOM::FILE::tests::NAME` or `e2e/FILE: title`.
fn test_exists(root: &Path, test: &str) -> bool {
    let contains = |path: PathBuf, text: &str| {
        fs::read_to_string(path).is_ok_and(|source| source.contains(text))
    };
    if let Some((file, title)) = test.split_once(": ") {
        let path = root.join(format!("tests/{file}.test.mjs"));
        return contains(path, &format!("test(\"{title}\""));
    }
    let Some((module, name)) = test.rsplit_once("::") else {
        return false;
    };
    let module = module.replace("::", "/");
    let module = match module.strip_prefix("it/") {
        Some(file) => format!("tests/it/{file}"),
        None => format!("src/{module}"),
    };
    ["{}.rs", "{}/mod.rs"]
        .map(|form| root.join(form.replace("{}", &module)))
        .into_iter()
        .any(|path| contains(path, &format!("fn {name}(")))
}

#[test]
fn every_link_between_documents_has_an_existing_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    let mut dead = Vec::new();
    for document in documents(root) {
        let text = fs::read_to_string(&document).unwrap();
        let targets = text.split("](").skip(1);
        let targets = targets.filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains(':')) {
            count += 1;
            if !document.with_file_name(target).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(count > 20, "{count} links were found");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_command_in_a_document_is_a_valid_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for document in documents(root) {
        let text = fs::read_to_string(&document).unwrap();
        for words in commands(&text) {
            count += 1;
            let parsed = Cli::try_parse_from(&words);
            let is_valid = match &parsed {
                Ok(_) => true,
                Err(error) => error.exit_code() == 0, // `--help`
            };
            assert!(is_valid, "{}: {words:?}", document.display());
        }
    }
    assert!(count > 15, "{count} commands were found");
}

#[test]
fn commands_are_found_among_other_shell_words() {
    let text = "```sh\nkey | cupbearer init --yes \\\n  --force # comment\n\
                cupbearer wait && ./job; cupbearer quit\n```\n```text\ncupbearer no\n```\n";
    let found: Vec<String> = commands(text).map(|words| words.join(" ")).collect();
    assert_eq!(
        found,
        [
            "cupbearer init --yes --force",
            "cupbearer wait",
            "cupbearer quit"
        ]
    );
}

/// The documents of the repository that are written for people.
fn documents(root: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "docs", "benches", "tests", "tests/runs"]
        .iter()
        .flat_map(move |folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
}

/// The cupbearer command lines in the shell blocks of a document, split into words.
fn commands(text: &str) -> impl Iterator<Item = Vec<String>> {
    let blocks = text.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| {
        let block = block.split("```").next().unwrap_or_default();
        let joined = block.replace("\\\n", " ");
        joined.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.flat_map(|line| {
        let words = shlex::split(&line).unwrap_or_default();
        let commands = words.split_inclusive(|word| word.ends_with(';') || is_operator(word));
        commands
            .filter(|words| words.first().is_some_and(|word| word == "cupbearer"))
            .map(|words| {
                let words = words.iter().filter(|word| !is_operator(word));
                words
                    .map(|word| word.trim_end_matches(';').to_owned())
                    .collect()
            })
            .collect::<Vec<_>>()
    })
}

fn is_operator(word: &str) -> bool {
    ["|", "&&", "||", "&", ">"].contains(&word)
}

/// The words in backticks that look like the name of a test.
fn tests_named(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|word| {
            let is_path = word.starts_with("tests/") || word.starts_with("src/");
            let is_name = word.contains("::") && *word != "::";
            (is_path || is_name) && !word.contains(['(', ' ', '<', '…'])
        })
}

/// The names of all modules and functions, without their paths.
struct Known(BTreeSet<String>);

impl Known {
    fn below(root: &Path) -> Self {
        let mut names = BTreeSet::new();
        let mut folders = vec![root.join("src"), root.join("tests")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap_or_default();
                names.insert(stem.to_string_lossy().into_owned());
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    names.extend(functions(&fs::read_to_string(&path).unwrap()));
                }
            }
        }
        Self(names)
    }

    /// Whether `name` is an existing path, with or without the extension of a test, or a known module or function.
    fn has(&self, root: &Path, name: &str) -> bool {
        if name.contains("::") {
            let mut segments = name.split("::").filter(|segment| !segment.is_empty());
            return segments.all(|segment| self.0.contains(segment));
        }
        ["", ".rs", ".test.mjs"]
            .iter()
            .any(|ending| root.join(format!("{name}{ending}")).exists())
    }
}

fn functions(text: &str) -> Vec<String> {
    text.split("fn ")
        .skip(1)
        .filter_map(|rest| rest.split(['(', '<']).next())
        .map(str::to_owned)
        .collect()
}
