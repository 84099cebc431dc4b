//! Whatever `init` writes, `check` accepts; everything else is refused before anything is written.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::cli::init::identity::GrantChoice;
use crate::cli::init::identity_args::IdentityArgs;
use crate::cli::init::person_args::PersonArgs;
use crate::doctor::preflight;

/// What people and programs may give for the optional flags, wrong answers among them.
const SCOPES: [&str; 12] = [
    "",
    "read",
    "a b",
    "a  b",
    " a ",
    "a\nb",
    "a\tb",
    "a\r\n",
    "\"a\"",
    "a\\b",
    "ö",
    "\u{1b}[2J",
];
const ADDRESSES: [&str; 16] = [
    "localhost:6749",
    "LOCALHOST:1",
    "127.0.0.1:0",
    "[::1]:80",
    "0.0.0.0:80",
    "[::]:80",
    "10.0.0.1:80",
    "localhost",
    "6749",
    ":6749",
    "localhost:99999",
    "unix:/tmp/x.sock",
    "unix:x",
    "unix:/a\"b\nc",
    "",
    "localhost:6750",
];
const CLIENT_IDS: [&str; 9] = [
    "id", " id ", "", "a b", "a\nb", "a\"b", "a\\b'", "ö", "id\u{7f}",
];
const APIS: [&str; 12] = [
    "https://api.example.com/docs",
    "http://127.0.0.1:1",
    "api.example.com",
    "https://a..b.com",
    "https://*.x.com",
    "https://-a.x.com",
    "https://user@x.com",
    "https://x.com:0",
    "https://[::1]:8443/x",
    "http://localhost:6749",
    "http://localhost:6750/docs",
    "https://xn--bcher-kva.example",
];
const ENDPOINTS: [&str; 10] = [
    "https://as.example.com/token",
    "https://as.example.com/o/token/",
    "https://as.example.com",
    "http://[::1]:1/token",
    "https://as.example.com/.well-known/openid-configuration?x",
    "https://as.example.com/issuer?x=y",
    "https://as.example.com/token#x",
    "https://a..b.com/token",
    "https://as.example.com/a b/token",
    "https://as.example.com/\"quoted\"/token",
];
const NAMES: [&str; 14] = [
    "c.toml",
    "a b.toml",
    "it's.toml",
    "\"q\".toml",
    "back\\slash",
    "line\nbreak",
    "\u{1b}[2J",
    "-c",
    "ö",
    "c",
    "c.client_secret",
    "$HOME",
    "new/c.toml",
    "",
];
const SECRETS: [&str; 6] = ["s3cret", "", "\n", "\u{feff}x", "with space", "ö\n"];

fn text(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![8 => select(known).prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => "[ -~]{0,24}"]
}

fn some_command() -> impl Strategy<Value = String> {
    select(
        &[
            "printf x",
            "printf '%s' 'a b'",
            "[\"printf\", \"a\\\"b\"]",
            "",
            "'",
            "[\"a\\u0000\"]",
        ][..],
    )
    .prop_map(str::to_owned)
}

/// Whether a person copies tokens (3), or signs in with a browser (4).
fn person_args(kind: u8, name: &str) -> IdentityArgs {
    IdentityArgs {
        grant: (kind == 4).then_some(GrantChoice::AuthorizationCode),
        person: PersonArgs {
            paste: kind == 3,
            login_application: (kind == 3 && !name.len().is_multiple_of(2))
                .then(|| name.to_owned()),
            login_url: (kind == 3 && name.len().is_multiple_of(4))
                .then(|| format!("https://x.example/{name}")),
            authorization_url: (kind == 4 && !name.len().is_multiple_of(3))
                .then(|| format!("https://as.example.com/{name}")),
            device_url: None,
        },
        ..IdentityArgs::default()
    }
}

fn some_args() -> impl Strategy<Value = (InitArgs, String, String)> {
    let addresses = (text(&APIS), text(&ENDPOINTS), text(&CLIENT_IDS));
    let optional = (
        proptest::option::of(text(&SCOPES)),
        proptest::option::of(text(&ADDRESSES)),
        proptest::option::of(any::<bool>()),
    );
    let secret = (0..5_u8, some_command(), text(&NAMES), text(&SECRETS));
    (addresses, optional, secret, text(&NAMES)).prop_map(
        |(
            (api, endpoint, client_id),
            (scope, listen, read_only),
            (kind, command, file, content),
            out,
        )| {
            let args = InitArgs {
                upstream: Some(api),
                token_endpoint: (kind != 3).then_some(endpoint),
                client_id: (kind != 3).then_some(client_id),
                scope: scope.filter(|_| kind != 3),
                identity: person_args(kind, &out),
                listen,
                read_only,
                secret_file: (kind == 0).then(|| file.into()),
                secret_command: (kind == 1).then_some(command),
                secret_stdin: kind == 2,
                ..InitArgs::default()
            };
            (args, content, out)
        },
    )
}

/// The flags with which `init` would find the secret file, and whether it wrote a configuration.
async fn run(mut args: InitArgs, content: &str, out: &str, directory: &Path) -> Option<PathBuf> {
    // The doctor would try the addresses, so the secret is checked here as it does first.
    args.no_doctor = true;
    if let Some(name) = args.secret_file.take() {
        let file = directory.join("given").join(name);
        let _ = fs::create_dir(directory.join("given"));
        let _ = fs::write(&file, content);
        if parse::existing_file(&file.display().to_string()).is_err() {
            return None;
        }
        args.secret_file = Some(file);
    }
    let path = directory.join(out);
    args.out = Some(path.clone());
    // What is read from standard input is static in these tests.
    let content: &'static str = content.to_owned().leak();
    let done = from_flags(
        &args,
        &surroundings(directory),
        &mut Input(content.as_bytes()),
    )
    .await;
    done.is_ok().then_some(path)
}

async fn assert_valid_or_unwritten(
    args: InitArgs,
    content: &str,
    out: &str,
) -> Result<(), TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    let shown = format!("{args:?} {content:?} {out:?}");
    let Some(path) = run(args, content, out, directory.path()).await else {
        let written = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
        let written: Vec<_> = written
            .map(|entry| entry.file_name())
            .filter(|name| name != "given")
            .collect();
        prop_assert!(written.is_empty(), "{written:?}: {shown}");
        return Ok(());
    };
    let overrides = [Overrides {
        file: Some(path.clone()),
        ..Overrides::default()
    }];
    let checked = preflight::load_all(&overrides, &Surroundings::default()).await;
    if let Err(problems) = checked {
        let text = fs::read_to_string(&path).unwrap();
        return Err(TestCaseError::fail(format!("{problems}\n{shown}\n{text}")));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_init_writes_passes_check_and_everything_else_is_refused((args, content, out) in some_args()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(assert_valid_or_unwritten(args, &content, &out))?;
    }
}

#[test]
fn a_scope_or_an_address_that_check_would_refuse_is_refused_at_once() {
    let base = || flags("https://api.example.com");
    for (args, words) in [
        (
            InitArgs {
                scope: Some("a\nb".to_owned()),
                ..base()
            },
            "--scope: \"a\\nb\" is not a valid scope",
        ),
        (
            InitArgs {
                listen: Some("0.0.0.0:80".to_owned()),
                ..base()
            },
            "--listen: \"0.0.0.0:80\" is not loopback",
        ),
        (
            InitArgs {
                listen: Some("[::]:80".to_owned()),
                ..base()
            },
            "--listen: \"[::]:80\" is not loopback",
        ),
    ] {
        let said = usage(&args);
        assert!(said.contains(words), "{words}: {said}");
    }
}
