//! Any flags for an identity, whether they fit together or not.

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::doctor::preflight;

const VALUES: [&str; 16] = [
    "x",
    "",
    " ",
    "a=b",
    "=",
    "a\"b",
    "a\\b",
    "a\nb",
    "ö",
    "\u{1b}[2J",
    "urn:x:y",
    "\u{7f}",
    "'",
    "#",
    "{",
    "\t",
];
const PAIR_NAMES: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "scope",
    "exp",
    "jti",
    "audience",
    "client_id",
    "a.b",
    "a b",
    "",
    "\"q\"",
    "ö",
    "a\nb",
    "[x]",
    "Metadata",
];
const FILES: [&str; 8] = [
    "f",
    "a b",
    "\"q\"",
    "ö",
    "back\\slash",
    "line\nbreak",
    "$HOME/f",
    "-f",
];
const METADATA_SERVERS: [&str; 10] = [
    "http://169.254.169.254/token",
    "http://[fe80::1]/token?x=y#z",
    "https://metadata.example.com/a b",
    "http://metadata.example.com/",
    "https://user:pw@x.com/",
    "http://localhost:1/\"",
    "",
    "nonsense",
    "ftp://127.0.0.1/",
    " http://127.0.0.1/x ",
];

const FIELDS: [&str; 10] = [
    "X-Api-Key",
    " x_token ",
    "Authorization",
    "Cookie",
    "X-Forwarded-For",
    "Ö",
    "a b",
    "a:",
    "X\r\nY",
    "",
];

/// Some flags for identities and for the token's field, with values that people and programs may give. `KEY` and `DIR`
/// stand for paths.
fn some_flags() -> impl Strategy<Value = Vec<String>> {
    let pair = (
        select(&PAIR_NAMES[..]),
        select(&VALUES[..]),
        select(&["=", ":", ": ", ""][..]),
    );
    let pair = pair.prop_map(|(name, value, separator)| format!("{name}{separator}{value}"));
    let one = prop_oneof![
        select(
            &[
                "client_secret_post",
                "private_key_jwt",
                "client_assertion",
                "none"
            ][..]
        )
        .prop_map(|value| format!("--auth={value}")),
        select(&["client_credentials", "jwt_bearer", "token_exchange"][..])
            .prop_map(|value| format!("--grant={value}")),
        select(&VALUES[..]).prop_map(|value| format!("--client-id={value}")),
        Just("--client-id=id".to_owned()),
        Just(SERVER.to_owned()),
        Just("--secret-command=printf x".to_owned()),
        Just("--private-key-file=KEY".to_owned()),
        select(&FILES[..]).prop_map(|file| format!("--client-assertion-file=DIR/{file}")),
        (select(&FILES[..]), select(&VALUES[..])).prop_map(|(file, kind)| {
            format!("--client-assertion-file=DIR/{file}\0--client-assertion-type={kind}")
        }),
        select(&FIELDS[..]).prop_map(|name| format!("--token-header={name}")),
        select(&VALUES[..]).prop_map(|text| format!("--token-prefix={text}")),
        select(&FIELDS[..]).prop_map(|name| format!("--token-header={name}\0--keep-authorization")),
        select(&FILES[..]).prop_map(|file| format!("--assertion-file=DIR/{file}")),
        select(&FILES[..]).prop_map(|file| format!("--token-file=DIR/{file}")),
        (select(&FILES[..]), select(&VALUES[..])).prop_map(|(file, kind)| {
            format!("--subject-token-file=DIR/{file}\0--subject-token-type={kind}")
        }),
        (select(&FILES[..]), select(&VALUES[..])).prop_map(|(file, kind)| {
            format!("--actor-token-file=DIR/{file}\0--actor-token-type={kind}")
        }),
        select(&METADATA_SERVERS[..]).prop_map(|url| format!("--token-http={url}")),
        (
            select(&["--claim", "--param", "--token-http-header"][..]),
            pair
        )
            .prop_map(|(flag, pair)| format!("{flag}={pair}")),
    ];
    let starts = select(
        &[
            "",
            "--token-endpoint=https://as.example.com/token\0--auth=none\0--assertion-file=DIR/a",
            "--token-endpoint=https://as.example.com/token\0--auth=none\0--grant=jwt_bearer\0--private-key-file=KEY\0--claim=iss=x",
            "--token-endpoint=https://as.example.com/token\0--auth=none\0--grant=jwt_bearer\0--private-key-file=KEY\0--claim=sub=x",
            "--token-endpoint=https://as.example.com/token\0--client-id=id\0--private-key-file=KEY",
            "--token-endpoint=https://as.example.com/token\0--client-id=id\0--client-assertion-file=DIR/c\0--subject-token-file=DIR/s\0--subject-token-type=urn:x",
            "--token-http=http://169.254.169.254/token",
        ][..],
    );
    (starts, proptest::collection::vec(one, 0..4)).prop_map(|(start, more)| {
        let parts = std::iter::once(start.to_owned()).chain(more);
        let words = parts.flat_map(|part| part.split('\0').map(str::to_owned).collect::<Vec<_>>());
        words.filter(|word| !word.is_empty()).collect()
    })
}

/// Whether a configuration was written, which then is valid.
async fn is_written(words: &[String]) -> Result<bool, TestCaseError> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    fs::write(at("key.pem"), key_text()).unwrap();
    let words: Vec<String> = words
        .iter()
        .map(|word| word.replace("KEY", &at("key.pem")).replace("DIR", &at("")))
        .collect();
    let path: PathBuf = at("c.toml").into();
    let Ok(args) = command_line(&words) else {
        return Ok(false);
    };
    let args = InitArgs {
        out: Some(path.clone()),
        ..args
    };
    let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
    if done.is_err() {
        prop_assert!(!path.exists(), "{words:?}");
        return Ok(false);
    }
    let overrides = [Overrides {
        file: Some(path.clone()),
        ..Overrides::default()
    }];
    match preflight::load_all(&overrides, &Surroundings::default()).await {
        Ok(_) => Ok(true),
        Err(problems) => {
            let text = fs::read_to_string(&path).unwrap();
            Err(TestCaseError::fail(format!(
                "{problems}\n{words:?}\n{text}"
            )))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn whatever_init_writes_for_an_identity_passes_check(words in some_flags()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(is_written(&words))?;
    }
}
