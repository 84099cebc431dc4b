//! What `cupbearer keygen` advises, added to a configuration.

use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use crate::support::within;

/// Paths that need quotes in TOML, in a shell or in both.
const PATHS: [&str; 4] = ["key.pem", "a b.pem", "it's \"one\".pem", "back\\slash.pem"];

const UPSTREAM: &str = "[upstream]\nurl = \"https://api.example.com\"\n\n";
const REST_OF_TOKEN: &str = "url = \"https://as.example.com/token\"\nclient_id = \"id\"\n";

async fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command.env_clear().current_dir(directory).args(arguments);
    let ended = within("the end of the command", command.output());
    ended.await.unwrap()
}

/// The lines to add to a configuration, which stand between empty lines.
fn advised(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let (_, block) = text.split_once("\n\n").unwrap();
    let (block, _) = block.split_once("\n\n").unwrap();
    format!("{block}\n")
}

async fn assert_valid(directory: &Path, text: &str) {
    let file = directory.join("c.toml");
    std::fs::write(&file, text).unwrap();
    let checked = run(directory, &["check", "--config", "c.toml"]).await;
    assert!(checked.status.success(), "{text}\n{checked:?}");
}

#[tokio::test]
async fn the_advice_for_private_key_jwt_passes_check_for_every_kind_of_key_and_path() {
    for algorithm in ["ES256", "RS256", "RS384", "RS512"] {
        // An RSA key takes long.
        let paths = match algorithm {
            "ES256" => &PATHS[..],
            _ => &PATHS[1..2],
        };
        for path in paths {
            let directory = tempfile::tempdir().unwrap();
            let arguments = ["keygen", "--algorithm", algorithm, "--out", path];
            let block = advised(&run(directory.path(), &arguments).await);
            // After the tables of a file that has no [token] yet, and in one that it has.
            let appended = format!("{UPSTREAM}{block}{REST_OF_TOKEN}");
            assert_valid(directory.path(), &appended).await;
            let lines = block.strip_prefix("[token]\n").unwrap();
            let before = format!("[token]\n{REST_OF_TOKEN}{lines}\n{UPSTREAM}");
            assert_valid(directory.path(), &before).await;
        }
    }
}

#[tokio::test]
async fn the_advice_for_a_caller_passes_check_for_every_path() {
    for path in PATHS {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ["keygen", "--caller", "ci", "--out", path];
        let block = advised(&run(directory.path(), &arguments).await);
        std::fs::write(directory.path().join("secret"), "s3cret-of-this-test").unwrap();
        let text = format!(
            "{UPSTREAM}[token]\n{REST_OF_TOKEN}client_secret = {{ file = \"secret\" }}\n\n{block}"
        );
        assert_valid(directory.path(), &text).await;
    }
}
