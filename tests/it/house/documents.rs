//! What the documents claim to be tested is tested by something that exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each names tests in backticks.
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
    assert!(count > 50, "{count} names were read");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = Known::below(root);
    for name in [
        "tests/it/nothing",
        "tests/e2e/nothing",
        "tests/run nothing",
        "src/none.rs",
        "guard::there_is_no_such_test",
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
        "documents::a_test_that_does_not_exist_is_found",
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
fn the_page_on_trouble_has_a_row_for_each_reason_with_its_status_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("src/problem/mod.rs")).unwrap();
    let reasons: BTreeSet<&str> = table
        .split("row!(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let page = fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let rows: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| *name != "reason")
        .collect();
    assert!(reasons.len() > 20, "{reasons:?}");
    assert_eq!(rows, reasons);
}

#[test]
fn every_link_from_one_document_to_another_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = ["", "docs", "benches", "tests", "tests/runs"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut count = 0;
    let mut dead = Vec::new();
    for document in documents {
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
    assert!(count > 20, "{count} links were read");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// What stands between two backticks on one line and has the form of a test's name.
fn tests_named(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|word| {
            let is_path = word.starts_with("tests/") || word.starts_with("src/");
            let is_name = word.contains("::") && *word != "::";
            (is_path || is_name) && !word.contains(['(', ' ', '<', '…'])
        })
}

/// Modules and functions, by name alone.
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

    /// A path, with or without the ending of a test, or a module or function of the crate.
    fn has(&self, root: &Path, name: &str) -> bool {
        if name.contains("::") {
            return name
                .rsplit("::")
                .next()
                .is_some_and(|last| self.0.contains(last));
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
