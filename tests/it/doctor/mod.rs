//! `cupbearer doctor` and `cupbearer token`, run as programs: every mistake is reported, and nothing else is.

mod api;
mod grants;
mod surroundings;

use std::process::Stdio;

use cupbearer::demo::{self, Application, Behaviour, Demo, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Config, debug_text, within};

/// The two servers of the demo, and a configuration for them.
struct DoctorFixture {
    demo: Demo,
    directory: TempDir,
    upstream: Option<String>,
    token_url: Option<String>,
    issuer: Option<String>,
    settings: Vec<String>,
    variables: Vec<(&'static str, String)>,
    secret: Option<&'static str>,
}

/// The output and the exit code of the program.
struct ProgramOutput {
    exit: i32,
    out: String,
    err: String,
}

impl DoctorFixture {
    async fn open() -> Self {
        Self {
            demo: demo::start(Options::on_free_ports()).await.unwrap(),
            directory: tempfile::tempdir().unwrap(),
            upstream: None,
            token_url: None,
            issuer: None,
            settings: Vec::new(),
            variables: Vec::new(),
            secret: None,
        }
    }

    /// Changes the state of the servers.
    async fn with(change: impl FnOnce(&mut Behaviour)) -> Self {
        let fixture = Self::open().await;
        fixture.demo.state.change(change);
        fixture
    }

    /// Changes the state of the application.
    async fn with_application(change: impl FnOnce(&mut Application)) -> Self {
        let fixture = Self::open().await;
        fixture
            .demo
            .state
            .change_application(demo::CLIENT_ID, change);
        fixture
    }

    /// Sets a key, in place of what it was set to before.
    fn set(mut self, setting: &str) -> Self {
        let key = |setting: &str| setting.split('=').next().map(str::to_owned);
        self.settings.retain(|known| key(known) != key(setting));
        self.settings.push(setting.to_owned());
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// With the servers and the settings of another one.
    fn like(mut self, other: &Self) -> Self {
        self.upstream = Some(other.demo.api_url.clone());
        self.token_url = Some(other.demo.token_url.clone());
        self.settings.clone_from(&other.settings);
        self
    }

    fn before(mut self, upstream: &str) -> Self {
        self.upstream = Some(upstream.to_owned());
        self
    }

    fn asking(mut self, token_url: &str) -> Self {
        self.token_url = Some(token_url.to_owned());
        self
    }

    /// Finds the token endpoint by the issuer's metadata alone.
    fn by_issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    fn with_secret(mut self, secret: &'static str) -> Self {
        self.secret = Some(secret);
        self
    }

    fn secret(&self) -> String {
        let right = String::from_utf8(self.demo.client_secret.expose().to_vec()).unwrap();
        self.secret.map_or(right, str::to_owned)
    }

    fn config<'a>(&'a self, secret: &'a str) -> Config<'a> {
        Config {
            upstream: self.upstream.as_deref().unwrap_or(&self.demo.api_url),
            token_url: self.token_url.as_deref().unwrap_or(&self.demo.token_url),
            client_id: demo::CLIENT_ID,
            secret,
            settings: &[],
        }
    }

    /// Runs `cupbearer ARGUMENTS` with the configuration.
    async fn run(&self, arguments: &[&str]) -> ProgramOutput {
        let secret = self.secret();
        let config = self.config(&secret);
        let file = config.write(self.directory.path());
        if let Some(issuer) = &self.issuer {
            let text = std::fs::read_to_string(&file).unwrap();
            let url = format!("url = \"{}\"", config.token_url);
            let text = text.replace(&url, &format!("issuer = \"{issuer}\""));
            std::fs::write(&file, text).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command
            .env_clear()
            .args(arguments)
            .arg("--config")
            .arg(file);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = within("the command's end", command.output()).await.unwrap();
        let said = ProgramOutput {
            exit: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        for text in [&said.out, &said.err] {
            assert!(
                secret.is_empty() || !text.contains(&secret),
                "the secret: {text}"
            );
            assert_eq!(debug_text(text), None);
        }
        said
    }

    /// Runs the doctor with `--json`.
    async fn examine(&self) -> Report {
        let said = self.run(&["doctor", "--json"]).await;
        assert_eq!(said.err, "");
        assert!(!said.out.contains("eyJ"), "a token: {}", said.out);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(report["exit_code"], said.exit);
        assert_eq!(report["ok"], said.exit == 0);
        Report {
            exit: said.exit,
            checks: report["checks"].as_array().unwrap().clone(),
        }
    }
}

/// The checks in the output of the doctor.
struct Report {
    exit: i32,
    checks: Vec<Value>,
}

impl Report {
    fn check(&self, id: &str) -> &Value {
        let found = self.checks.iter().find(|check| check["id"] == id);
        found.unwrap_or_else(|| panic!("no check {id}"))
    }

    fn outcome(&self, id: &str) -> &str {
        self.check(id)["outcome"].as_str().unwrap()
    }

    fn said(&self, id: &str) -> &str {
        self.check(id)["said"].as_str().unwrap()
    }

    fn remedies(&self, id: &str) -> &[Value] {
        self.check(id)["remedies"].as_array().unwrap()
    }

    /// The steps that the remedies name.
    fn steps(&self, id: &str) -> Vec<u64> {
        let numbers = self
            .remedies(id)
            .iter()
            .map(|way| way["step"]["number"].as_u64());
        numbers.flatten().collect()
    }

    /// The JSON of one check.
    fn all(&self, id: &str) -> String {
        self.check(id).to_string()
    }

    /// The checks with this outcome.
    fn with_outcome(&self, outcome: &str) -> Vec<&str> {
        let like = self
            .checks
            .iter()
            .filter(|check| check["outcome"] == outcome);
        like.map(|check| check["id"].as_str().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_correct_configuration_passes_every_check() {
    let fixture = DoctorFixture::open().await;
    let report = fixture.examine().await;
    assert_eq!(report.exit, 0);
    assert_eq!(report.with_outcome("failed"), [""; 0]);
    assert_eq!(
        report.with_outcome("note"),
        ["secret"],
        "{}",
        report.all("secret")
    );
    assert_eq!(fixture.demo.state.token_request_count(), 1, "one grant");
    assert_eq!(
        report.said("api.answer"),
        "GET /api/v1/certificates answered 200 OK"
    );
    for (index, check) in report.checks.iter().enumerate() {
        assert_eq!(check["number"], index + 1);
        assert!(check["time_ms"].is_u64() && check["title"].is_string());
    }
}

#[tokio::test]
async fn the_text_output_has_numbers_and_remedies_with_their_step_and_no_colors_in_a_pipe() {
    let fixture =
        DoctorFixture::with_application(|application| application.resources.clear()).await;
    let said = fixture.run(&["doctor"]).await;
    assert_eq!(said.exit, 4);
    assert!(!said.out.contains('\u{1b}') && !said.out.contains('\r'));
    let lines: Vec<&str> = said.out.lines().collect();
    let failed = lines
        .iter()
        .position(|line| line.contains("failed   access token"))
        .unwrap();
    assert!(lines[failed].starts_with(" 11  ") && lines[failed].contains(" ms  "));
    assert!(lines[failed].contains("At least one scope must be granted (correlation id "));
    assert!(lines[failed + 1].contains(
        "remedy: add the scope of step 3 to the application [step 6: Applications > the application > Resources; \
         docs/setup-pingone.md#step-6]"
    ));
    assert!(said.out.contains("\nStart with check 11: access token. "));
}

#[tokio::test]
async fn token_prints_an_access_token_and_decode_prints_its_claims() {
    let fixture = DoctorFixture::open().await;
    let plain = fixture.run(&["token"]).await;
    assert_eq!((plain.exit, plain.err.as_str()), (0, ""));
    let token = plain.out.strip_suffix('\n').unwrap();
    assert!(token.starts_with("eyJ") && !token.contains(char::is_whitespace));

    let header = fixture.run(&["token", "--header"]).await;
    let value = header.out.strip_prefix("Authorization: Bearer eyJ");
    assert!(
        value.is_some_and(|rest| rest.ends_with('\n')),
        "{}",
        header.out
    );

    let decoded = fixture.run(&["token", "--decode"]).await;
    assert!(!decoded.out.contains("eyJ"));
    for words in [
        "  exp ",
        " (in ",
        "  iat ",
        " ago)",
        "[\"dev-tls-admin\"]",
        "RS256",
    ] {
        assert!(decoded.out.contains(words), "{words}: {}", decoded.out);
    }
    let json = fixture.run(&["token", "--decode", "--json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["claims"]["client_id"], demo::CLIENT_ID);
}

#[tokio::test]
async fn token_prints_no_token_on_failure_and_its_exit_code_shows_the_side_at_fault() {
    let refused = DoctorFixture::open()
        .await
        .with_secret("s3cr3t-of-another")
        .run(&["token"])
        .await;
    assert!(refused.err.contains("invalid_client") && refused.err.contains("cupbearer doctor"));
    let unreachable_url = format!(
        "http://127.0.0.1:{}/token",
        crate::support::closed_port().await
    );
    let unreachable = DoctorFixture::open()
        .await
        .asking(&unreachable_url)
        .run(&["token"])
        .await;
    let empty = DoctorFixture::open()
        .await
        .with_secret("")
        .run(&["token"])
        .await;
    for (said, exit) in [(refused, 4), (unreachable, 5), (empty, 3)] {
        assert_eq!(said.exit, exit, "{}", said.err);
        assert_eq!(said.out, "");
    }
}
