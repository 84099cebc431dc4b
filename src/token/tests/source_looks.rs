//! A source may return the same token again, and a program runs only once at a time.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::time::{advance, sleep};

use super::scene::{Outcome, Scene, grant, move_wall, ms, paused_clock, s, settle, unavailable};
use crate::config::{TokenField, TokenPlace, TokenSource};
use crate::token::identity_memory::IdentityMemory;
use crate::token::obtain::SourceKind;
use crate::token::source::SourceLook;
use crate::token::token_output::OutputDefect;
use crate::token::{GrantError, NoNewerToken, Ownership, RequestRoute, TokenState};

/// The paused wall clock at the start.
const START: u64 = 1_700_000_000;

fn source(file: &Path) -> TokenSource {
    TokenSource {
        place: TokenPlace::File(file.to_owned()),
        field: TokenField::default(),
        default_lifetime: s(300),
    }
}

/// Looks at a file by a clock under control.
fn look_at(file: &Path) -> SourceLook {
    let mut look = SourceLook::new(
        source(file),
        super::endpoint::client(),
        Ownership::default(),
    );
    look.clock = paused_clock();
    look
}

/// Writes a token that the system takes for complete, since it was written long ago.
fn write_dated(file: &Path, text: &str, written: SystemTime) {
    std::fs::write(file, text).unwrap();
    let opened = std::fs::File::options().write(true).open(file).unwrap();
    opened.set_modified(written).unwrap();
}

async fn assert_lifetimes(look: &SourceLook, expected: &[u64], step: Duration) {
    for expected in expected {
        assert_eq!(look.obtain().await.unwrap().lifetime.as_secs(), *expected);
        advance(step).await;
    }
    let ended = look.obtain().await;
    let is_expired = matches!(
        ended,
        Err(GrantError::SourceUnusable {
            defect: OutputDefect::Expired { .. },
            ..
        })
    );
    assert!(is_expired, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_prolong_a_token_whose_end_is_a_date() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let text = format!(r#"{{"access_token":"t","expires_on":{}}}"#, START + 26);
    write_dated(&file, &text, UNIX_EPOCH + s(START));
    let look = look_at(&file);
    assert_eq!(look.obtain().await.unwrap().lifetime, s(26));
    move_wall(-3600);
    assert_lifetimes(&look, &[26, 16, 6], s(10)).await;
    // Another end is another statement.
    let text = text.replace(&(START + 26).to_string(), &(START + 99).to_string());
    write_dated(&file, &text, UNIX_EPOCH + s(START));
    assert!(look.obtain().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_before_a_reload_does_not_prolong_a_token_either() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let text = format!(r#"{{"access_token":"t","expires_on":{}}}"#, START + 26);
    write_dated(&file, &text, UNIX_EPOCH + s(START));
    let memory = IdentityMemory::default();
    let look = look_at(&file).remembering(memory.clone());
    assert_eq!(look.obtain().await.unwrap().lifetime, s(26));
    move_wall(-3600);
    advance(s(10)).await;
    let mut reloaded = SourceLook::new(
        source(&file),
        super::endpoint::client(),
        Ownership::default(),
    );
    reloaded.clock = look.clock;
    assert_lifetimes(&reloaded.remembering(memory), &[16, 6], s(10)).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_prolong_a_jwt_whose_file_is_written_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"exp":{}}}"#, START + 26);
    let jwt = format!("{}.{}.s", part("{}".to_owned()), part(claims));
    let look = look_at(&file);
    // Whoever writes it goes by the machine's clock, and not always at a full second.
    let write = |written: SystemTime, left: u64| {
        let text = format!(r#"{{"access_token":"{jwt}","expires_in":{left}}}"#);
        write_dated(&file, &text, written);
    };
    write(UNIX_EPOCH + s(START), 26);
    assert_eq!(look.obtain().await.unwrap().lifetime, s(26));
    move_wall(-3600);
    advance(s(20)).await;
    write(UNIX_EPOCH + s(START - 3580) - ms(500), 3606);
    assert_lifetimes(&look, &[6], s(6)).await;
    write(UNIX_EPOCH + s(START - 3574) - ms(250), 3600);
    assert!(look.obtain().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_file_from_the_future_does_not_prolong_its_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let text = r#"{"access_token":"t","expires_in":26}"#;
    write_dated(&file, text, UNIX_EPOCH + s(START + 3600));
    assert_lifetimes(&look_at(&file), &[26, 16, 6], s(10)).await;
}

/// The same token until `end` seconds after the start, then another.
fn cached(end: u64) -> impl FnMut(usize, &str) -> (Duration, Outcome) {
    let start = tokio::time::Instant::now();
    move |_, _| (ms(0), grant(s(end).saturating_sub(start.elapsed())))
}

#[tokio::test(start_paused = true)]
async fn the_same_token_is_no_new_generation_and_is_looked_at_again_after_half_of_what_remains() {
    let scene = Scene::of_source(SourceKind::Program, cached(1000));
    sleep(s(985)).await;
    let snapshot = scene.tokens.snapshot();
    assert_eq!(snapshot.generation, 1);
    assert_eq!(snapshot.state, TokenState::Fresh);
    let looks: Vec<u64> = scene
        .attempt_times()
        .iter()
        .map(Duration::as_secs)
        .collect();
    // 60 % of the lifetime; then half of what remains of it until 2 s before its end, and at least 30 s later.
    assert_eq!(looks, [0, 600, 799, 898, 948, 978]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_returns_the_same_token_is_a_new_generation() {
    let scene = Scene::new(cached(1000));
    sleep(s(700)).await;
    assert_eq!(scene.tokens.snapshot().generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_401_is_passed_on_at_once_if_the_source_returns_the_same_token() {
    let scene = Scene::of_source(SourceKind::Program, cached(1000));
    let bearer = scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    let before = tokio::time::Instant::now();
    let route = RequestRoute::of("GET", "/");
    let newer = scene.tokens.newer_than(bearer.generation, route).await;
    assert!(matches!(newer, Err(NoNewerToken::Unchanged)), "{newer:?}");
    assert!(before.elapsed() < s(1));
    assert_eq!(scene.attempts(), 2);
    let newer = scene.tokens.newer_than(bearer.generation, route).await;
    assert!(
        matches!(newer, Err(NoNewerToken::Paused { .. })),
        "{newer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_that_takes_long_is_not_started_a_second_time_beside_it() {
    let scene = Scene::of_source(SourceKind::Program, |_, _| (s(29), grant(s(1000))));
    settle().await;
    advance(s(28)).await;
    settle().await;
    assert_eq!(scene.attempts(), 1);
    let scene = Scene::of_source(SourceKind::Other, |_, _| (s(29), grant(s(1000))));
    sleep(s(28)).await;
    assert!(scene.attempts() > 1, "a server is asked again");
}

#[tokio::test(start_paused = true)]
async fn the_same_token_ends_an_outage() {
    let mut good = cached(1000);
    let scene = Scene::of_source(SourceKind::Other, move |number, secret| match number {
        2 => (ms(0), unavailable(None)),
        _ => good(number, secret),
    });
    sleep(s(605)).await;
    let snapshot = scene.tokens.snapshot();
    assert_eq!((snapshot.generation, snapshot.last_error), (1, None));
    assert_eq!(scene.attempts(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_fails_shows_nothing_of_the_token_that_it_printed_before() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let script = format!(
        "if [ -e '{0}' ]; then echo tok-7x9 was revoked >&2; exit 1; fi; touch '{0}'; echo tok-7x9",
        mark.display()
    );
    let source = TokenSource {
        place: TokenPlace::Command(vec!["sh".to_owned(), "-c".to_owned(), script]),
        field: TokenField::default(),
        default_lifetime: s(300),
    };
    let look = SourceLook::new(source, super::endpoint::client(), Ownership::default());
    look.obtain().await.unwrap();
    let error = look.obtain().await.unwrap_err();
    let said = error.said().unwrap();
    assert!(said.contains("withheld") && !said.contains("7x9"), "{said}");
}
