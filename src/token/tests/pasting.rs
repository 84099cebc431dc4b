//! A token that a person hands over, against paused time.

use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::time::sleep;

use super::logged::record;
use super::scene::{move_wall, ms, paused_clock, s, settle, wall};
use crate::config::{SignInConfig, TokenField};
use crate::token::sign_in_task::SignInTask;
use crate::token::{
    AttemptCounter, NoNewerToken, RequestRoute, SignInPage, TokenState, TokenUnavailable, Tokens,
};

/// The start of the paused wall clock.
const START: u64 = 1_700_000_000;

fn tokens() -> Tokens {
    let config = SignInConfig {
        login_url: Some("https://login.example.com/".parse().unwrap()),
        api: None,
        field: TokenField::default(),
    };
    let inputs = (paused_clock(), AttemptCounter::default());
    let (tokens, task) = SignInTask::new(&config, SignInPage::default(), None, inputs);
    tokio::spawn(task.run());
    tokens
}

pub(super) fn jwt(subject: &str, lifetime: u64) -> String {
    let end = START + lifetime;
    jwt_of(&format!(r#"{{"sub":"{subject}","exp":{end}}}"#))
}

/// A token with these claims.
pub(super) fn jwt_of(claims: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.s", part("{}"), part(claims))
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_at_its_exp_and_the_log_reminds_10_and_2_minutes_before() {
    let (log, _logging) = record();
    let tokens = tokens();
    assert!(matches!(
        tokens.bearer().await,
        Err(TokenUnavailable::LoginRequired(place)) if place.login_url.is_some()
    ));
    assert_eq!(tokens.snapshot().state, TokenState::Starting);
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    settle().await;
    assert_eq!(tokens.snapshot().state, TokenState::Fresh);
    let reminders = || log.text().matches("the token ends soon").count();
    for (until, reminded) in [(2995, 0), (3000, 1), (3470, 1), (3485, 2), (3590, 2)] {
        let now = tokens.snapshot().usable_for;
        sleep(now.saturating_sub(s(3600 - until))).await;
        settle().await;
        assert_eq!(reminders(), reminded, "after {until} s");
    }
    assert!(tokens.snapshot().ends_soon().is_some());
    sleep(s(10)).await;
    settle().await;
    assert!(tokens.usable().is_none());
    assert_eq!(tokens.snapshot().state, TokenState::Expired);
    assert!(log.text().contains("the token has ended"), "{}", log.text());
    assert!(tokens.bearer().await.is_err());
    tokens.paste(jwt("ada", 9000).as_bytes()).unwrap();
    assert_eq!(tokens.usable().unwrap().generation, 2);
}

#[tokio::test(start_paused = true)]
async fn no_clock_prolongs_a_token() {
    let tokens = tokens();
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    let steps = tokens.clock_steps();
    move_wall(-7200);
    sleep(s(3599)).await;
    assert!(tokens.usable().is_none(), "by the monotonic clock");
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    move_wall(14_400);
    assert!(tokens.usable().is_none(), "by the wall clock");
    sleep(s(31)).await;
    assert_eq!(*steps.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_opaque_token_ends_with_its_first_401_and_only_if_it_is_still_in_use() {
    let tokens = tokens();
    let route = RequestRoute::of("GET", "/");
    tokens.paste(b"first").unwrap();
    tokens.paste(b"second").unwrap();
    let newer = tokens.newer_than(1, route).await.unwrap();
    assert_eq!(
        (newer.generation, newer.header.to_str().unwrap()),
        (2, "Bearer second")
    );
    sleep(s(100 * 24 * 3600)).await;
    assert_eq!(tokens.usable().unwrap().generation, 2);
    assert_eq!(tokens.snapshot().expires_at, None);
    let newer = tokens.newer_than(2, route).await;
    assert!(matches!(newer, Err(NoNewerToken::PersonNeeded)));
    assert!(tokens.usable().is_none());
    tokens
        .paste(jwt("ada", 200 * 24 * 3600).as_bytes())
        .unwrap();
    assert!(tokens.newer_than(3, route).await.is_err());
    assert_eq!(tokens.usable().unwrap().generation, 3);
    assert!(tokens.refresh().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_the_person_signs_out_or_another_one_signs_in() {
    let tokens = tokens();
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    for change in ["same", "another", "out"] {
        let session = tokens.session().unwrap();
        match change {
            "same" => drop(tokens.paste(jwt("ada", 7200).as_bytes()).unwrap()),
            "another" => drop(tokens.paste(jwt("bob", 7200).as_bytes()).unwrap()),
            _ => drop(tokens.sign_out().unwrap()),
        }
        let ended = tokio::time::timeout(ms(1), session.ended()).await.is_ok();
        assert_eq!(ended, change != "same", "{change}");
    }
    assert!(tokens.usable().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_from_before_a_reload_ends_with_the_person_who_is_taken_over() {
    let (before, after) = (tokens(), tokens());
    before.paste(jwt("ada", 3600).as_bytes()).unwrap();
    let session = before.session().unwrap();
    after.take_over_sign_in(&before);
    drop(before);
    drop(after.sign_out().unwrap());
    let ended = tokio::time::timeout(ms(1), session.ended()).await;
    assert!(ended.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_ends_an_opaque_token_ends_it_for_requests_from_before_a_reload_and_after_it() {
    let route = RequestRoute::of("GET", "/");
    for is_first_before in [true, false] {
        let (first, before, after) = (tokens(), tokens(), tokens());
        first.paste(b"opaque").unwrap();
        before.take_over_sign_in(&first);
        before.replace_identity(&first);
        after.take_over_sign_in(&before);
        after.replace_identity(&before);
        let (asked, others) = if is_first_before {
            (&first, [&before, &after])
        } else {
            (&after, [&first, &before])
        };
        let newer = asked.newer_than(1, route).await;
        assert!(matches!(newer, Err(NoNewerToken::PersonNeeded)));
        assert!(asked.usable().is_none());
        for other in others {
            assert!(other.usable().is_none(), "{is_first_before}");
        }
    }
    // One that has been pasted since is another.
    let (before, after) = (tokens(), tokens());
    before.paste(b"opaque").unwrap();
    after.take_over_sign_in(&before);
    after.replace_identity(&before);
    after.paste(b"another").unwrap();
    let newer = before.newer_than(1, route).await.unwrap();
    assert_eq!(newer.header.to_str().unwrap(), "Bearer another");
    assert!(after.usable().is_some());
}

#[tokio::test(start_paused = true)]
async fn requests_from_before_a_reload_are_sent_for_nobody_who_has_signed_out_or_been_replaced() {
    let (before, after) = (tokens(), tokens());
    before.paste(jwt("ada", 3600).as_bytes()).unwrap();
    after.take_over_sign_in(&before);
    after.replace_identity(&before);
    let session = before.session().unwrap();
    after.paste(jwt("bob", 3600).as_bytes()).unwrap();
    let of_bob = after.usable().unwrap();
    let sent = before.bearer().await.unwrap();
    assert_eq!((sent.header, sent.generation), (of_bob.header, 2));
    assert!(tokio::time::timeout(ms(1), session.ended()).await.is_ok());
    drop(after.sign_out().unwrap());
    assert!(matches!(
        before.bearer().await,
        Err(TokenUnavailable::LoginRequired(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_reload_ends_no_tunnel_of_a_person_whose_token_is_opaque() {
    let (before, after) = (tokens(), tokens());
    before.paste(b"opaque").unwrap();
    let session = before.session().unwrap();
    after.take_over_sign_in(&before);
    after.replace_identity(&before);
    let ended = tokio::time::timeout(ms(1), session.ended()).await;
    assert!(ended.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_an_identity_whose_person_is_not_taken_over_even_if_it_has_just_begun()
{
    for is_taken_over in [true, false] {
        let (before, after) = (tokens(), tokens());
        before.paste(jwt("ada", 3600).as_bytes()).unwrap();
        let session = before.session().unwrap();
        if is_taken_over {
            after.take_over_sign_in(&before);
        }
        after.replace_identity(&before);
        assert_eq!(after.usable().is_some(), is_taken_over);
        let late = before.session().unwrap();
        for session in [session, late] {
            let ended = tokio::time::timeout(ms(1), session.ended()).await;
            assert_eq!(ended.is_ok(), !is_taken_over);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_signs_out_while_a_reload_is_prepared_is_not_signed_in_after_it() {
    let (before, after) = (tokens(), tokens());
    before.paste(jwt("ada", 3600).as_bytes()).unwrap();
    after.take_over_sign_in(&before);
    drop(before.sign_out().unwrap());
    after.replace_identity(&before);
    assert!(after.usable().is_none() && after.signed_in().is_none());

    let (before, after) = (tokens(), tokens());
    before.paste(jwt("ada", 3600).as_bytes()).unwrap();
    after.take_over_sign_in(&before);
    before.paste(jwt("bob", 3600).as_bytes()).unwrap();
    after.replace_identity(&before);
    assert_eq!(after.signed_in(), before.signed_in());

    // Whoever has signed in to the prepared one is its person.
    let (before, after) = (tokens(), tokens());
    before.paste(jwt("ada", 3600).as_bytes()).unwrap();
    after.take_over_sign_in(&before);
    after.paste(jwt("bob", 3600).as_bytes()).unwrap();
    after.replace_identity(&before);
    let subject = after.signed_in().unwrap().subject;
    assert_eq!(subject.as_deref(), Some(" bob"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_already_does_not_count_as_granted() {
    let tokens = tokens();
    let granted = || tokens.snapshot().attempts.granted;
    tokens.paste(jwt("ada", 0).as_bytes()).unwrap();
    assert_eq!(granted(), 0);
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    tokens.paste(b"opaque").unwrap();
    assert_eq!(granted(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_known_since_when_nobody_is_signed_in() {
    let tokens = tokens();
    let begun = wall();
    sleep(s(60)).await;
    assert_eq!(tokens.snapshot().unusable_since, Some(begun));
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    assert_eq!(tokens.snapshot().unusable_since, None);
    sleep(s(100)).await;
    drop(tokens.sign_out().unwrap());
    let signed_out = wall();
    sleep(s(100)).await;
    assert_eq!(tokens.snapshot().unusable_since, Some(signed_out));
    tokens.paste(jwt("ada", 3600).as_bytes()).unwrap();
    sleep(s(4000)).await;
    let ended = UNIX_EPOCH + s(START + 3600);
    assert_eq!(tokens.snapshot().unusable_since, Some(ended));
}
